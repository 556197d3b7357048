"""Bad records: each kind is named, left out alone, and a restart goes on with the next clip."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import bad_clip_search, pipeline, skip_ledger, slots, tagged_errors
from actcl_tf.data.records import clip_order, records, shards
from tests import split_files

NUM_CLIPS, NUM_SHARDS, BATCH = 24, 3, 4
IN_A_SHARD = NUM_CLIPS // NUM_SHARDS


def _write(folder):
    examples = [split_files.ramp_clip(f"{i:02d}", num_frames=6, label=i) for i in range(NUM_CLIPS)]
    return split_files.write_split(folder, "train", examples, NUM_SHARDS)


@pytest.fixture
def split(tmp_path):
    """24 clips in 3 shards: clip number i is in shard i // 8; the folder and the shards."""
    return tmp_path, _write(tmp_path)


def _flip(path, number):
    """Turns a bit in the middle of a record."""
    offsets, end = shards.record_offsets(path)
    content = bytearray(path.read_bytes())
    content[sum([*offsets, end][number : number + 2]) // 2] ^= 4
    path.write_bytes(content)


def _cut(path, number):
    """Cuts a shard off in the middle of a record."""
    offsets, end = shards.record_offsets(path)
    path.write_bytes(path.read_bytes()[: sum([*offsets, end][number : number + 2]) // 2])


def _rewrite(path, number, record):
    """Puts another record, of the right checksum, into a shard."""
    kept = [raw.numpy() for raw in tf.data.TFRecordDataset(str(path))]
    kept[number] = record
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in kept:
            writer.write(each)


def _bad_jpeg(path, number):
    kept = [raw.numpy() for raw in tf.data.TFRecordDataset(str(path))]
    example = tf.train.SequenceExample.FromString(kept[number])
    for feature in example.feature_lists.feature_list[records.IMAGE].feature:
        jpeg = bytearray(feature.bytes_list.value[0])
        jpeg[-60:-2] = b"\xff\xc4" * 29  # In the image data: the head and the end are right.
        feature.bytes_list.value[0] = bytes(jpeg)
    _rewrite(path, number, example.SerializeToString())


# What is done to record 3 of shard 1; which of its records are lost; what is said of them.
DAMAGES = {
    "bit": (lambda path: _flip(path, 3), [3], "its checksum is wrong"),
    "cut": (lambda path: _cut(path, 3), [3, 4, 5, 6, 7], "the file is cut off after 3 whole"),
    "gone": (lambda path: path.unlink(), list(range(8)), "the file is missing"),
    "foreign": (lambda path: _rewrite(path, 3, b"\xff\x00?"), [3], "is no tf.train.SequenceEx"),
    "empty": (lambda path: _rewrite(path, 3, b""), [3], "holds neither image/encoded nor"),
    "jpeg": (lambda path: _bad_jpeg(path, 3), [3], "JPEG"),
    "short": (
        lambda path: _rewrite(
            path, 3, split_files.ramp_clip("short", num_frames=1).SerializeToString()
        ),
        [3],
        "too few frames",
    ),
}


def _make_clip(epoch, record):
    """The number of a clip, and its frames, of which it must have two."""
    clip = records.parse_example(record)
    enough = tf.debugging.assert_greater(tf.size(clip["frames_jpeg"]), 1, "too few frames")
    with tf.control_dependencies([enough]):
        frames = tf.stack([tf.io.decode_jpeg(clip["frames_jpeg"][i], 3) for i in range(2)])
    return {"label": clip["label"], "epoch": epoch, "frames": frames}


@functools.cache
def _traced():
    specs = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)
    return tf.function(_make_clip).get_concrete_function(*specs)


def _slots(paths, seed=0):
    names = [str(path) for path in paths]
    order = clip_order.ClipOrder(names, [IN_A_SHARD] * NUM_SHARDS, seed, 0, 8)
    return slots.Slots(order, _traced())


def _labels(split_slots, skipping, num_clips, start=0):
    clips = skipping.clips(split_slots, 4, start=start).take(num_clips)
    return [int(clip["label"]) for clip in clips]


def _config(folder, **changes):
    values = {"num_frames": 4, "image_size": 16, "shuffle_buffer": 8, "color_jitter": 0.0}
    return DataConfig(data_dir=str(folder), **{**values, **changes})


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    """The numbers of the clips of two epochs and a half, as training without damage takes them."""
    folder = tmp_path_factory.mktemp("whole")
    _write(folder)
    config = _config(folder)
    dataset = pipeline.build_train_dataset(config, batch_size=BATCH, seed=0)
    return [label for batch in dataset.take(15) for label in batch["label"].numpy()]


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_what_is_bad_is_left_out_and_named(split, order, tmp_path, capfd, damage):
    _, paths = split
    do, lost, why = DAMAGES[damage]
    do(paths[1])
    bad = {IN_A_SHARD + number for number in lost}
    ledger = tmp_path / "ledger.jsonl"
    skipping, split_slots = skip_ledger.SkipLedger(ledger), _slots(paths)
    left = [label for label in order if label not in bad]
    assert _labels(split_slots, skipping, len(left)) == left
    # What comes next may have been looked at already, or not.
    assert sum(label in bad for label in order) <= skipping.times <= 4 * len(bad)
    assert skipping.num_records == len(bad)
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len(lines) == skipping.times
    assert {(line["shard"], line["record"]) for line in lines} == {
        (str(paths[1]), number) for number in lost
    }
    assert all(why in line["why"] and "\n" not in line["why"] for line in lines)
    for line in lines:
        if line["slot"] < len(order):
            assert order[line["slot"]] == IN_A_SHARD + line["record"]
    said = capfd.readouterr().err
    assert said.count(f"left out: {paths[1]}, record ") == min(len(lost), 5)
    assert ("and more; all of them: " in said) == (len(lost) > 5)

    first = next(place for place, label in enumerate(order) if label in bad)
    found = bad_clip_search.find(split_slots, 0, NUM_CLIPS)
    assert found.startswith(f"{paths[1]}, record {order[first] - IN_A_SHARD}: ")
    assert why in found
    assert bad_clip_search.find(split_slots, 0, first) == ""


@pytest.mark.parametrize("start, harmed_at", [(0, 99), (24, 99), (37, 99), (55, 20)])
def test_a_restart_goes_on_with_the_next_clip(split, tmp_path, start, harmed_at):
    """Of damage that was there from the first, and of more that came in an epoch before."""
    _, paths = split
    _flip(paths[0], 0)
    _bad_jpeg(paths[2], 5)
    ledger, split_slots = tmp_path / "ledger.jsonl", _slots(paths)
    skipping = skip_ledger.SkipLedger(ledger, tell=False)
    labels = []
    for clip in skipping.clips(split_slots, 4).take(64):
        if len(labels) == harmed_at:
            _flip(paths[1], 6)
        labels.append(int(clip["label"]))
    account = skipping.times
    again = skip_ledger.SkipLedger(ledger, tell=False)
    assert again.times == account
    assert _labels(split_slots, again, 64 - start, again.start_of(start)) == labels[start:]
    assert abs(again.times - account) <= 3  # What comes after the last clip may be read or not.


@pytest.mark.parametrize("start", [0, 5, NUM_CLIPS - 1, NUM_CLIPS, 2 * NUM_CLIPS - 1])
def test_nothing_changes_where_nothing_is_bad(split, order, start):
    skipping = skip_ledger.SkipLedger()
    assert _labels(_slots(split[1]), skipping, len(order) - start, start) == order[start:]
    assert skipping.times == skipping.num_records == 0
    assert bad_clip_search.find(_slots(split[1]), start, NUM_CLIPS) == ""


def test_batches_are_cut_from_the_clips_that_are_left(split, order, tmp_path):
    folder, paths = split
    _flip(paths[1], 3)
    left = [label for label in order if label != IN_A_SHARD + 3]
    for start_step in (0, 7):
        skipping = skip_ledger.SkipLedger(tmp_path / "ledger.jsonl", tell=False)
        batches = pipeline.build_train_dataset(
            _config(folder), batch_size=BATCH, seed=0, start_step=start_step, skipping=skipping
        )
        found = [label for batch in batches.take(6) for label in batch["label"].numpy()]
        assert found == left[start_step * BATCH :][: 6 * BATCH]
    found = bad_clip_search.find_bad_clip(
        _config(folder), seed=0, start_clip=0, num_clips=NUM_CLIPS
    )
    assert found == f"{paths[1]}, record 3: its checksum is wrong"


def test_start_of_counts_the_empty_slots_before():
    """Slots 2, 3 and 7 are empty: clips stand in 0 1 4 5 6 8 9 ..."""
    skipping = skip_ledger.SkipLedger()
    rows = [(0, 0), (1, 1), (2, 4), (3, 5), (4, 6), (5, 8), (6, 9)]
    for used, slot in rows:
        skipping._lines = {s: {"shard": "a", "record": s, "slot": s} for s in (2, 3, 7)}
        assert skipping.start_of(used) == slot
        assert skipping.times == sum(s < slot for s in (2, 3, 7))


def test_a_line_that_was_cut_off_is_forgotten(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    line = {"slot": 4, "shard": "a", "record": 1, "why": "x"}
    ledger.write_text(json.dumps(line) + "\n" + '{"slot": 5, "sha')
    assert skip_ledger.SkipLedger(ledger).times == 1


def test_an_epoch_without_a_good_clip_ends_it(split):
    _, paths = split
    for path in paths:
        path.unlink()
    with pytest.raises(tf.errors.OpError) as failure:
        _labels(_slots(paths), skip_ledger.SkipLedger(tell=False), 3)
    told = tagged_errors.message_of(failure.value, skip_ledger.TAG)
    assert told.startswith("--on_bad_record=skip: none of the 24 clips could be read")
    assert "the file is missing" in told
    assert tagged_errors.message_of(ValueError("other"), skip_ledger.TAG) == ""


def test_pools_and_probes_leave_out_as_well(split):
    folder, paths = split
    _flip(paths[1], 3)
    skipping = skip_ledger.SkipLedger(tell=False)
    pool = pipeline.build_random_dataset(
        _config(folder), num_clips=20, batch_size=8, seed=0, epoch=0, skipping=skipping
    )
    labels = np.concatenate([batch["label"] for batch in pool])
    assert len(set(labels)) == len(labels) == 20 and 11 not in labels
    probe = pipeline.build_eval_dataset(
        _config(folder), split="train", batch_size=7, num_windows=1, skipping=skipping
    )
    labels = np.concatenate([batch["label"] for batch in probe])
    np.testing.assert_array_equal(labels, [i for i in range(NUM_CLIPS) if i != 11])


def test_read_record(split, tmp_path):
    _, paths = split
    expected = [raw.numpy() for raw in tf.data.TFRecordDataset(str(paths[0]))]
    _flip(paths[0], 2)
    for number in (0, 1, 3, 7):
        assert shards.read_record(paths[0], number) == expected[number]
    for number, path, why in [
        (2, paths[0], "its checksum is wrong"),
        (8, paths[0], "the file is cut off after 8 whole records"),
        (0, tmp_path / "none", "the file is missing"),
    ]:
        with pytest.raises(records.DataError, match=why):
            shards.read_record(path, number)
