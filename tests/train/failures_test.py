"""What TensorFlow and the system say of full disks, bad records and NaN, in words."""

import resource

import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import skip_ledger
from actcl_tf.data.records import records
from actcl_tf.train import failures, training_run
from actcl_tf.train.runs import loading

STAYS = "Make room, and start the same command again to go on"


def _os_error():
    return OSError(28, "No space left on device", "/runs/a/scalars.jsonl")


def _tf_error(text):
    return tf.errors.ResourceExhaustedError(None, None, text)


@pytest.mark.parametrize(
    "error, told",
    [
        (_os_error(), "/runs/a/scalars.jsonl: cannot be written (No space left on device)"),
        (OSError(122, "Disk quota exceeded"), "RUN: cannot be written (Disk quota exceeded)"),
        (
            _tf_error("{{node Save}} /runs/a/step-4_temp/x.tempstate1; No space left on device"),
            "/runs/a/step-4_temp/x.tempstate1: cannot be written (No space left on device)",
        ),
        (
            records.DataError("/runs/a/result.json cannot be written (File too large)"),
            "/runs/a/result.json: cannot be written (File too large)",
        ),
        (_tf_error("OOM when allocating tensor"), None),
        (OSError(13, "Permission denied"), None),
    ],
)
def test_explain_no_room(tmp_path, error, told):
    found = failures.explain_no_room(error, str(tmp_path))
    if told is None:
        assert found is None
    else:
        told = told.replace("RUN", str(tmp_path))
        assert str(found) == f"{told}; there is no checkpoint yet. {STAYS}"


def test_naming_full_disks_leaves_other_errors_as_they_are(tmp_path):
    for error, kind in [(_os_error(), failures.NoRoomError), (OSError(13, "no"), PermissionError)]:
        with pytest.raises(kind), failures.naming_full_disks(str(tmp_path)):
            raise error
    with failures.naming_full_disks(str(tmp_path)):
        pass


def test_explain_no_room_names_the_checkpoint_that_stays(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for kind in ("index", "data-00000-of-00001"):
        (folder / f"step-4.{kind}").touch()
    found = str(failures.explain_no_room(_os_error(), str(tmp_path)))
    assert f"the last checkpoint, {folder / 'step-4'}, stays" in found


DATA = config.DataConfig(data_dir="/data")


@pytest.mark.parametrize(
    "error, kind, told",
    [
        (tf.errors.InvalidArgumentError(None, None, "x"), records.DataError, "found it"),
        (tf.errors.NotFoundError(None, None, "x"), records.DataError, "found it"),
        (tf.errors.AbortedError(None, None, "x"), type(None), ""),
        (
            tf.errors.InvalidArgumentError(None, None, "gradient : Tensor had NaN values"),
            failures.NonFiniteError,
            "gradient: NaN or infinity at step 5",
        ),
        (
            tf.errors.UnknownError(None, None, f"DataError: {skip_ledger.TAG}none of the 3"),
            records.DataError,
            f"{skip_ledger.TAG}none of the 3",
        ),
    ],
)
def test_explain(error, kind, told):
    found = failures.explain(error, DATA, "train", 4, lambda: "found it")
    assert type(found) is kind
    assert told in str(found)


def test_explain_knows_nothing_where_the_records_are_good():
    error = tf.errors.InvalidArgumentError(None, None, "shapes must be equal")
    assert failures.explain(error, DATA, "train", 4) is None


@pytest.mark.slow
@pytest.mark.parametrize("limit, name", [(300_000, "step-4_temp"), (3_000, "run/")])
def test_a_full_disk_leaves_the_checkpoint_before_and_the_run_goes_on(tiny_run, limit, name):
    """The limit on a file's size stops a checkpoint, or what is logged, as a full disk would."""
    run = tiny_run(steps=6, save_every=2, log_every=1, summary_every=1)
    training_run.TrainingRun(run, say=lambda _: None).train(stop_at=2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(failures.NoRoomError, match=f"{name}.*File too large.*step-2, stays"):
            training_run.TrainingRun(run, say=lambda _: None).train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert loading.load_towers(run.train.run_dir).step == 2
    assert training_run.TrainingRun(run, say=lambda _: None).train().step == 6
