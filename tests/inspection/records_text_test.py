import pytest

from actcl_tf.data.records import manifest, record_check, split_scan
from actcl_tf.inspection import records_text

CLIP = record_check.RecordFacts(
    frames=20,
    samples=2000,
    height=24,
    width=32,
    frame_rate=10.0,
    sample_rate=1000.0,
    start=0.0,
    seconds=2.0,
    labels=(),
    names=(),
    loudest_db=-10.0,
    clip="a",
    video="a.mp4",
    num_bytes=1500,
)
MANIFEST = manifest.Manifest(
    split="train",
    num_clips=1,
    num_shards=1,
    shards=[],
    classes=[],
    frame_rate=10.0,
    sample_rate=1000.0,
    min_frames=1,
    min_height=3,
    min_width=4,
    height=3,
    width=4,
    duration=1.0,
    tool_version="1",
)


def describe(*clips, rates=(0.0, 0.0), held=None, **changes):
    """The text on a split of these clips, each with its own name, in two shards of 2 kB."""
    named = [clip._replace(clip=f"{n}") for n, clip in enumerate(clips)]
    shards = [
        split_scan.ShardFacts("a", 2000, named[:1], []),
        split_scan.ShardFacts("b", 2000, named[1:], []),
    ]
    if held is None and changes:
        held = manifest.Manifest(**{**vars(MANIFEST), **changes})
    split = split_scan.SplitFiles("train", "/data/train", ["a", "b"], [], held)
    return records_text.describe(split, shards, *rates)


def test_a_split_without_a_manifest():
    assert describe(CLIP, CLIP, CLIP._replace(loudest_db=-41.0)).splitlines() == [
        "train: 3 clips in 2 shards, 4 kB, 0.00167 hours",
        "  lengths  all 2.00 s",
        "  video    10 frames a second; 32 x 24 (3)",
        "  audio    1000 Hz; median of the loudest 0.1 s of each clip -10 dB",
        "           1 of 3 clips nearly silent (below -40 dB)",
        "  bytes    1.5 kB a clip, 2 kB a shard; largest clip 1.5 kB",
        "  classes  no labels",
        "  manifest none; --write_manifest writes one",
    ]


def test_no_clips():
    assert describe(failures={}).splitlines() == [
        "train: 0 clips in 2 shards, 4 kB",
        "  left out nothing",
    ]


def test_what_was_left_out_and_is_missing():
    text = describe(CLIP, failures={"silent": ["a", "b", "c", "d"], "x": ["e"]}, missing=7)
    assert text.splitlines()[-3:] == [
        "  left out      4  silent (the audio is digital silence): a, b, c, ...",
        "                1  x: e",
        "  missing  7 clips of the data set's own list",
    ]


def test_lengths_that_differ():
    clips = [CLIP._replace(frames=frames) for frames in (20, 5, 20, 40)]
    assert [line[11:] for line in describe(*clips).splitlines()[1:5]] == [
        "shortest 0.50, median 2.00, longest 4.00 s",
        "0.50  ####################                     1",
        "2.00  ######################################## 2",
        "4.00  ####################                     1",
    ]
    clips = [CLIP._replace(frames=frames) for frames in range(10, 91, 1)]
    lines = [line[11:] for line in describe(*clips).splitlines()[1:10]]
    assert lines[0] == "shortest 1.00, median 5.00, longest 9.00 s"
    assert lines[1].startswith("1.00 - 2.00  ####") and lines[1].endswith(" 10")
    assert lines[8].startswith("8.00 - 9.00  ####") and lines[8].endswith(" 11")


@pytest.mark.parametrize(
    "clip, rates, line",
    [
        (CLIP._replace(frame_rate=0.0), (5.0, 0.0), "all 4.00 s"),
        (CLIP._replace(frame_rate=0.0), (0.0, 0.0), "all 2.00 s"),
        (CLIP._replace(frames=0, sample_rate=0.0), (0.0, 500.0), "all 4.00 s"),
        (CLIP._replace(frames=0, sample_rate=0.0), (0.0, 0.0), "all 2.00 s"),
        (
            CLIP._replace(frame_rate=0.0, sample_rate=0.0, seconds=0.0),
            (0.0, 0.0),
            "all 20 frames",
        ),
        (
            CLIP._replace(frames=0, sample_rate=0.0, seconds=0.0),
            (0.0, 0.0),
            "all 2000 samples",
        ),
    ],
)
def test_lengths_where_rates_are_not_known(clip, rates, line):
    assert f"  lengths  {line}" in describe(clip, rates=rates).splitlines()


def test_streams_that_some_clips_lack_and_sizes():
    lines = describe(
        CLIP,
        CLIP._replace(samples=0, loudest_db=None, sample_rate=0.0),
        *[CLIP._replace(height=30 + i, frame_rate=0.0) for i in range(4)],
    ).splitlines()
    assert "           1 clips lack audio" in lines
    assert any("unknown or 10 frames a second; 32 x 24 (2)" in line for line in lines)
    assert any(line.endswith(", 1 more sizes") for line in lines)
    silent = describe(CLIP._replace(samples=0, loudest_db=None))
    assert "audio" not in silent
    assert "video" not in describe(CLIP._replace(frames=0))


def test_classes_by_size():
    several = CLIP._replace(labels=(0, 1), names=("a", "b"))
    lines = describe(
        *[CLIP._replace(labels=(0,), names=("a",))] * 3,
        several,
        CLIP._replace(labels=(2,)),
        CLIP._replace(names=("loose",)),
        CLIP,
        classes=["a", "b", "cat", "d", "e"],
    ).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("  classes"))
    assert lines[start : start + 7] == [
        "  classes  4 of 5 have clips here; the largest is 4 times the smallest",
        "           a          4   57.1 %",
        "           b          1   14.3 %",
        "           cat        1   14.3 %",
        "           loose      1   14.3 %",
        "           1 clips have several",
        "           1 clips have none",
    ]


def test_many_classes():
    clips = [CLIP._replace(labels=(n,), names=(f"c{n:02d}",)) for n in range(12)]
    lines = describe(*clips, clips[3]).splitlines()
    assert "           c03      2   15.4 %" in lines
    assert "           and 2 more, down to 1" in lines
    assert describe(CLIP._replace(labels=(0,))).count("class 0      1  100.0 %") == 1


def test_clips_that_are_there_twice():
    shard = split_scan.ShardFacts("a", 1, [CLIP, CLIP, CLIP._replace(clip="b")], [])
    split = split_scan.SplitFiles("train", "/data/train", ["a"], [])
    text = records_text.describe(split, [shard], 0.0, 0.0)
    assert "  twice    1 clips have the name of another: a" in text.splitlines()


def test_clips_and_videos_that_splits_share():
    def shards(*clips):
        return [
            split_scan.ShardFacts("s", 1, [CLIP._replace(clip=c, video=v) for c, v in clips], [])
        ]

    found = {
        "train": shards(("1", "x"), ("2", "x"), ("3", "")),
        "test": shards(("1", "x"), ("4", "")),
        "val": shards(("5", "y")),
    }
    assert records_text.common_clips(found) == [
        "test and train share 1 clips: 1",
        "test and train share 1 videos: x",
    ]
    assert records_text.common_clips({"train": found["train"]}) == []
