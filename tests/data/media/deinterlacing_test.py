from fractions import Fraction

import av
import numpy as np

from actcl_tf.data.media.deinterlacing import Deinterlacer
from tests.media_files import grey, write_frames


def still_frames(num, size=(48, 64), pix_fmt="yuv420p"):
    for index in range(num):
        image = grey(100 + index, size)
        frame = av.VideoFrame.from_ndarray(image).reformat(format=pix_fmt)
        frame.pts, frame.time_base = 10 * index, Fraction(1, 250)
        yield frame


def interlaced_frames(path, num, size=(48, 64)):
    frames = list(still_frames(num, size))
    write_frames(path, frames, options={"x264-params": "tff=1"})
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def shown(frames):
    return [
        (
            round(float(frame.pts * frame.time_base), 6),
            round(frame.to_ndarray(format="gray").mean()),
        )
        for frame in frames
    ]


def test_frames_that_are_whole_pass_at_once():
    deinterlacer = Deinterlacer()
    for frame in still_frames(5):
        assert deinterlacer.push(frame) == [frame]
    assert deinterlacer.finish() == []


def test_interlaced_frames_keep_number_order_and_time(tmp_path):
    frames = list(interlaced_frames(tmp_path / "a.mkv", 10))
    assert all(frame.interlaced_frame for frame in frames)
    expected = shown(frames)
    deinterlacer = Deinterlacer()
    given = [whole for frame in frames for whole in deinterlacer.push(frame)]
    assert len(given) == 9  # One behind.
    given += deinterlacer.finish()
    assert [time for time, _ in shown(given)] == [time for time, _ in expected]
    levels = np.array([[level for _, level in shown(given)], [level for _, level in expected]])
    np.testing.assert_allclose(levels[0], levels[1], atol=1)
    assert deinterlacer.finish() == []


def test_another_size_starts_anew(tmp_path):
    small = list(interlaced_frames(tmp_path / "a.mkv", 3))
    large = list(interlaced_frames(tmp_path / "b.mkv", 3, (96, 128)))
    deinterlacer = Deinterlacer()
    given = [whole for frame in small + large for whole in deinterlacer.push(frame)]
    given += deinterlacer.finish()
    assert [frame.height for frame in given] == [48] * 3 + [96] * 3


def test_frames_too_small_for_the_filter_pass(tmp_path):
    frames = list(interlaced_frames(tmp_path / "a.mkv", 3, (48, 2)))
    deinterlacer = Deinterlacer()
    assert [whole for frame in frames for whole in deinterlacer.push(frame)] == frames
