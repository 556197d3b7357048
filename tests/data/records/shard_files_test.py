import pytest

from actcl_tf.data.records import shard_files


@pytest.mark.parametrize(
    "names, expected",
    [
        ([], {}),
        (["manifest.json", "train", ".a.tfrecord", "a.tfrecord.tmp", "a-1-of-x", "2024-05"], {}),
        (
            ["test-00000-of-00001", "train-00001-of-00002", "train-00000-of-00002"],
            {
                "test": ["test-00000-of-00001"],
                "train": ["train-00000-of-00002", "train-00001-of-00002"],
            },
        ),
        (["a-00000-of-00001.tfrecord"], {"a": ["a-00000-of-00001.tfrecord"]}),
        (["a.tfrecord-00000-of-00001"], {"a.tfrecord": ["a.tfrecord-00000-of-00001"]}),
        (["part10.tfrecord", "part9.tfrecord"], {"part": ["part9.tfrecord", "part10.tfrecord"]}),
        (["b_1.tfrecords", "b_2.tfrecords"], {"b": ["b_1.tfrecords", "b_2.tfrecords"]}),
        (
            ["train.tfrecord", "test.tfrecord"],
            {"test": ["test.tfrecord"], "train": ["train.tfrecord"]},
        ),
        (["7.tfrecord", "00000-of-00001"], {"": ["00000-of-00001", "7.tfrecord"]}),
    ],
)
def test_shards_by_their_names(names, expected):
    assert shard_files.shards_among(names) == expected


@pytest.mark.parametrize(
    "names, expected",
    [
        ([], []),
        (["a.tfrecord", "b.tfrecord"], []),
        (["a-00000-of-00002", "a-00001-of-00002.tfrecord"], []),
        (["a-00001-of-00003"], ["2 of 3 shards are missing: 00000, 00002"]),
        (
            ["a-00009-of-00010"],
            ["9 of 10 shards are missing: 00000, 00001, 00002, 00003, 00004, ..."],
        ),
        (
            ["a-00000-of-00001", "a-00000-of-00002"],
            ["shards of different writings lie side by side: *-of-00001 and *-of-00002"],
        ),
    ],
)
def test_gaps(names, expected):
    assert shard_files.gaps_in(names) == expected
