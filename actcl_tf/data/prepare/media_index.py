"""Training straight from videos: where in them the clips are.

Every video is read through once, as in a preparation, so that what is silent, damaged or too short
is known and counted before training begins; but nothing of it is stored. The index is a data set
whose records name places: it has the shards, and so the order, of a data set that
`tools/prepare_data.py` makes of the same videos with the same settings.
"""

import hashlib
import json
import os

from actcl_tf import config
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import plan, prepare
from actcl_tf.data.prepare.shard_writing import PrepareSettings
from actcl_tf.storage import files


def build_index(
    path: str,
    folder: str,
    settings: PrepareSettings,
    *,
    dataset: str = "folder",
    test_fraction: float | None = None,
    execution: prepare.Execution | None = None,
) -> prepare.Summary:
    """Makes the index of some videos, goes on with one that was begun, or finds it made.

    Args:
      path: folder of the videos, or the list of --dataset=csv.
      folder: where indices are kept, each under a name of its own.
      settings: how clips are cut; `is_index` must be set.
      dataset: of `catalogs.DATASETS`, the layout of the folder.
      test_fraction: share of the videos drawn for testing where no split is named; None: the usual.
      execution: how it is done.

    Returns:
      What was found; its `output_dir` is what --data_dir is to be.

    Raises:
      DataError: there are no videos, or the folder cannot be written.
      config.ConfigError: the layout is not known, or cannot be read straight.
    """
    if not settings.is_index:
        raise ValueError("settings must have is_index=True to make an index")
    if not files.is_remote(path):
        path = os.path.abspath(files.local(path))  # Good in any working folder.
    options = {"test_fraction": test_fraction}
    if dataset in ("csv", "folder"):
        options["seed"] = settings.seed
    catalog = catalogs.read(dataset, path, **options)
    if catalog.streams != "both":
        raise config.ConfigError(
            f"--dataset={dataset}: its clips are for their {catalog.streams} alone, and "
            "--input=media needs video and audio"
        )
    name = json.dumps([path, plan.describe(catalog, settings)], sort_keys=True)
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return prepare.prepare(catalog, files.join(folder, digest), settings, execution)
