"""Data set layouts -> lists of clips with labels and splits.

One module a data set; `datasets` has them all by name.
"""

from actcl_tf.data.catalogs.audioset import from_audioset
from actcl_tf.data.catalogs.catalog import (
    ALL,
    SPLITS,
    TEST,
    TRAIN,
    Catalog,
    Clip,
    classes_of,
    draw_key,
    draw_test_split,
    split_of,
)
from actcl_tf.data.catalogs.datasets import DATASETS, read
from actcl_tf.data.catalogs.esc50 import from_esc50
from actcl_tf.data.catalogs.hmdb51 import from_hmdb51
from actcl_tf.data.catalogs.kinetics import KINETICS_SOUNDS, from_kinetics, from_kinetics_sounds
from actcl_tf.data.catalogs.ucf101 import from_ucf101
from actcl_tf.data.catalogs.user_videos import from_csv, from_folder
from actcl_tf.data.catalogs.vggsound import from_vggsound
from actcl_tf.data.catalogs.walking import NOTHING as NOTHING_FOUND
from actcl_tf.data.catalogs.walking import Found, ignored_lines

__all__ = [
    "ALL",
    "DATASETS",
    "KINETICS_SOUNDS",
    "NOTHING_FOUND",
    "SPLITS",
    "TEST",
    "TRAIN",
    "Catalog",
    "Clip",
    "Found",
    "classes_of",
    "draw_key",
    "draw_test_split",
    "from_audioset",
    "from_csv",
    "from_esc50",
    "from_folder",
    "from_hmdb51",
    "from_kinetics",
    "from_kinetics_sounds",
    "from_ucf101",
    "from_vggsound",
    "ignored_lines",
    "read",
    "split_of",
]
