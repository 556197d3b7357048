"""Which Keras `tf.keras` is: Keras 2, chosen before TensorFlow loads one.

From TensorFlow 2.16 on, `tf.keras` is Keras 3 unless the environment asks for the package tf-keras,
which goes on with Keras 2. TensorFlow decides at the first use of `tf.keras`, for all the process.
"""

import importlib.util
import os
import sys
from importlib import metadata

VARIABLE = "TF_USE_LEGACY_KERAS"
_YES = ("1", "true", "True")  # What TensorFlow takes for a yes.


def choose() -> None:
    """Makes `tf.keras` Keras 2, in this process and its children.

    Raises:
      ImportError: the environment rules it out, or a program has used Keras 3 as `tf.keras`.
    """
    if distribution() == "keras":
        return
    given = os.environ.setdefault(VARIABLE, "1")
    if given not in _YES:
        raise ImportError(f"{VARIABLE}={given}: actcl_tf needs Keras 2; set it to 1, or unset it")
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return
    found = tensorflow.keras.layers.Layer.__module__
    if not found.startswith("tf_keras."):
        raise ImportError(
            f"actcl_tf needs tf.keras to be Keras 2, but it is Keras 3 ({found}) already; import "
            f"actcl_tf before anything uses tf.keras, or set {VARIABLE}=1 before Python starts"
        )


def distribution() -> str:
    """The distribution that Keras 2 comes from: "tf-keras" from TensorFlow 2.16 on, or "keras"."""
    if importlib.util.find_spec("tf_keras") is None:
        return "keras"
    release = metadata.version("tensorflow").split(".")
    return "tf-keras" if (int(release[0]), int(release[1])) >= (2, 16) else "keras"
