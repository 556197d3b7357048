import dataclasses
import io
import itertools
import math

import av
import numpy as np
import pytest
from PIL import Image

from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.data.media.containers import media
from tests.media_files import grey, tone, turn_in_mp4, write_clip, write_media
from tests.media_reading import read


def pixels(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def levels(clip):
    return np.array([pixels(frame).mean() for frame in clip.frames_jpeg])


def event_file(path, event, *, seconds=3.0, video_start=0.0, sound_start=0.0, times=None, **kwargs):
    """Dark and soft before `event` (seconds on the axis of presentation), bright and loud after."""
    rate = kwargs.setdefault("sample_rate", 16000)
    if times is None:
        times = [video_start + i / 25 for i in range(round(seconds * 25))]
    frames = [grey(220 if time >= event - 1e-6 else 30) for time in times]
    heard = sound_start + np.arange(round(seconds * rate)) / rate
    sound = tone(seconds, rate, 1000) * np.where(heard >= event, 1.0, 0.01)
    return write_media(
        path, frames=frames, times=times, sounds=[sound], sound_start=sound_start, **kwargs
    )


def onsets(clip, frame_rate=25.0, rate=16000):
    """Seconds on the axis of presentation: of the first bright frame, of the first loud sample."""
    bright = int(np.argmax(levels(clip) > 125))
    loud = int(np.argmax(np.abs(clip.waveform) > 0.1))
    return clip.start + bright / frame_rate, clip.start + loud / rate


VARIED = np.cumsum([0.0, *([0.02] * 30), *([0.1] * 9), *([0.04] * 30), *([0.2] * 4)])


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("plain.mp4", {}),
        ("plain.mkv", {}),
        ("plain.webm", {"video_codec": "libvpx", "sample_rate": 48000}),
        ("plain.avi", {"video_codec": "mpeg4", "sound_codec": "pcm_s16le"}),
        ("plain.mov", {"sound_codec": "pcm_s16le", "sample_rate": 44100}),
        ("late_sound.mp4", {"sound_start": 0.5}),
        ("late_sound.mkv", {"sound_start": 0.5}),
        ("late_picture.mp4", {"video_start": 0.48}),
        ("late_picture.mkv", {"video_start": 0.48}),
        ("both_late.mkv", {"video_start": 0.4, "sound_start": 0.32}),
        ("varied_rate.mp4", {"times": VARIED}),
        ("varied_rate.mkv", {"times": VARIED}),
    ],
)
def test_picture_and_sound_meet_on_the_axis_of_presentation(tmp_path, name, kwargs):
    event = 1.5
    path = event_file(tmp_path / name, event, **kwargs)
    (clip,) = read(path)
    # The file's own zero is the container's first time stamp.
    with av.open(str(path)) as container:
        zero = (container.start_time or 0) / 1e6
    times = np.asarray(kwargs.get("times", kwargs.get("video_start", 0.0) + np.arange(75) / 25))
    shown = times[times >= event - 1e-9][0] - zero
    picture, sound = onsets(clip)
    # A frame is late by less than its duration at the target rate, never early.
    assert -0.002 <= picture - shown < 0.04
    assert abs(sound - (event - zero)) < 0.003
    assert clip.waveform.shape == (len(clip.frames_jpeg) * 640,)
    assert clip.end - clip.start == pytest.approx(len(clip.frames_jpeg) / 25)
    late = max(kwargs.get("video_start", 0.0), kwargs.get("sound_start", 0.0))
    if path.suffix == ".mp4":
        # AAC in MP4 with a late start plays its 64 ms of priming, before the sound.
        assert late - 0.066 <= clip.start + zero <= late + 0.001


@pytest.mark.parametrize("frame_rate, expected", [(25.0, 50), (12.5, 25), (10.0, 20), (50.0, 100)])
def test_frames_are_those_shown_at_each_instant(tmp_path, frame_rate, expected):
    ramp = [grey(20 + 4 * i) for i in range(50)]
    path = write_media(tmp_path / "ramp.mp4", frames=ramp, sounds=[tone(2)])
    (clip,) = read(path, frame_rate=frame_rate)
    assert len(clip.frames_jpeg) == expected
    # Instants that fall on a frame's time stamp show that frame.
    shown = np.floor(np.arange(expected) / frame_rate * 25 + 1e-6)
    np.testing.assert_allclose(levels(clip), 20 + 4 * shown, atol=2.5)
    assert clip.waveform.shape == (32000,)


def test_waveform_keeps_pitch_and_loudness_through_resampling(tmp_path):
    stereo = np.stack([tone(2, 44100, 440, 0.6), tone(2, 44100, 440, 0.2)])
    path = write_clip(
        tmp_path / "a.mov",
        sounds=[stereo],
        sample_rate=44100,
        sound_codec="pcm_s16le",
        layout="stereo",
    )
    (clip,) = read(path)
    middle = clip.waveform[4000:-4000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * 16000 / middle.size == pytest.approx(440, abs=1)
    assert np.max(np.abs(middle)) == pytest.approx(0.4, rel=0.02)
    expected = 0.4 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    np.testing.assert_allclose(middle, expected[4000:-4000], atol=0.01)


def test_surround_sound_becomes_mono_within_range(tmp_path):
    sound = np.stack([tone(2, 48000, 200 + 50 * i, 0.95) for i in range(6)])
    path = write_clip(
        tmp_path / "a.mkv", sounds=[sound], sample_rate=48000, sound_codec="flac", layout="5.1"
    )
    (clip,) = read(path)
    assert clip.waveform.dtype == np.float32
    assert 0.5 < np.max(np.abs(clip.waveform)) <= 1.0
    assert np.mean(np.abs(clip.waveform) > 0.99) < 0.001  # The mix is not clipped.


def test_the_first_of_several_sounds_is_taken(tmp_path):
    path = write_clip(tmp_path / "a.mp4", sounds=[tone(2, frequency=300), tone(2, frequency=2000)])
    (clip,) = read(path)
    spectrum = np.abs(np.fft.rfft(clip.waveform))
    assert np.argmax(spectrum) / 2 == pytest.approx(300, abs=2)


def test_long_videos_are_cut_without_loss_or_overlap(tmp_path):
    frames = [grey(20 + 2 * i) for i in range(110)]
    path = write_media(tmp_path / "a.mp4", frames=frames, sounds=[tone(4.4)])
    whole = read(path)
    pieces = read(path, clip_seconds=1.0, min_seconds=0.4)
    assert [len(piece.frames_jpeg) for piece in pieces] == [25, 25, 25, 25, 10]
    assert [jpeg for piece in pieces for jpeg in piece.frames_jpeg] == whole[0].frames_jpeg
    joined = np.concatenate([piece.waveform for piece in pieces])
    np.testing.assert_array_equal(joined, whole[0].waveform)
    assert [piece.start for piece in pieces] == pytest.approx([0, 1, 2, 3, 4])
    # The rest is dropped where it is too short.
    assert len(read(path, clip_seconds=1.0, min_seconds=0.41)) == 4


@pytest.mark.parametrize("gop", [12, 500])
@pytest.mark.parametrize("start, end", [(0.0, 1.0), (1.0, 2.5), (6.0, 7.0), (7.2, None), (7, 99)])
def test_a_span_is_the_same_part_of_the_whole(tmp_path, gop, start, end):
    frames = [grey(20 + i) for i in range(200)]
    path = write_media(tmp_path / "a.mp4", frames=frames, sounds=[tone(8)], gop=gop)
    (whole,) = read(path)
    (part,) = read(path, start=start, end=end)
    first, last = round(start * 25), round(min(end or 8.0, 8.0) * 25)
    assert (part.start, part.end) == pytest.approx((start, last / 25))
    np.testing.assert_allclose(levels(part), levels(whole)[first:last], atol=0.1)
    np.testing.assert_allclose(
        part.waveform[800:-800], whole.waveform[first * 640 : last * 640][800:-800], atol=0.02
    )


@pytest.mark.parametrize(
    "size, expected",
    [((48, 64), (48, 64)), ((128, 128), (64, 64)), ((96, 160), (64, 107)), ((160, 96), (107, 64))],
)
def test_short_side_is_resized_and_never_enlarged(tmp_path, size, expected):
    path = write_media(tmp_path / "a.mp4", frames=[grey(90, size)] * 25, sounds=[tone(1)])
    (clip,) = read(path, short_side=64)
    assert (clip.height, clip.width) == expected
    assert all(pixels(frame).shape == (*expected, 3) for frame in clip.frames_jpeg)


CORNERS = "rgby"  # Top left, top right, bottom left, bottom right.


def corners_of(image):
    height, width = image.shape[:2]
    names = ""
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            red, green, blue = (value > 127 for value in image[y, x])
            names += {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 0): "y"}[
                (red, green, blue)
            ]
    return names


@pytest.mark.parametrize(
    "matrix, corners, size",
    [
        ((1, 0, 0, 1), "rgby", (48, 64)),
        ((0, 1, -1, 0), "bryg", (64, 48)),  # A quarter turn clockwise, as phones write it.
        ((-1, 0, 0, -1), "ybgr", (48, 64)),
        ((0, -1, 1, 0), "gyrb", (64, 48)),
        ((-1, 0, 0, 1), "gryb", (48, 64)),  # Mirrored from left to right.
    ],
)
def test_rotation_metadata_is_applied(tmp_path, matrix, corners, size):
    frame = grey(0)
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    for index, color in enumerate(colors):
        y, x = divmod(index, 2)
        frame[24 * y : 24 * y + 24, 32 * x : 32 * x + 32] = color
    path = write_media(tmp_path / "a.mp4", frames=[frame] * 25, sounds=[tone(1)])
    (clip,) = read(turn_in_mp4(path, matrix))
    assert (clip.height, clip.width) == size
    assert corners_of(pixels(clip.frames_jpeg[3])) == corners


@pytest.mark.parametrize(
    "amplitude, reason",
    [(0.0, "silent"), (5e-5, "silent"), (1e-3, "near_silent"), (0.02, None)],
)
def test_silence(tmp_path, amplitude, reason):
    path = write_clip(
        tmp_path / "a.mov", sounds=[tone(2, amplitude=amplitude)], sound_codec="pcm_f32le"
    )
    (piece,) = read(path)
    assert (piece.reason if isinstance(piece, Rejected) else None) == reason
    if reason == "near_silent":
        for silence_db in (-70.0, None):
            (piece,) = read(path, silence_db=silence_db)
            assert isinstance(piece, MediaClip)
    (piece,) = read(path, silence_db=None)
    assert isinstance(piece, Rejected) == (reason == "silent")


def test_silence_is_judged_clip_by_clip(tmp_path):
    sound = np.concatenate([tone(1), 0 * tone(1), tone(1)])
    path = write_clip(tmp_path / "a.mov", 3.0, sounds=[sound], sound_codec="pcm_s16le")
    first, second, third = read(path, clip_seconds=1.0)
    assert isinstance(first, MediaClip) and isinstance(third, MediaClip)
    assert second == Rejected(1.0, 2.0, "silent")


def noise_frames(num):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(num)]


def test_damage_spoils_only_the_clips_that_hold_it(tmp_path):
    path = write_media(tmp_path / "a.mp4", frames=noise_frames(100), sounds=[tone(4)])
    good = read(path, clip_seconds=0.48)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(1).bytes(4000)
    path.write_bytes(bytes(data))
    pieces = read(path, clip_seconds=0.48)
    bad = [piece for piece in pieces if isinstance(piece, Rejected)]
    assert bad and all(piece.reason == "damaged" for piece in bad)
    assert len(bad) <= 2 < len(pieces)
    # What counts as good is as it was.
    for before, after in zip(good, pieces, strict=False):
        if isinstance(after, MediaClip):
            assert after.frames_jpeg == before.frames_jpeg
    # As one clip, it is damaged as a whole.
    assert [piece.reason for piece in read(path)] == ["damaged"]


def test_damage_lasts_until_the_next_key_frame(tmp_path):
    path = write_media(tmp_path / "a.mkv", frames=noise_frames(100), sounds=[tone(4)], gop=50)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
        hit = bytes(packets[10])
    data = path.read_bytes()
    at = data.index(hit)
    path.write_bytes(data[: at + 20] + bytes(len(hit) - 20) + data[at + len(hit) :])
    pieces = read(path, clip_seconds=0.4, min_seconds=0.4)
    assert [isinstance(piece, MediaClip) for piece in pieces] == [True] + [False] * 4 + [True] * 5


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("a.mp4", {"options": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.webm", {"video_codec": "libvpx", "sample_rate": 48000}),
    ],
)
def test_what_is_cut_off_is_damaged(tmp_path, name, kwargs):
    sound = tone(4, kwargs.get("sample_rate", 16000))
    path = write_media(tmp_path / name, frames=noise_frames(100), sounds=[sound], **kwargs)
    assert [type(piece) for piece in read(path)] == [MediaClip]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    *whole, last = read(path, clip_seconds=1.0)
    assert [type(piece) for piece in whole] == [MediaClip] * 2
    assert isinstance(last, Rejected) and last.reason == "damaged"
    assert [piece.reason for piece in read(path)] == ["damaged"]
    # Where a clip ends just before the cut, what is missing is told all the same.
    *pieces, rest = read(path, frame_rate=1.0, clip_seconds=10.0)
    assert [type(piece) for piece in pieces] == [MediaClip]
    assert (rest.reason, rest.start) == ("damaged", pieces[0].end)
    assert rest.end == pytest.approx(4.0, abs=0.1)
    # Nothing is lost where the missing part was not asked for.
    assert isinstance(read(path, end=1.5)[0], MediaClip)


def test_only_the_common_span_of_picture_and_sound_is_used(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 3.0, sounds=[tone(1)], sound_codec="pcm_s16le")
    (clip,) = read(path)
    assert (clip.start, clip.end) == pytest.approx((0.0, 1.0), abs=0.05)


@pytest.mark.parametrize(
    "seconds, sound_start, sound_seconds, expected",
    [
        (4.0, 0.0, 1.5, ["", "no_audio"]),
        (1.6, 0.0, 4.0, ["", "no_video"]),
        (4.0, 1.2, 1.0, ["no_audio", "", "no_audio"]),
        (4.0, 1.2, 2.8, ["no_audio", "", ""]),  # 0.8 s is too short for a clip.
        (2.0, 0.0, 1.5, ["", "no_audio"]),
        (1.8, 0.0, 1.5, [""]),
    ],
)
def test_where_one_stream_is_missing_is_told(
    tmp_path, seconds, sound_start, sound_seconds, expected
):
    path = write_clip(
        tmp_path / "a.mkv",
        seconds,
        sounds=[tone(sound_seconds)],
        sound_start=sound_start,
        sound_codec="pcm_s16le",
    )
    pieces = read(path, clip_seconds=1.0, min_seconds=0.9)
    assert [getattr(piece, "reason", "") for piece in pieces] == expected


def test_gaps_in_the_sound(tmp_path):
    path = tmp_path / "a.mkv"
    # Two seconds of sound, half a second without, two with, two without, one with.
    spans = [(0.0, 2.0), (2.5, 4.5), (6.5, 7.5)]
    write_media(
        path,
        frames=[grey(90)] * 188,
        sounds=[np.concatenate([tone(end - start) for start, end in spans])],
        sound_codec="pcm_s16le",
        sound_times=[start for start, _ in spans],
        sound_lengths=[end - start for start, end in spans],
    )
    pieces = read(path, clip_seconds=1.0)
    reasons = [piece.reason if isinstance(piece, Rejected) else "" for piece in pieces]
    assert reasons == ["", "", "", "", "no_audio", "no_audio", "no_audio"]
    # What follows a short gap lies where its time stamp says, and the gap is quiet.
    heard = np.abs(pieces[2].waveform) > 0.1
    assert int(np.argmax(heard)) == pytest.approx(8000, abs=16)
    assert not heard[:7984].any() and heard[8016:].mean() > 0.5


@pytest.mark.parametrize(
    "kwargs, changes, reason",
    [
        ({"sounds": []}, {}, "no_audio"),
        ({"seconds": 0.4}, {}, "too_short"),
        ({"sounds": [tone(2)], "sound_start": 2.5}, {}, "too_short"),
        ({}, {"start": 30.0, "end": 40.0}, "too_short"),
        ({}, {"start": 1.8, "end": 1.9}, "too_short"),
    ],
)
def test_files_that_give_nothing(tmp_path, kwargs, changes, reason):
    path = write_clip(tmp_path / "a.mp4", **kwargs)
    with pytest.raises(media.MediaError) as error:
        read(path, **changes)
    assert error.value.reason == reason


def test_one_stream_gives_what_both_give(tmp_path):
    frames = [grey(20 + 2 * i) for i in range(110)]
    path = write_media(
        tmp_path / "a.mkv", frames=frames, sounds=[tone(4.4)], sound_codec="pcm_s16le"
    )
    options = {"clip_seconds": 1.0, "min_seconds": 0.4}
    both, video, audio = (read(path, streams=name, **options) for name in media.STREAMS)
    assert [len(clip.frames_jpeg) for clip in both] == [25, 25, 25, 25, 10]
    assert len(video) == len(audio) == 5
    for whole, picture, sound in zip(both, video, audio, strict=True):
        assert picture == dataclasses.replace(whole, waveform=None)
        assert (sound.start, sound.end) == pytest.approx((whole.start, whole.end))
        assert (sound.frames_jpeg, sound.height, sound.width) == ([], 0, 0)
        np.testing.assert_array_equal(sound.waveform, whole.waveform)


@pytest.mark.parametrize("streams", media.STREAMS)
@pytest.mark.parametrize("start, end", [(0.5, 2.3), (6.0, 7.0), (0.0, 0.9), (6.97, None)])
def test_a_span_of_one_stream_stays_in_its_bounds(tmp_path, streams, start, end):
    path = write_media(tmp_path / "a.mp4", frames=[grey(90)] * 200, sounds=[tone(8)])
    pieces = read(path, streams=streams, start=start, end=end, clip_seconds=0.6, min_seconds=0.2)
    assert pieces[0].start == pytest.approx(start, abs=0.001)
    last = 8.0 if end is None else end
    # A clip is a whole number of frames long; the rest is too short, or less than a frame.
    assert last - 0.24 <= pieces[-1].end <= last + 0.07 * (end is None) + 0.001
    for piece, following in itertools.pairwise(pieces):
        assert piece.end == pytest.approx(following.start)


@pytest.mark.parametrize(
    "name, codec",
    [
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.ogg", "libopus"),
        ("a.oga", "flac"),
        ("a.mp3", "libmp3lame"),
        ("a.m4a", "aac"),
        ("a.aac", "aac"),
        ("a.mkv", "pcm_s16le"),
    ],
)
def test_sound_files(tmp_path, name, codec):
    sound = np.concatenate([0.01 * tone(2.5, 48000, 500), tone(2.5, 48000, 2000)])
    path = write_media(tmp_path / name, sounds=[sound], sample_rate=48000, sound_codec=codec)
    (clip,) = read(path, streams="audio", frame_rate=12.5)
    # Not cut to whole frames: 5 s, and what the codec adds at the ends.
    assert 4.999 <= clip.end - clip.start <= 5.09
    assert clip.waveform.shape == (round((clip.end - clip.start) * 16000),)
    loud = int(np.argmax(np.abs(clip.waveform) > 0.2)) / 16000
    assert loud == pytest.approx(2.5, abs=0.06 if name == "a.aac" else 0.005)
    assert np.max(np.abs(clip.waveform)) == pytest.approx(0.5, rel=0.25)
    for streams in ("both", "video"):
        with pytest.raises(media.MediaError, match="no moving video"):
            read(path, streams=streams)


@pytest.mark.parametrize(
    "name, codec", [("a.mp3", "libmp3lame"), ("a.mp4", "aac"), ("a.flac", "flac")]
)
def test_a_cover_is_no_hindrance_to_sound(tmp_path, name, codec):
    path = write_media(tmp_path / name, sounds=[tone(2)], sound_codec=codec, cover=grey(9))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    (clip,) = read(path, streams="audio")
    assert clip.end - clip.start == pytest.approx(2.0, abs=0.1)


def test_sound_alone_keeps_its_rules(tmp_path):
    sound = np.concatenate([tone(1), 0 * tone(1), tone(1, amplitude=1e-3)])
    path = write_media(tmp_path / "a.wav", sounds=[sound], sound_codec="pcm_f32le")
    pieces = read(path, streams="audio", clip_seconds=1.0)
    assert [getattr(piece, "reason", None) for piece in pieces] == [None, "silent", "near_silent"]
    with pytest.raises(media.MediaError) as error:
        read(path, streams="audio", start=2.8)
    assert error.value.reason == "too_short"
    path.write_bytes(path.read_bytes()[:-80_000])
    pieces = read(path, streams="audio", clip_seconds=1.0)
    assert [getattr(piece, "reason", None) for piece in pieces] == [None, "damaged"]


def test_the_picture_alone_knows_no_silence(tmp_path):
    path = write_clip(tmp_path / "a.mov", sounds=[0 * tone(2)], sound_codec="pcm_s16le")
    (clip,) = read(path, streams="video")
    assert clip.waveform is None and len(clip.frames_jpeg) == 50
    (clip,) = read(write_clip(tmp_path / "b.mp4", sounds=[]), streams="video")
    assert (clip.start, clip.end) == pytest.approx((0.0, 2.0))


def test_unknown_streams(tmp_path):
    with pytest.raises(ValueError, match="must be one of both, video, audio, got 'sound'"):
        read(tmp_path / "a.mp4", streams="sound")


def test_shared_sounds(shared_data):
    lengths = []
    for path in sorted((shared_data / "esc10" / "audio").iterdir())[:40]:
        for clip in read(path, streams="audio", frame_rate=12.5, min_seconds=1.0):
            assert isinstance(clip, MediaClip), path
            lengths.append(clip.end - clip.start)
    assert len(lengths) == 40
    assert np.median(lengths) == pytest.approx(5.0, abs=0.01)


def test_shared_recordings(shared_data):
    options = {"frame_rate": 12.5, "min_seconds": 1.0}
    for path in sorted((shared_data / "videos" / "with_sound").iterdir()):
        for clip in read(path, **options):
            assert isinstance(clip, MediaClip), path
            assert min(clip.height, clip.width) == 128
            num = len(clip.frames_jpeg)
            assert clip.waveform.shape == (math.floor(num / 12.5 * 16000 + 0.5),)
    reasons = {
        path.name: {piece.reason for piece in read(path, **options)}
        for path in (shared_data / "videos" / "silent_or_damaged").iterdir()
    }
    assert reasons == {
        "androidx_trim_opt_fail.mp4": {"near_silent"},
        "exo_desks.3gp": {"near_silent"},
        "gradio_a.mp4": {"silent"},
        "imageio_cockatoo.mp4": {"silent"},
    }
