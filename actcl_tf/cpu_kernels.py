"""Which kernels TensorFlow computes with on CPUs: oneDNN's, chosen before TensorFlow is imported.

TensorFlow turns its oneDNN kernels on by itself only on CPUs with AVX-512 VNNI or newer. On those
with AVX2 alone, which are most desktops and many cloud machines, it takes Eigen's kernels instead,
whose 3-D convolutions are 2 to 4 times slower.
"""

import os
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


def choose() -> None:
    """Turns oneDNN's kernels on, in this process and its children; `VARIABLE=0` keeps them off.

    TensorFlow reads the variable once, while it is imported. A program that imported TensorFlow
    first has chosen already, and nothing is changed.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(VARIABLE, "1")
