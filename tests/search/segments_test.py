"""Windows of what a decoder cut, and segments of windows of video and audio."""

import numpy as np
import pytest

from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.search import segments
from actcl_tf.search.segments import AUDIO, VIDEO, Shape, Window

SHAPE = Shape(num_frames=4, frame_rate=10.0, sample_rate=100, short_side=16)


def videos(start, names):
    return MediaClip(start, start + len(names) / 10, [n.encode() for n in names], None, 16, 20)


def audio(start, first, num):
    wave = np.arange(first, first + num, dtype=np.float32)
    return MediaClip(start, start + num / 100, [], wave, 0, 0)


def shown(found):
    return [
        (round(each.start, 6), b"".join(each.content).decode())
        if isinstance(each, Window)
        else each.reason
        for each in found
    ]


@pytest.mark.parametrize(
    "pieces, expected",
    [
        ([], []),
        ([videos(0, "abcd")], [(0, "abcd")]),
        ([videos(0, "abcd"), videos(0.4, "efgh")], [(0, "abcd"), (0.4, "efgh")]),
        # The last window is moved back to the end.
        ([videos(0, "abcd"), videos(0.4, "e")], [(0, "abcd"), (0.1, "bcde")]),
        ([videos(0.05, "abcd"), videos(0.45, "efg")], [(0.05, "abcd"), (0.35, "defg")]),
        ([videos(0, "abc")], ["too_short"]),
        # Nothing good to move it back over.
        ([Rejected(0, 0.4, "damaged"), videos(0.4, "e")], ["damaged", "too_short"]),
        (
            [videos(0, "abcd"), Rejected(0.4, 0.8, "damaged"), videos(0.8, "efgh")],
            [(0, "abcd"), "damaged", (0.8, "efgh")],
        ),
    ],
)
def test_windows_of_video(pieces, expected):
    assert shown(segments.windows(pieces, VIDEO, SHAPE)) == expected


@pytest.mark.parametrize("rest", [1, 17, 39])
def test_the_last_window_of_audio_ends_with_the_audio(rest):
    found = list(segments.windows([audio(0, 0, 40), audio(0.4, 40, rest)], AUDIO, SHAPE))
    assert [round(window.start, 6) for window in found] == [0, rest / 100]
    np.testing.assert_array_equal(found[1].content, np.arange(rest, rest + 40))


def test_audio_that_is_a_sample_longer_is_cut():
    (found,) = segments.windows([audio(0, 0, 41)], AUDIO, SHAPE)
    assert len(found.content) == SHAPE.num_samples == 40


@pytest.mark.parametrize(
    "seen, heard, expected",
    [
        ([], [], ""),
        ([0, 1], [], "0.0p 1.0p"),
        ([], [0, 1], "0.0s 1.0s"),
        ([0, 1, 2], [0, 1, 2], "0.0ps 1.0ps 2.0ps"),
        ([0, 1, 2], [1], "0.0p 1.0ps 2.0p"),
        # Less than half a window apart is one segment, half a window is not.
        ([0, 1], [0.4, 1.4], "0.0ps 1.0ps"),
        ([0.4, 1.4], [0, 1], "0.4ps 1.4ps"),
        ([0], [0.5], "0.0p 0.5s"),
        ([0.5], [0], "0.0s 0.5p"),
        ([5, 6], [0, 1, 6.2, 9], "0.0s 1.0s 5.0p 6.0ps 9.0s"),
    ],
)
def test_what_begins_together_is_one_segment(seen, heard, expected):
    found = segments.pair(seen, heard, 1.0)
    assert " ".join(f"{m.start:.1f}{'p' * m.has_video}{'s' * m.has_audio}" for m in found) == (
        expected
    )


def test_every_window_is_in_one_segment_in_order(rng):
    for _ in range(50):
        seen, heard = (np.sort(rng.uniform(0, 20, rng.integers(0, 12))) for _ in range(2))
        found = segments.pair(list(seen), list(heard), 1.0)
        assert sum(m.has_video for m in found) == len(seen)
        assert sum(m.has_audio for m in found) == len(heard)
        assert [m.start for m in found if m.has_video] == list(seen)
        assert all(m.has_video or m.has_audio for m in found)
        alone = [m.start for m in found if not m.has_video]
        assert alone == sorted({*alone} & {*heard})
