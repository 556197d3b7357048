"""Keras' `fit` over the steps of a run: what each callback sees, and what Keras says of it."""

import logging
import time

import pytest
import tensorflow as tf

from actcl_tf.train import fitting


class _Counting(tf.keras.Model):
    """Counts its steps."""

    def __init__(self):
        super().__init__()
        self.step = self.add_weight("step", [], tf.int64, "zeros", trainable=False)

    def train_step(self, data):
        loss = tf.reduce_sum(data)
        with tf.control_dependencies([loss]):
            self.step.assign_add(1)
        return {"loss": loss}


class _Slow(tf.keras.callbacks.Callback):
    """Takes longer than a step, as an evaluation does."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        del batch, logs
        time.sleep(0.02)
        self.seen.append(int(self.model.step.numpy()))


def _endless(start_step):
    return tf.data.Dataset.range(start_step, 1 << 40).batch(2)


def _compiled():
    model = _Counting()
    model.compile()
    return model


def test_callbacks_see_each_step_and_may_take_their_time(caplog):
    model, slow = _compiled(), _Slow()
    with caplog.at_level(logging.WARNING):
        fitting.fit(model, _endless, [slow], last=12, steps_per_epoch=5)
    assert slow.seen == list(range(1, 13))
    assert not [record for record in caplog.records if "slow" in record.getMessage()]


def test_goes_on_at_the_models_step():
    model, slow = _compiled(), _Slow()
    model.step.assign(7)
    fitting.fit(model, _endless, [slow], last=12, steps_per_epoch=5)
    assert slow.seen == list(range(8, 13))


def test_data_that_end_are_an_error():
    def short(start_step):
        return _endless(start_step).take(3)

    with pytest.raises(RuntimeError, match="the data ended at step 3 of 12; it must be endless"):
        fitting.fit(_compiled(), short, [], last=12, steps_per_epoch=5)
