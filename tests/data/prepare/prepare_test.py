import dataclasses
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import plan, prepare, shard_writing
from actcl_tf.data.prepare import report as prepare_report
from actcl_tf.data.records import records
from actcl_tf.storage import files
from tests.media_files import grey, tone, write_clip, write_media
from tests.permissions import closed, unprivileged

ROOT = pathlib.Path(__file__).resolve().parents[3]
MINE = "--data_dir=data/mine --run_dir=runs/mine"  # Of the command that is printed.
SETTINGS = {"short_side": 32, "clip_seconds": 1.0}
EXECUTION = prepare.Execution(num_workers=1, progress=False)


def run(videos, output, execution=EXECUTION, **changes):
    return prepare.prepare_folder(
        str(videos), str(output), execution=execution, **{**SETTINGS, **changes}
    )


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Eight good videos of two classes, one of them long, and one bad one of each kind."""
    root = tmp_path_factory.mktemp("videos")
    for index in range(4):
        write_clip(root / "dog" / f"{index}.mp4", 1.0, levels=(40, 40 + 30 * index))
        write_clip(root / "cat ü" / f"{index}.mkv", 1.0, sounds=[tone(1, frequency=300)])
    write_clip(root / "dog" / "0.mp4", 2.6)
    bad = root / "bad"
    write_clip(bad / "no_audio.mp4", 1.0, sounds=[])
    write_clip(bad / "silent.mp4", 1.0, sounds=[0 * tone(1)])
    write_clip(bad / "near_silent.mov", 1.0, sounds=[tone(1) / 1000], sound_codec="pcm_s16le")
    write_clip(bad / "too_short.mp4", 0.5, sounds=[tone(0.5)])
    write_media(bad / "no_video.mp4", sounds=[tone(1)], cover=grey(9))
    (bad / "empty.mp4").write_bytes(b"")
    (bad / "damaged.mp4").write_text("no video" * 100)
    quiet_end = np.concatenate([tone(0.96), 0 * tone(1.04)])
    write_clip(bad / "half.mov", 2.0, sounds=[quiet_end], sound_codec="pcm_s16le")
    return root


def write_scene(path, seed, seconds=1.2):
    """A video like no other: a picture of its own that moves, and a melody of its own."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, [6, 8, 3], np.uint8).repeat(8, 0).repeat(8, 1)
    frames = [
        np.roll(picture, (i * rng.integers(1, 4), i), (0, 1)) for i in range(round(25 * seconds))
    ]
    notes = [tone(seconds / 6, frequency=f, amplitude=0.4) for f in rng.uniform(150, 3000, 6)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_media(path, frames=frames, sounds=[np.concatenate(notes)])


FAILURES = {
    "damaged": ["bad/damaged.mp4"],
    "empty": ["bad/empty.mp4"],
    "near_silent": ["bad/near_silent.mov"],
    "no_video": ["bad/no_video.mp4"],
    "no_audio": ["bad/no_audio.mp4"],
    "silent": ["bad/half.mov [0.96, 1.92)", "bad/silent.mp4"],
    "too_short": ["bad/too_short.mp4"],
}
# Of the long video 0.6 s are left, which is less than --min_seconds.
GOOD = [
    *(("bad/half.mov", 0, 0),),
    *((f"cat ü/{index}.mkv", 1, 0) for index in range(4)),
    *(("dog/0.mp4", 2, 0), ("dog/0.mp4", 2, 960_000)),
    *((f"dog/{index}.mp4", 2, 0) for index in range(1, 4)),
]


def read_split(folder):
    """The records of a split, in order."""
    manifest = records.read_manifest(folder)
    files = [str(pathlib.Path(folder) / shard["name"]) for shard in manifest.shards]
    return list(tf.data.TFRecordDataset(files).as_numpy_iterator())


def contents(folder):
    """Every file below a folder with its bytes."""
    root = pathlib.Path(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_good_videos_become_records_and_bad_ones_are_counted(videos, tmp_path):
    summary = run(videos, tmp_path / "data", test_fraction=0.25)
    assert summary.failures == FAILURES
    assert sorted(os.listdir(tmp_path / "data")) == ["test", "train"]
    found, parsed = [], []
    for split in ("train", "test"):
        folder = tmp_path / "data" / split
        manifest = records.read_manifest(folder)
        serialized = read_split(folder)
        assert manifest.num_clips == len(serialized)
        assert manifest.classes == ["bad", "cat ü", "dog"]
        assert sorted(os.listdir(folder)) == [
            "manifest.json",
            *(
                records.shard_name(split, i, manifest.num_shards)
                for i in range(manifest.num_shards)
            ),
        ]
        assert (manifest.height, manifest.width, manifest.min_height) == (32, 43, 32)
        assert (manifest.frame_rate, manifest.sample_rate) == (12.5, 16000)
        assert manifest.duration == pytest.approx(len(serialized) * 0.96)
        assert manifest.min_frames == 12
        for each in serialized:
            example = tf.train.SequenceExample.FromString(each)
            start = example.context.feature["clip/start/timestamp"].int64_list.value[0]
            parsed.append(records.parse_example(tf.constant(each)))
            found.append((parsed[-1]["filename"].numpy().decode(), int(parsed[-1]["label"]), start))
    assert sorted(found) == GOOD
    assert len({int(clip["clip_id"]) for clip in parsed}) == len(GOOD)
    for clip in parsed:
        frames = [tf.io.decode_jpeg(jpeg).shape for jpeg in clip["frames_jpeg"]]
        assert frames == [(32, 43, 3)] * 12
        assert clip["waveform"].shape == (15360,)


def test_a_video_is_on_one_side_only(videos, tmp_path):
    run(videos, tmp_path / "data", test_fraction=0.5)
    names = [
        {records.parse_example(tf.constant(r))["filename"].numpy() for r in read_split(folder)}
        for folder in (tmp_path / "data" / "train", tmp_path / "data" / "test")
    ]
    assert names[0] and names[1] and not names[0] & names[1]


def test_a_second_run_makes_nothing(videos, tmp_path):
    first = run(videos, tmp_path / "data")
    before = contents(tmp_path / "data")
    second = run(videos, tmp_path / "data", dataclasses.replace(EXECUTION, num_workers=3))
    assert first.made == len(GOOD) and second.made == 0
    assert second.manifests == first.manifests
    assert contents(tmp_path / "data") == before
    assert "nothing was made" in prepare_report.summary_text(second)


NO_FAILURE = dataclasses.replace(EXECUTION, max_failures="0")


def stop_in_the_middle(videos, output):
    """Stops after some shards of the train split, one of them good; returns the seed."""
    for seed in range(20):
        with pytest.raises(prepare.TooManyFailuresError) as error:
            run(videos, output, NO_FAILURE, seed=seed, clips_per_shard=1)
        # It stops at the first shard that holds a bad video.
        assert sum(map(len, error.value.failures.values())) == 1
        if list((output / ".partial").glob("train-*.tfrecord")):
            return seed
        shutil.rmtree(output)
    raise AssertionError("no seed puts a good video first")


def _summary(folder="data/mine", **splits):
    """Of splits with so many clips, or (clips, streams, frames of the shortest)."""
    manifests = {}
    for split, held in splits.items():
        clips, streams, frames = held if isinstance(held, tuple) else (held, "both", 9)
        manifests[split] = records.Manifest(
            split, clips, 1, [], ["a"], 10.0, 8000.0, frames, 8, 8, 8, 8, 1.0, "", streams=streams
        )
    return prepare.Summary(folder, manifests, 1.0, 1)


@pytest.mark.parametrize(
    ("summary", "arguments"),
    [
        (_summary(train=320, test=2), MINE),
        (_summary(train=320, test=2, val=2), MINE),
        (_summary(train=320, val=2), f"{MINE} --eval_split=val"),
        (_summary(train=320, test=0, val=2), f"{MINE} --eval_split=val"),
        (_summary(train=320), f"{MINE} --eval_split="),
        (_summary(train=320, test=0), f"{MINE} --eval_split="),
        (_summary(train=(400, "both", 7), test=1), f"{MINE} --num_frames=7"),
        (_summary(train=319, test=1), f"{MINE} --batch_size=32 --dictionary_size=256"),
        (_summary(train=8, test=1), f"{MINE} --batch_size=2 --dictionary_size=6"),
        (
            _summary("my data/it's", train=320, test=1),
            "'--data_dir=my data/it'\"'\"'s' '--run_dir=runs/it'\"'\"'s'",
        ),
        (
            _summary("gs://a/mine/", train=320, test=1),
            "--data_dir=gs://a/mine/ --run_dir=runs/mine",
        ),
        (_summary(train=3, test=1), None),
        (_summary(test=8), None),
        (_summary(train=0, test=8), None),
        (_summary(train=(8, "audio", 0), test=(2, "audio", 0)), None),
        (_summary(all=8), None),
    ],
)
def test_the_next_command_is_one_that_works(summary, arguments):
    text = prepare_report.summary_text(summary)
    last = text.splitlines()[-1]
    if arguments is None:
        assert "train.py" not in text
    else:
        assert last.startswith("Next: ") and last.endswith(f"configs/pretrain.cfg {arguments}")
    assert ("--test_fraction" in text) == (arguments or "").endswith("--eval_split=")


def test_contents_are_told_in_words():
    lines = prepare_report.contents_text(_summary(train=(8, "both", 1), test=8)).splitlines()
    assert lines[1].endswith("8 x 8, 10 frames a second, at least 1 frame a clip; audio at 8000 Hz")
    assert lines[2].endswith("at least 9 frames a clip; audio at 8000 Hz")
    assert lines[-1] == "Left out as unusable or filtered: nothing."
    (line,) = prepare_report.contents_text(_summary(test=0)).splitlines()[1:2]
    assert line.split()[:2] == ["test", "0"] and line.split()[-1] == "-"


def test_the_next_command_knows_the_sizes_of_its_flag_file():
    lines = (ROOT / "configs" / prepare_report.CONFIGURATION).read_text().splitlines()
    for flag in (
        f"--batch_size={prepare_report.BATCH_SIZE}",
        f"--dictionary_size={prepare_report.DICTIONARY_SIZE}",
        f"--num_frames={prepare_report.NUM_FRAMES}",
        "--frame_stride=1",
    ):
        assert flag in lines


def test_folders_that_cannot_be_listed_count_as_failures(tmp_path):
    root, data = tmp_path / "videos", tmp_path / "data"
    for name in ("train/dog/1.mp4", "train/cat/2.mp4", "test/cat/3.mp4", "test/dog/4.mp4"):
        write_clip(root / name, 1.0)
    (root / "notes.txt").write_text("x")
    with closed(root / "train" / "cat", root / "test" / "dog"), unprivileged(tmp_path):
        catalog = catalogs.from_folder(str(root))
    settings = shard_writing.PrepareSettings(**SETTINGS)
    with pytest.raises(prepare.TooManyFailuresError, match="2 of 2 videos") as error:
        prepare.prepare(catalog, str(data), settings, NO_FAILURE)
    assert error.value.failures == {"unlisted": ["test/dog", "train/cat"]}
    summary = prepare.prepare(catalog, str(data), settings, EXECUTION)
    held = {split: manifest.failures for split, manifest in summary.manifests.items()}
    assert held == {"train": {"unlisted": ["train/cat"]}, "test": {"unlisted": ["test/dog"]}}
    text = prepare_report.summary_text(summary)
    assert "\nSplits from folders: train, test; classes: 2.\n" in text
    assert "2  unlisted (the folder cannot be listed, so that nothing in it was taken): " in text
    assert "\nNot taken: 1 .txt (notes.txt).\n" in text


def test_work_goes_on_where_it_stopped(videos, tmp_path):
    seed = stop_in_the_middle(videos, tmp_path / "data")
    assert os.listdir(tmp_path / "data") == [".partial"]
    partial = tmp_path / "data" / ".partial"
    done = [json.loads(path.read_text()) for path in partial.glob("t*-*.json")]
    kept = sum(len(report["clips"]) for report in done)
    (partial / ".train-00007.tfrecord.0123.tmp").write_bytes(b"half a shard")
    summary = run(videos, tmp_path / "data", seed=seed, clips_per_shard=1)
    assert summary.made == len(GOOD) - kept < len(GOOD)
    run(videos, tmp_path / "whole", seed=seed, clips_per_shard=1)
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_an_interrupted_finish_is_finished(videos, tmp_path):
    seed = stop_in_the_middle(videos, tmp_path / "data")
    run(videos, tmp_path / "whole", seed=seed, clips_per_shard=1)
    # A shard was moved to its place already when the work stopped.
    moved = next((tmp_path / "data" / ".partial").glob("train-*.tfrecord"))
    (place,) = (
        path.name
        for path in (tmp_path / "whole" / "train").glob("*.tfrecord")
        if path.read_bytes() == moved.read_bytes()
    )
    (tmp_path / "data" / "train").mkdir()
    os.replace(moved, tmp_path / "data" / "train" / place)
    run(videos, tmp_path / "data", seed=seed, clips_per_shard=1)
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_other_settings_or_videos_are_refused(videos, tmp_path):
    run(videos, tmp_path / "data")
    before = contents(tmp_path / "data")
    with pytest.raises(records.DataError, match=r"--short_side=32 instead of 48; name another"):
        run(videos, tmp_path / "data", short_side=48)
    with pytest.raises(records.DataError, match="other videos or labels"):
        run(videos, tmp_path / "data", test_fraction=0.3)
    assert contents(tmp_path / "data") == before


def test_other_settings_are_refused_in_the_middle(videos, tmp_path):
    with pytest.raises(prepare.TooManyFailuresError):
        run(videos, tmp_path / "data", NO_FAILURE)
    with pytest.raises(records.DataError, match=r"--frame_rate=12.5 instead of 10"):
        run(videos, tmp_path / "data", frame_rate=10.0)


def test_output_folders_that_cannot_be_used(videos, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(records.DataError, match="is a file; name a new or empty folder"):
        run(videos, tmp_path / "file")
    with pytest.raises(records.DataError, match="cannot be written"):
        run(videos, tmp_path / "file" / "below")
    with pytest.raises(records.DataError, match="holds other files and no data set"):
        run(videos, tmp_path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_damaged_data_set_is_not_taken_for_whole(videos, tmp_path):
    run(videos, tmp_path / "data")
    shard = next((tmp_path / "data" / "train").glob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(records.DataError, match=r"bytes instead.*removing this folder"):
        run(videos, tmp_path / "data")


def test_two_runs_do_not_share_a_folder(videos, tmp_path):
    refused = pytest.raises(records.DataError, match="another run is writing it now")
    with plan.Lock(str(tmp_path / "data")), refused:
        run(videos, tmp_path / "data")
    assert run(videos, tmp_path / "data").made == len(GOOD)


def test_nothing_usable(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"")
    (tmp_path / "videos" / "b.mp4").write_text("no video")
    with pytest.raises(prepare.NothingUsableError, match="not one of 2 videos") as error:
        run(tmp_path / "videos", tmp_path / "data")
    assert error.value.failures == {"damaged": ["b.mp4"], "empty": ["a.mp4"]}
    assert os.listdir(tmp_path) == ["videos"]
    lines = prepare_report.failure_lines(error.value.failures)
    assert "1  empty (the file has no bytes): a.mp4" in lines


def test_csv_spans_and_a_missing_video(videos, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "video_path,start,end,label\n"
        "dog/0.mp4,0.4,1.4,b\n"
        "dog/0.mp4,1.2,,a\n"
        "dog/none.mp4,,,a\n"
        "dog/1.mp4,5,6,b\n"
    )
    catalog = catalogs.from_csv(str(path), folder=str(videos), test_fraction=0.0)
    settings = shard_writing.PrepareSettings(**SETTINGS, frame_rate=25.0)
    summary = prepare.prepare(catalog, str(tmp_path / "data"), settings, EXECUTION)
    assert summary.failures == {
        "missing": ["dog/none.mp4"],
        "too_short": ["dog/1.mp4 [5.00, 6.00)"],
    }
    spans = {}
    for serialized in read_split(tmp_path / "data" / "train"):
        context = tf.train.SequenceExample.FromString(serialized).context.feature
        spans[context["clip/start/timestamp"].int64_list.value[0]] = (
            context["clip/end/timestamp"].int64_list.value[0],
            context["clip/label/index"].int64_list.value[0],
            context["clip/label/text"].bytes_list.value[0],
        )
    assert spans == {400_000: (1_400_000, 1, b"b"), 1_200_000: (2_200_000, 0, b"a")}


def test_the_seed_draws_the_order(videos, tmp_path):
    orders = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(videos, tmp_path / name, seed=seed, test_fraction=0.0)
        orders.append(read_split(tmp_path / name / "train"))
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"test_fraction": 1.0}, "--test_fraction=1.0: must be at least 0 and below 1"),
        ({"frame_rate": 0.0}, "--frame_rate=0.0: must be in"),
        ({"short_side": 8}, "--short_side=8: must be in"),
        ({"jpeg_quality": 101}, "--jpeg_quality=101: must be in"),
        ({"silence_db": 3.0}, "--silence_db=3.0: must be in"),
        ({"clip_seconds": float("nan")}, "--clip_seconds=nan: must be in"),
        ({"min_seconds": 2.0}, "--min_seconds=2.0: must be at most --clip_seconds=1.0"),
        ({"streams": "sound"}, "--streams=sound: must be one of auto, both, video, audio"),
        ({"filters": "silent,slow"}, "--filters=silent,slow: must be some of silent, still"),
    ],
)
def test_wrong_settings_are_named_before_any_work(videos, tmp_path, changes, message):
    with pytest.raises(config.ConfigError, match=message):
        run(videos, tmp_path / "data", **changes)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "values, message",
    [
        ({"num_workers": -1}, "--num_workers=-1: must be at least 0"),
        ({"runner": "spark"}, "--runner=spark: must be one of local, dask, beam"),
        ({"clip_timeout": 0.0}, "--clip_timeout=0.0: must be above 0"),
        ({"max_failures": "many"}, "--max_failures=many: must be a number such as 12, or"),
        ({"max_failures": "-1"}, "--max_failures=-1: must be a number"),
        ({"max_failures": "101%"}, "--max_failures=101%: must be a number"),
        ({"pipeline_args": ("--runner=X",)}, "--runner=X: Beam's options, after --, need"),
    ],
)
def test_wrong_executions_are_named(values, message):
    with pytest.raises(config.ConfigError, match=message):
        prepare.Execution(**values)


@pytest.mark.parametrize(
    "text, num_videos, expected",
    [
        ("", 10, None),
        ("0", 10, 0),
        ("12", 10, 12),
        ("5%", 200, 10),
        ("2.5%", 1000, 25),
        ("0%", 7, 0),
    ],
)
def test_failure_limits(text, num_videos, expected):
    limit = prepare.Execution(max_failures=text).failure_limit(num_videos)
    assert limit == expected if expected is None else limit == pytest.approx(expected)


def test_failures_within_the_limit_do_not_stop_the_work(videos, tmp_path):
    execution = dataclasses.replace(EXECUTION, max_failures="8")
    assert run(videos, tmp_path / "data", execution).made == len(GOOD)


def test_a_missing_clip_of_the_list_is_counted_and_named(videos, tmp_path):
    catalog = catalogs.from_folder(str(videos / "dog"))
    catalog = dataclasses.replace(catalog, missing=("x/1.mp4", "x/2.mp4"))
    settings = shard_writing.PrepareSettings(**SETTINGS)
    summary = prepare.prepare(catalog, str(tmp_path / "data"), settings, EXECUTION)
    assert {manifest.missing for manifest in summary.manifests.values()} == {2}
    assert (tmp_path / "data" / "missing.txt").read_text() == "x/1.mp4\nx/2.mp4\n"
    assert "Missing: 2 clips of the data set's list" in prepare_report.summary_text(summary)


def test_duplicates_go_and_the_held_out_clip_stays(tmp_path):
    root = tmp_path / "videos"
    for index in range(4):
        write_scene(root / "train" / f"{index}.mp4", index)
    write_scene(root / "test" / "other.mp4", 5)
    for split, name in (("train", "again.mp4"), ("test", "held_out.mp4")):
        shutil.copy(root / "train" / "2.mp4", root / split / name)
    summary = run(root, tmp_path / "data", filters="silent,duplicate")
    assert summary.failures == {
        "duplicate": ["train/2.mp4 [0.00, 0.96)", "train/again.mp4 [0.00, 0.96)"]
    }
    names = {
        split: sorted(
            records.parse_example(tf.constant(record))["filename"].numpy().decode()
            for record in read_split(tmp_path / "data" / split)
        )
        for split in ("train", "test")
    }
    assert names == {
        "train": ["train/0.mp4", "train/1.mp4", "train/3.mp4"],
        "test": ["test/held_out.mp4", "test/other.mp4"],
    }
    assert sorted(os.listdir(tmp_path / "data")) == ["test", "train"]
    assert records.read_manifest(tmp_path / "data" / "train").num_shards == 3


def test_files_may_be_of_another_file_system(videos, tmp_path):
    local = run(videos / "dog", tmp_path / "data")
    remote = run(videos / "dog", "ram://prepared/dog")
    assert files.names_in("ram://prepared/dog") == sorted(os.listdir(tmp_path / "data"))
    for split, manifest in local.manifests.items():
        other = records.read_manifest(f"ram://prepared/dog/{split}")
        assert other == remote.manifests[split] == manifest
        for shard in manifest.shards:
            one, two = (
                list(tf.data.TFRecordDataset(f"{folder}/{split}/{shard['name']}"))
                for folder in (tmp_path / "data", "ram://prepared/dog")
            )
            assert [record.numpy() for record in one] == [record.numpy() for record in two]
    assert run(videos / "dog", "ram://prepared/dog").made == 0


@pytest.mark.parametrize("streams", ["video", "audio"])
def test_clips_of_one_stream(videos, tmp_path, streams):
    summary = run(videos / "dog", tmp_path / "data", streams=streams)
    for split, manifest in summary.manifests.items():
        assert manifest.streams == streams
        assert (manifest.min_frames, manifest.min_samples) == (
            (12, 0) if streams == "video" else (0, 15360)
        )
        for record in read_split(tmp_path / "data" / split):
            parsed = records.parse_example(tf.constant(record))
            lengths = len(parsed["frames_jpeg"]), len(parsed["waveform"])
            assert lengths == ((12, 0) if streams == "video" else (0, 15360))
    text = prepare_report.summary_text(summary)
    assert "tools/train.py" not in text and ("audio at" in text) == (streams == "audio")
