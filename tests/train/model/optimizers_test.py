import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train.model import optimizers


@pytest.mark.parametrize(
    ("step", "schedule", "expected"),
    [
        (0, "constant", 0.1),
        (4, "constant", 0.5),
        (9, "constant", 1.0),
        (100, "constant", 1.0),
        (10, "cosine", 1.0),
        (60, "cosine", 0.5),
        (110, "cosine", 0.0),
        (500, "cosine", 0.0),
    ],
)
def test_warmup_and_schedule(step, schedule, expected):
    rate = optimizers.WarmupSchedule(1.0, 10, 110, schedule)(tf.constant(step, tf.int64))
    np.testing.assert_allclose(rate, expected, atol=1e-6)


def test_no_warmup():
    assert float(optimizers.WarmupSchedule(0.5, 0, 10, "constant")(tf.constant(0))) == 0.5


def _apply(name, gradient, precision="float32", **changes):
    """One step on a kernel, a batch normalisation's gamma and a bias, all ones."""
    train = config.TrainConfig(
        optimizer=name,
        learning_rate=0.1,
        warmup_steps=0,
        learning_rate_schedule="constant",
        **changes,
    )
    optimizer = optimizers.build_optimizer(train, precision)
    names = ("block/kernel", "block/norm/gamma", "block/bias")
    variables = [tf.Variable(tf.ones([2]), name=name) for name in names]
    optimizer.apply_gradients([(tf.fill([2], gradient), v) for v in variables])
    return [float(v[0]) for v in variables]


@pytest.mark.parametrize("name", config.OPTIMIZERS)
def test_weight_decay_shrinks_kernels_only(name):
    kernel, gamma, bias = _apply(name, 0.0, weight_decay=0.5)
    assert kernel < 1.0
    assert (gamma, bias) == (1.0, 1.0)


@pytest.mark.parametrize("name", config.OPTIMIZERS)
def test_moves_against_the_gradient(name):
    assert all(value < 1.0 for value in _apply(name, 1.0, weight_decay=0.0))


def test_first_steps_by_hand():
    np.testing.assert_allclose(_apply("adam", 3.0, weight_decay=0.0), [0.9] * 3, atol=1e-5)
    np.testing.assert_allclose(_apply("sgd", 3.0, weight_decay=0.0), [0.7] * 3, atol=1e-5)
    np.testing.assert_allclose(_apply("adamw", 3.0, weight_decay=0.5), [0.85, 0.9, 0.9], atol=1e-5)


def test_half_precision_scales_the_loss():
    optimizer = optimizers.build_optimizer(config.TrainConfig(), "mixed_float16")
    assert float(optimizer.get_scaled_loss(tf.constant(1.0))) == 2.0**15


NAMES = ("block/kernel", "block/norm/gamma", "block/bias", "head/kernel")
KERAS = {"adam": tf.keras.optimizers.Adam, "adamw": tf.keras.optimizers.AdamW}


def _variables():
    rng = np.random.default_rng(3)
    shapes = ([3, 3, 2, 4], [4], [4], [5, 2])
    return [
        tf.Variable(rng.normal(size=s), name=n, dtype=tf.float32)
        for s, n in zip(shapes, NAMES, strict=True)
    ]


def _gradients(step):
    """Of all sizes, from step to step; the last variable's is zero at every other step."""
    rng = np.random.default_rng(step)
    found = [rng.normal(scale=10.0 ** (step % 5 - 3), size=v.shape) for v in _variables()]
    found[-1] *= step % 2
    return [tf.constant(gradient, tf.float32) for gradient in found]


def _pair(name, precision="float32", **changes):
    """Our optimizer, and Keras' of the same settings."""
    train = config.TrainConfig(
        optimizer=name,
        steps=20,
        learning_rate=0.01,
        **{"warmup_steps": 5, "weight_decay": 0.3, **changes},
    )
    ours = optimizers.build_optimizer(train, "float32")
    keras = KERAS[name](
        optimizers.WarmupSchedule(0.01, train.warmup_steps, 20, train.learning_rate_schedule),
        weight_decay=train.weight_decay,
    )
    keras.exclude_from_weight_decay(var_names=optimizers.NOT_DECAYED)
    if precision == "mixed_float16":
        wrap = tf.keras.mixed_precision.LossScaleOptimizer
        return wrap(ours, initial_scale=4.0), wrap(keras, initial_scale=4.0)
    return ours, keras


def _stepper(optimizer, variables, **options):
    optimizer.build(variables)

    @tf.function(autograph=False, **options)
    def step(gradients):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return step


def _assert_alike(pair, sets):
    for ours, keras in zip(*sets, strict=True):
        np.testing.assert_allclose(ours, keras, rtol=1e-6, atol=1e-6)
    ours, keras = ([v for v in each.variables if v.shape.rank] for each in pair)
    for one, other in zip(ours, keras, strict=True):
        # The kernel subtracts 0.999 from 1 in float32, as both do in the bias correction.
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("adam", {}),
        ("adam", {"weight_decay": 0.0, "warmup_steps": 0}),
        ("adam", {"learning_rate_schedule": "constant"}),
        ("adamw", {}),
        ("adamw", {"weight_decay": 0.0}),
        ("adamw", {"learning_rate_schedule": "constant", "warmup_steps": 0}),
    ],
)
def test_one_kernel_does_what_keras_does(name, changes):
    pair = _pair(name, **changes)
    sets = [_variables() for _ in pair]
    steps = [_stepper(*each) for each in zip(pair, sets, strict=True)]
    for index in range(20):
        for step in steps:
            step(_gradients(index))
        _assert_alike(pair, sets)
    moved = [
        float(tf.reduce_max(tf.abs(a - b))) for a, b in zip(sets[0], _variables(), strict=True)
    ]
    assert min(moved) > 0.01


def test_one_kernel_a_variable():
    variables = _variables()
    optimizer, _ = _pair("adamw")
    graph = _stepper(optimizer, variables).get_concrete_function(_gradients(0)).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(variables)
    assert kinds.count("AssignSubVariableOp") == 2  # The decay of the two kernels.


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clips_as_keras_does(clip):
    pair = [
        each(0.01, weight_decay=0.1, **{clip: 0.5}) for each in (optimizers.AdamW, KERAS["adamw"])
    ]
    sets = [_variables() for _ in pair]
    for index in range(5):
        for optimizer, variables in zip(pair, sets, strict=True):
            optimizer.apply_gradients(zip(_gradients(index), variables, strict=True))
    _assert_alike(pair, sets)


def test_half_precision_skips_the_steps_that_keras_skips():
    pair = _pair("adamw", "mixed_float16")
    sets = [_variables() for _ in pair]
    steps = [_stepper(*each) for each in zip(pair, sets, strict=True)]
    for index in range(4):
        gradients = _gradients(index)
        if index == 2:
            gradients[1] = gradients[1] * np.inf
        for optimizer, step in zip(pair, steps, strict=True):
            optimizer.get_scaled_loss(tf.constant(1.0))
            step(optimizer.get_unscaled_gradients(gradients))
    _assert_alike([each.inner_optimizer for each in pair], sets)
    assert [float(each.loss_scale) for each in pair] == [2.0, 2.0]
    assert all(np.isfinite(v).all() for v in sets[0])


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}])
def test_rows_of_a_gradient(options):
    pair = [each(0.1, weight_decay=0.1, **options) for each in (optimizers.Adam, KERAS["adam"])]
    sets = [[tf.Variable(tf.ones([4, 2]), name="table")] for _ in pair]
    rows = tf.IndexedSlices(tf.constant([[1.0, -2.0], [3.0, 0.5]]), tf.constant([2, 0]), [4, 2])
    for gradient in (rows, tf.ones([4, 2]), rows):
        for optimizer, variables in zip(pair, sets, strict=True):
            optimizer.apply_gradients(zip([gradient], variables, strict=True))
    _assert_alike(pair, sets)


def test_compiled_and_not():
    pair = [_pair("adamw")[0] for _ in range(2)]
    sets = [_variables() for _ in pair]
    steps = [
        _stepper(*each, jit_compile=xla)
        for *each, xla in zip(pair, sets, (True, False), strict=True)
    ]
    for index in range(3):
        for step in steps:
            step(_gradients(index))
    _assert_alike(pair, sets)


@pytest.mark.parametrize("writer", [0, 1], ids=["ours to Keras", "Keras to ours"])
@pytest.mark.parametrize("name", list(KERAS))
def test_checkpoints_serve_the_other(name, writer, tmp_path):
    pair = _pair(name)
    sets = [_variables() for _ in pair]
    steps = [_stepper(*each) for each in zip(pair, sets, strict=True)]
    assert [v.name for v in pair[0].variables] == [v.name for v in pair[1].variables]
    for index in range(3):
        steps[writer](_gradients(index))
    checkpoints = [
        tf.train.Checkpoint(optimizer=optimizer, variables=variables)
        for optimizer, variables in zip(pair, sets, strict=True)
    ]
    path = checkpoints[writer].write(str(tmp_path / "saved"))
    checkpoints[1 - writer].read(path).assert_consumed()
    assert int(pair[1 - writer].iterations) == 3
    for index in range(3, 6):
        for step in steps:
            step(_gradients(index))
    _assert_alike(pair, sets)
