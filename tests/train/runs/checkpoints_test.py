import json
import re
import shutil

import pytest
import tensorflow as tf

from actcl_tf.train.runs import checkpoints, errors, loading
from tests import saved_runs


@pytest.fixture(scope="module")
def saved(tiny_config, tmp_path_factory):
    """A run with one checkpoint, of step 8."""
    run = tiny_config(tmp_path_factory.mktemp("saved") / "run")
    saved_runs.save_run(run, step=8)
    return run


def _copy_of(saved, folder):
    shutil.copytree(saved.train.run_dir, folder)
    return folder / "checkpoints"


def test_half_copied_checkpoints_are_told_or_made_good(saved, tmp_path):
    for number, kind in enumerate((".index", ".data-*")):
        folder = _copy_of(saved, tmp_path / str(number))
        for name in ("step-4.index", "step-4.data-00000-of-00001"):
            shutil.copy(next(folder.glob(f"step-8{name[6:]}")), folder / name)
        next(folder.glob(f"step-8{kind}")).unlink()
        message = (
            rf"step-8 lacks its file {re.escape(kind)}: copy .*or remove .*go on from .*step-4"
        )
        with pytest.raises(errors.CheckpointError, match=message):
            checkpoints.exist_in(str(folder.parent))
        with pytest.raises(errors.CheckpointError, match=message):
            loading.load_towers(str(folder.parent))
        (folder / "checkpoint").unlink()
        assert checkpoints.latest(folder) == str(folder / "step-4")


def test_without_the_file_that_names_the_last_checkpoint_the_last_whole_one_counts(saved, tmp_path):
    folder = _copy_of(saved, tmp_path / "run")
    (folder / "checkpoint").unlink()
    (folder / "step-90.index").touch()  # As a kill leaves it before its data have their name.
    (folder / "step-x.index").touch()
    assert loading.load_towers(str(folder.parent)).step == 8
    (folder / "checkpoint").write_text("not what TensorFlow writes")
    assert checkpoints.latest(folder) == str(folder / "step-8")
    assert checkpoints.latest(tmp_path / "none") is None


def test_damaged_lists_and_scores_are_told(saved, tmp_path):
    folder = _copy_of(saved, tmp_path / "run")
    (folder / "checkpoint").write_bytes(b'model_checkpoint_path: "step-8\xff"')
    with pytest.raises(errors.CheckpointError, match=r"checkpoint is damaged .*remove it"):
        loading.load_towers(str(folder.parent))
    model = tf.Module()
    model.step = tf.Variable(3)
    with pytest.raises(errors.CheckpointError, match=r"checkpoint is damaged .*remove it"):
        checkpoints.Manager(model, str(folder.parent), 2, {})
    manager = checkpoints.Manager(model, str(tmp_path), 2, {})
    assert manager.is_best(-1.0)
    manager.save_best(0.5)
    for text in ('{"score": 0.', '{"score": "x"}', '{"step": 3}'):
        (tmp_path / "best" / "score.json").write_text(text)
        with pytest.raises(errors.CheckpointError, match=r"score.json is damaged .*remove"):
            manager.is_best(0.6)


@pytest.mark.parametrize(
    "held, at, expected",
    [
        (None, (0, 0.9), False),
        (None, (1, -1.0), True),
        ((0, 0.9), (0, 1.0), False),
        ((0, 0.9), (4, 0.1), True),  # As written when encoders as initialised could be the best.
        ((4, 0.5), (8, 0.4), False),
        ((4, 0.5), (8, 0.5), True),
        ((4, 0.5), (8, 0.6), True),
        ((8, 0.5), (8, 0.5), False),  # A run that goes on after its last evaluation.
        ((8, 0.5), (4, 0.5), False),
        ((8, 0.5), (4, 0.6), True),
    ],
)
def test_the_best_checkpoint_is_trained_and_the_later_of_equals(tmp_path, held, at, expected):
    model = tf.Module()
    model.step = tf.Variable(at[0])
    manager = checkpoints.Manager(model, str(tmp_path), 2, {})
    if held is not None:
        (tmp_path / "best").mkdir()
        score = json.dumps({"step": held[0], "score": held[1]})
        (tmp_path / "best" / "score.json").write_text(score)
    assert manager.is_best(at[1]) is expected


@pytest.mark.parametrize(
    "best, which, expected",
    [
        ("", "auto", "latest"),
        ("step-0", "auto", "latest"),
        ("step-8", "auto", "best"),
        ("step-10", "auto", "best"),
        ("step-0", "best", "best"),
        ("step-8", "runs/a/checkpoints/step-4", "runs/a/checkpoints/step-4"),
    ],
)
def test_auto_is_the_best_that_was_trained(tmp_path, best, which, expected):
    if best:
        (tmp_path / "best").mkdir()
        for kind in ("index", "data-00000-of-00001"):
            (tmp_path / "best" / f"{best}.{kind}").touch()
    assert checkpoints.choose(str(tmp_path), which) == expected


def test_remove_unfinished_leaves_checkpoints_alone(tmp_path):
    kept = [
        tmp_path / name for name in ("step-4.index", "step-4.data-00000-of-00001", "score.json")
    ]
    for path in kept:
        path.touch()
    (tmp_path / "step-8_temp").mkdir()
    (tmp_path / "step-8_temp" / "part-00000").touch()
    (tmp_path / "step-8.index.tempstate123").touch()
    checkpoints.remove_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    checkpoints.remove_unfinished(tmp_path / "none")
