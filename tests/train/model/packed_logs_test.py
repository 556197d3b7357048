"""Scalars of a step come through Keras' `fit` as one vector, with their names."""

import pytest
import tensorflow as tf

from actcl_tf.train.model import packed_logs


class _Counter(packed_logs.PackedLogsModel):
    def train_step(self, batch):
        total = tf.reduce_sum(batch)
        return {"b/sum": total, "a": tf.constant(2), "none": tf.constant(float("nan"))}


class _Seen(tf.keras.callbacks.Callback):
    def __init__(self, supports_tensors):
        super().__init__()
        self._supports_tf_logs = supports_tensors
        self.logs, self.scalars = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(logs)
        self.scalars.append(packed_logs.read(self.model, logs))


@pytest.mark.parametrize("supports_tensors", [True, False])
@pytest.mark.parametrize("run_eagerly", [True, False])
def test_callbacks_read_what_the_step_returns(supports_tensors, run_eagerly):
    model, seen = _Counter(), _Seen(supports_tensors)
    model.compile(run_eagerly=run_eagerly)
    dataset = tf.data.Dataset.from_tensor_slices([[1.0, 2.0], [3.0, 4.0], [5.0, 0.5]])
    model.fit(dataset, callbacks=[seen], verbose=0, epochs=2, steps_per_epoch=3)
    sums = [3.0, 7.0, 5.5] * 2
    assert [scalars["b/sum"] for scalars in seen.scalars] == sums
    assert all(scalars["a"] == 2.0 and scalars["none"] != 0 for scalars in seen.scalars)
    assert all(set(scalars) == {"b/sum", "a", "none"} for scalars in seen.scalars)
    if not run_eagerly:
        assert all(len(logs) == 1 for logs in seen.logs)


def test_the_function_is_made_once():
    model = _Counter()
    model.compile()
    function = model.make_train_function()
    assert model.make_train_function() is function
    assert model.make_train_function(force=True) is not function


def test_read_takes_plain_logs():
    assert packed_logs.read(_Counter(), {"a": tf.constant(1.5), "b": 2}) == {"a": 1.5, "b": 2.0}
