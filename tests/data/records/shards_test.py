"""Streams of raw records: checks on opening, order, shuffling, restarts."""

import pytest
import tensorflow as tf

from actcl_tf.data.records import clip_order, records, shards
from tests import split_files

NUM_CLIPS, NUM_SHARDS = 40, 4


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """40 clips in 4 shards: clip number i is in shard i // 10."""
    folder = tmp_path_factory.mktemp("shards")
    examples = [split_files.ramp_clip(f"{index:02d}", num_frames=2) for index in range(NUM_CLIPS)]
    paths = split_files.write_split(folder, "train", examples, NUM_SHARDS)
    return folder, [str(path) for path in paths]


def _stream(paths, count, *, seed=0, stream=0, start=0, shuffle_buffer=64):
    """(epoch, number of the clip) of the first records of a stream."""
    clips = [NUM_CLIPS // NUM_SHARDS] * NUM_SHARDS
    order = clip_order.ClipOrder(paths, clips, seed, stream, shuffle_buffer)
    found = []
    for epoch, record in order.records(start).take(count):
        name = records.parse_example(record)["example_id"]
        found.append((int(epoch), int(name.numpy())))
    return found


def test_every_clip_once_an_epoch_and_another_order_in_each(split):
    found = _stream(split[1], 3 * NUM_CLIPS)
    orders = []
    for epoch in range(3):
        part = found[epoch * NUM_CLIPS : (epoch + 1) * NUM_CLIPS]
        assert {number for number, _ in part} == {epoch}
        orders.append([clip for _, clip in part])
        assert sorted(orders[-1]) == list(range(NUM_CLIPS))
    assert len({tuple(order) for order in orders}) == 3


def test_shuffling_reaches_over_all_shards(split):
    for seed in range(3):
        order = [clip for _, clip in _stream(split[1], NUM_CLIPS, seed=seed)]
        for part in range(4):
            assert len({clip // 10 for clip in order[part * 10 : part * 10 + 10]}) >= 3
        assert sorted(order[:10]) != order[:10]


def test_a_small_buffer_still_mixes_the_shards(split):
    """With a buffer of one record the order is that of reading: shards by turns, in drawn order."""
    first_shards = set()
    for seed in range(8):
        order = [clip for _, clip in _stream(split[1], NUM_CLIPS, seed=seed, shuffle_buffer=1)]
        assert {clip // 10 for clip in order[:4]} == {0, 1, 2, 3}
        assert sorted(order) == list(range(NUM_CLIPS))
        first_shards.add(order[0] // 10)
    assert len(first_shards) > 1


@pytest.mark.parametrize("start", [1, NUM_CLIPS - 1, NUM_CLIPS, NUM_CLIPS + 7, 5 * NUM_CLIPS])
def test_a_stream_can_be_entered_anywhere(split, start):
    whole = _stream(split[1], start + 15)
    assert _stream(split[1], 15, start=start) == whole[start:]


def test_order_depends_on_seed_and_stream_only(split):
    order = _stream(split[1], 20)
    assert _stream(split[1], 20, seed=1) != order
    assert _stream(split[1], 20, stream=1) != order
    try:
        tf.random.set_seed(1234)
        assert _stream(split[1], 20) == order
    finally:
        tf.random.set_seed(0)
    assert _stream(split[1], 20) == order


def test_ordered_records_keep_the_stored_order(split):
    names = [
        records.parse_example(record)["example_id"].numpy()
        for record in tf.data.TFRecordDataset(split[1])
    ]
    assert names == [b"%02d" % index for index in range(NUM_CLIPS)]


def test_open_split_gives_the_shards_in_order(split):
    manifest, paths = shards.open_split(split[0], "train")
    assert manifest.num_clips == NUM_CLIPS
    assert paths == split[1]


def test_count_records(split, tmp_path):
    assert [shards.count_records(path) for path in split[1]] == [10, 10, 10, 10]
    empty = tmp_path / "empty.tfrecord"
    empty.touch()
    assert shards.count_records(empty) == 0


@pytest.mark.parametrize("cut", [1, 5, 2000])
def test_count_records_refuses_a_cut_file(split, tmp_path, cut):
    with open(split[1][0], "rb") as file:
        content = file.read()
    path = tmp_path / "cut.tfrecord"
    path.write_bytes(content[:-cut])
    with pytest.raises(records.DataError, match=rf"{path} is cut off after 9 whole records"):
        shards.count_records(path)


def _small_split(tmp_path, sizes, num_clips=4):
    examples = [split_files.ramp_clip(f"{i}", num_frames=2) for i in range(num_clips)]
    return split_files.write_split(tmp_path, "train", examples, 2, sizes=sizes)


@pytest.mark.parametrize("sizes", [True, False])
def test_open_split_names_a_shard_that_is_cut_short_or_gone(tmp_path, sizes):
    """With sizes in the manifest, and without them by counting records."""
    path = _small_split(tmp_path, sizes)[1]
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(records.DataError, match=path.name):
        shards.open_split(tmp_path, "train")
    path.write_bytes(content[: len(content) // 2])  # Whole records, but too few of them.
    with pytest.raises(records.DataError, match=path.name):
        shards.open_split(tmp_path, "train")
    path.write_bytes(b"")
    with pytest.raises(records.DataError, match=path.name):
        shards.open_split(tmp_path, "train")
    path.unlink()
    with pytest.raises(records.DataError, match=path.name):
        shards.open_split(tmp_path, "train")


def test_open_split_refuses_what_does_not_add_up(tmp_path):
    _small_split(tmp_path / "a", True)
    manifest = records.read_manifest(tmp_path / "a" / "train")
    manifest.num_clips = 7
    records.write_manifest(tmp_path / "a" / "train", manifest)
    with pytest.raises(records.DataError, match=r"\(4\), got num_clips=7"):
        shards.open_split(tmp_path / "a", "train")
    split_files.write_split(tmp_path / "b", "train", [], 1)
    with pytest.raises(records.DataError, match=r"b/train.* clip"):
        shards.open_split(tmp_path / "b", "train")
    with pytest.raises(records.DataError, match="prepare_data"):
        shards.open_split(tmp_path / "nothing", "train")


def test_find_damage_names_the_shard(tmp_path):
    path = _small_split(tmp_path, True)[1]
    assert shards.find_damage(tmp_path, "train") == ""
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    shards.open_split(tmp_path, "train")  # The size alone cannot show it.
    found = shards.find_damage(tmp_path, "train")
    assert found.startswith(f"{path} is damaged after 1 whole records")
