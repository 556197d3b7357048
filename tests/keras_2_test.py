"""Which Keras is in use, and what an application hears that has chosen another one."""

import importlib.metadata
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from actcl_tf import keras_2

newest = pytest.mark.skipif(
    keras_2.distribution() == "keras", reason="this TensorFlow has no Keras but Keras 2"
)


def run(code, **variables):
    environment = {k: v for k, v in os.environ.items() if k != keras_2.VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )


def test_keras_is_keras_2():
    assert importlib.metadata.version(keras_2.distribution()).startswith("2.")
    assert tf.keras.layers.Layer.__module__.split(".")[0] in ("keras", "tf_keras")
    assert hasattr(tf.keras.optimizers.legacy, "Optimizer"), "Keras 3 has none"


@newest
def test_an_application_may_import_tensorflow_and_keras_3_first():
    code = "import keras, tensorflow as tf, actcl_tf; print(tf.keras.layers.Layer.__module__)"
    result = run(code)
    assert result.stdout.startswith("tf_keras."), result.stderr


@newest
def test_an_application_that_uses_keras_3_as_tf_keras_is_told_what_to_do():
    result = run("from tensorflow.keras import layers; import actcl_tf")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "ImportError: actcl_tf needs tf.keras to be Keras 2, but it is Keras 3 "
        "(keras.src.layers.layer) already; import actcl_tf before anything uses tf.keras, or set "
        "TF_USE_LEGACY_KERAS=1 before Python starts"
    )


@newest
def test_a_variable_that_rules_it_out_is_named():
    result = run("import actcl_tf", TF_USE_LEGACY_KERAS="0")
    assert result.stderr.splitlines()[-1] == (
        "ImportError: TF_USE_LEGACY_KERAS=0: actcl_tf needs Keras 2; set it to 1, or unset it"
    )
