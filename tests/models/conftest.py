"""Fixtures of the models' tests."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def float32_policy():
    """Every test starts in float32 and leaves float32 behind, from fixed initial values."""
    tf.keras.mixed_precision.set_global_policy("float32")
    tf.keras.utils.set_random_seed(0)
    yield
    tf.keras.mixed_precision.set_global_policy("float32")
