"""What contradicts the data is refused with one error that names what would fit."""

import pytest

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.train import run_checks


def _check(folder, num_clips, **flags):
    manifest = records.Manifest(
        "train",
        num_clips,
        1,
        [],
        ["a"],
        10.0,
        8000.0,
        20,
        64,
        64,
        64,
        64,
        9.0,
        "",
        min_samples=16000,
    )
    (folder / "train").mkdir()
    records.write_manifest(folder / "train", manifest)
    # Shards are not looked at.
    values = {"data_dir": str(folder), "on_bad_record": "skip", "num_frames": 4, **flags}
    return run_checks.check(config.from_flat(values))


@pytest.mark.parametrize(
    "num_clips, flags, message",
    [
        (
            100,
            {"batch_size": 128, "dictionary_size": 3840},
            "--batch_size=128 --dictionary_size=3840: with --negatives=active both together must "
            "be at most the number of training clips, and the split 'train' has 100 clips; "
            "--batch_size=16 --dictionary_size=80 fits them",
        ),
        (8, {"batch_size": 4, "dictionary_size": 8}, "--batch_size=2 --dictionary_size=6 fits"),
        (3, {"batch_size": 2, "dictionary_size": 4}, "has 3 clips; more clips, 4 at the least,"),
        (
            100,
            {"batch_size": 128, "negatives": "moco"},
            "^--batch_size=128: the split 'train' has 100 clips; --batch_size=64 fits them",
        ),
    ],
)
def test_sizes_that_the_clips_cannot_fill(tmp_path, num_clips, flags, message):
    with pytest.raises(config.ConfigError, match=message):
        _check(tmp_path, num_clips, **flags)


@pytest.mark.parametrize(
    "warmup, steps, warned",
    [(0, 1, False), (99, 100, False), (100, 100, True), (500, 100, True), (1, 1, True)],
)
def test_a_warm_up_without_end_is_warned_of(warmup, steps, warned):
    lines = run_checks.warnings(config.from_flat({"warmup_steps": warmup, "steps": steps}))
    assert [line.startswith(f"--warmup_steps={warmup}: ") for line in lines] == [True] * warned


@pytest.mark.parametrize(
    "flags",
    [
        {"batch_size": 16, "dictionary_size": 84},
        {"batch_size": 100, "negatives": "moco"},
        {"batch_size": 100, "negatives": "in_batch"},
    ],
)
def test_sizes_that_the_clips_just_fill(tmp_path, flags):
    assert _check(tmp_path, 100, **flags).num_clips == 100
