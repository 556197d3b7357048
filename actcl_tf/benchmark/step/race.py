"""Races the encoders against their PyTorch twins: forward, backward and optimizer, in turns.

Both sides train the same network on the same numbers, in memory, on all cores, each as its users
run it at its best: ours as one graph, theirs in channels-last memory format with a fused optimizer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import arithmetic, host, turns
from actcl_tf.benchmark.step import report, setup, step_parts, step_settings, torch_peer
from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.train.model import encoding, optimizers
from actcl_tf.train.runs import loading, run_folder

_WARM_UP = 2

Step = Callable[[], object]


class Race(NamedTuple):
    """Seconds of both sides.

    Attributes:
      encoder: "video", "audio" or "both".
      precision: of `step_settings.PRECISIONS`.
      ours: [rounds] seconds of a step.
      theirs: [rounds] seconds of a step of PyTorch.
      multiply_adds: of a step.
    """

    encoder: str
    precision: str
    ours: np.ndarray
    theirs: np.ndarray
    multiply_adds: int

    @property
    def ratio(self) -> turns.Ratio:
        """How many times as fast ours is."""
        return turns.ratio(self.theirs, self.ours)


class Result(NamedTuple):
    """Races of all encoders in all precisions.

    Attributes:
      races: what was timed.
      products: precision -> [rounds] multiply-adds a second of the product of two large matrices.
      batch_size: clips a step.
      versions: of TensorFlow and of PyTorch.
    """

    races: list[Race]
    products: dict[str, np.ndarray]
    batch_size: int
    versions: tuple[str, str]


def measure(run: config.PretrainConfig, precisions: tuple[str, ...], rounds: int) -> Result:
    """Races the video and the audio encoder of a run.

    Args:
      run: the configuration; of it the encoders, the clips, the batch size and the optimizer count.
      precisions: of `step_settings.PRECISIONS`.
      rounds: in each of which every step has its turn.

    Raises:
      config.ConfigError: PyTorch is not installed.
      records.DataError: the data cannot be used.
    """
    torch_peer.require()
    import torch

    torch.set_num_threads(cores.count())
    facts = setup.find_facts(run)
    names = [(p, encoder) for p in precisions for encoder in encoding.MODALITIES]
    sides = {name: _sides(run, facts, *name) for name in names}
    meters = {p: arithmetic.multiplier(tf.as_dtype(p)) for p in precisions}
    products = {p: np.zeros([rounds]) for p in precisions}
    seconds = {name: np.zeros([2, rounds]) for name in names}
    for ours, theirs, _ in sides.values():
        for _ in range(_WARM_UP):
            ours()
            theirs()
    for row in bars.Bar(range(rounds), "racing", unit="round"):
        for precision, multiply in meters.items():
            products[precision][row] = multiply()
        for name, (ours, theirs, _) in sides.items():
            seconds[name][:, row] = [turns.timed(step)[0] for step in (ours, theirs)]
    races = []
    for precision in precisions:
        each = {e: seconds[precision, e] for e in encoding.MODALITIES}
        work = {e: sides[precision, e][2] for e in encoding.MODALITIES}
        each["both"], work["both"] = sum(each.values()), sum(work.values())
        races += [Race(e, precision, *each[e], work[e]) for e in each]
    versions = (tf.__version__, torch.__version__)
    return Result(races, products, run.train.batch_size, versions)


def _sides(
    run: config.PretrainConfig, facts: run_folder.DataFacts, precision: str, encoder: str
) -> tuple[Step, Step, int]:
    """A step of ours and one of PyTorch's on the same numbers, and their multiply-adds."""
    tf.keras.mixed_precision.set_global_policy(step_settings.PRECISIONS[precision])
    tf.keras.utils.set_random_seed(run.train.seed)
    tower = loading.build_towers(run, facts)[encoder]
    # What the frontend gives: frames and spectrograms, the same numbers for both sides.
    batch = setup.make_batches(run, facts)[0]
    inputs = tf.cast(tower.frontend(batch[encoder], training=False), tf.float32)
    theirs = _step_of_torch(run, tower.backbone, inputs, precision)
    ours, work = _step_of_ours(run, tower.backbone, inputs, precision)
    return ours, theirs, work


def _step_of_ours(
    run: config.PretrainConfig, backbone: tf.keras.Model, inputs: tf.Tensor, precision: str
) -> tuple[Step, int]:
    optimizer = optimizers.build_optimizer(run.train, step_settings.PRECISIONS[precision])
    variables = backbone.trainable_variables
    if not isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        optimizer.build(variables)
    inputs = tf.cast(inputs, backbone.compute_dtype)

    def train(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(backbone(inputs, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    function = step_parts.compiled(train)
    work = arithmetic.multiply_adds(function.get_concrete_function(inputs).graph)
    return lambda: function(inputs).numpy(), work


def _step_of_torch(
    run: config.PretrainConfig, backbone: tf.keras.Model, inputs: tf.Tensor, precision: str
) -> Step:
    import torch

    twin = torch_peer.from_keras(backbone)
    values = torch_peer.inputs_from_keras(backbone, inputs)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=run.train.learning_rate, fused=True)

    def train() -> float:
        optimizer.zero_grad(set_to_none=True)
        half = precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = twin(values).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return train


def table(result: Result) -> str:
    """The races of the calm rounds as text for the terminal."""
    calm = report.calm_rounds(result.products)
    lines = [f"{'':18}{'s a step':>10}{'PyTorch':>10}{'of products':>13}  times as fast"]
    for race in result.races:
        kept = race._replace(ours=race.ours[calm], theirs=race.theirs[calm])
        share = np.median(race.multiply_adds / kept.ours / result.products[race.precision][calm])
        lines.append(
            f"{race.precision + ' ' + race.encoder:18}{np.median(kept.ours):10.4f}"
            f"{np.median(kept.theirs):10.4f}{share:13.1%}  {kept.ratio}"
        )
    tensorflow, torch = result.versions
    return "\n".join(
        [
            *lines,
            f"Forward, backward and optimizer on {result.batch_size} clips, TensorFlow "
            f"{tensorflow} and PyTorch {torch} (channels last) in turns, on {host.cpu()}.",
            f"Medians of {calm.sum()} of {len(calm)} rounds, those with matrix products at "
            f"{report.CALM:.0%} of their best rate or above; in brackets, quartiles "
            "of paired ratios.",
        ]
    )


def to_dict(result: Result) -> dict[str, Any]:
    """The seconds of all rounds, and the ratios, as plain values, ready for JSON."""
    return {
        "races": [
            {
                **race._asdict(),
                "ours": race.ours.tolist(),
                "theirs": race.theirs.tolist(),
                "times_as_fast": list(race.ratio),
            }
            for race in result.races
        ],
        "products": {name: rates.tolist() for name, rates in result.products.items()},
        "batch_size": result.batch_size,
        "versions": dict(zip(("tensorflow", "torch"), result.versions, strict=True)),
        "cpu": host.cpu(),
    }
