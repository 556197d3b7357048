"""Time stamps that start anew or jump: picture and sound of a clip are of one moment, always.

Picture and sound tell the time by a number and by pitch; each clip is held against it.
"""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from actcl_tf.data.media import clip_cutting, segment_reading
from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.data.media.containers import media, parts
from actcl_tf.data.media.decoder_messages import SegmentRequest
from actcl_tf.data.media.read_options import ReadOptions
from tests.media_files import grey, tone, write_coded, write_media

READING = ReadOptions(frame_rate=12.5, sample_rate=16000, short_side=32, jpeg_quality=95)
CUTTING = READING._replace(clip_seconds=0.48, min_seconds=0.4, silence_db=-50.0)
TS = {"suffix": "ts", "video": "libx264", "audio": "aac", "sample_rate": 44100}
VOB = {"suffix": "vob", "video": "mpeg2video", "audio": "mp2", "sample_rate": 44100}
OGV = {"suffix": "ogv", "video": "libvpx", "audio": "libopus", "sample_rate": 48000}
MKV = {"suffix": "mkv", "video": "libx264", "audio": "aac", "sample_rate": 44100}


def chirp(start, seconds, rate):
    """Sound [S] float32 whose frequency at time t is 400 + 150 t Hz."""
    times = start + np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (400 * times + 75 * times**2))).astype(np.float32)


def frames_of_time(start, seconds, size=(64, 64)):
    """25 frames a second; eight columns, bright or dark, are the bits of the frame's number."""
    first = round(start * 25)
    numbers = first + np.arange(round(seconds * 25))
    bits = np.unpackbits(numbers.astype(np.uint8)[:, None], axis=1)
    rows = np.repeat(40 + 170 * bits, size[1] // 8, axis=1).astype(np.uint8)
    return [np.tile(row[None, :, None], (size[0], 1, 3)) for row in rows]


def frame_time(jpeg):
    image = Image.open(io.BytesIO(jpeg)).resize((64, 32))
    image = np.asarray(image).mean(axis=(0, 2))
    return np.packbits(image.reshape(8, -1).mean(axis=1) > 125)[0] / 25


def audio_time(sound, rate=16000):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 16 * len(sound)))
    return (np.argmax(spectrum) * rate / (16 * len(sound)) - 400) / 150


def write_joined(folder, pieces, *, suffix, changes=None, **kind):
    """Puts recordings end to end, each of (seconds, first stamp of picture, and of sound)."""
    told, content = 0.0, b""
    for index, (seconds, start, sound_start) in enumerate(pieces):
        how = {"size": (64, 64), **kind, **(changes[index] if changes else {})}
        piece = write_coded(
            folder / f"{index}.{suffix}",
            frames_of_time(told, seconds, how.pop("size")),
            chirp(told, seconds, how["sample_rate"]),
            start=start,
            sound_start=sound_start,
            **how,
        )
        content, told = content + piece.read_bytes(), told + seconds
    path = folder / f"joined.{suffix}"
    path.write_bytes(count_on(content) if suffix == "ts" else content)
    return path


def count_on(content):
    """MPEG-TS whose continuity counters go on from packet to packet."""
    data, counts = bytearray(content), {}
    for at in range(0, len(data), 188):
        stream = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        count = counts.get(stream, 15) + (data[at + 3] >> 4 & 1)
        data[at + 3] = data[at + 3] & 0xF0 | count % 16
        counts[stream] = count
    return bytes(data)


def cut(path, start=0.0, end=None, **changes):
    options = CUTTING._replace(**changes)
    pieces = list(clip_cutting.read_clips(str(path), options, start=start, end=end))
    clips = [piece for piece in pieces if isinstance(piece, MediaClip)]
    return clips, [piece for piece in pieces if isinstance(piece, Rejected)]


def check_times(clip, ahead=0.0, early=0.001, late=0.03):
    """Holds what a clip shows and lets hear against its place; `ahead` seconds were not recorded.

    The late start of a stream counts as time of the file: up to `late`.
    """
    rate = READING.frame_rate
    shown = np.array([frame_time(jpeg) for jpeg in clip.frames_jpeg])
    np.testing.assert_allclose(shown - shown[0], np.arange(len(shown)) / rate, atol=0.045)
    assert -early <= clip.start - ahead - shown[0] < late
    if clip.waveform is not None:
        for first in range(0, len(clip.waveform) - 3200, 1600):
            heard = audio_time(clip.waveform[first : first + 3200])
            assert heard == pytest.approx(shown[0] + (first + 1600) / 16000, abs=0.045)


def check_media(path, clip):
    """--input=media reads the very bits of the clip, whole and in part."""
    num = len(clip.frames_jpeg)
    for first, count in ((0, num), (num // 2, num - num // 2)):
        begin = first * 1280
        sound = clip.waveform[begin : (first + count) * 1280]
        request = SegmentRequest(
            str(path), clip.start, first, count, 1, begin, len(sound), clip.has_jumps
        )
        span = segment_reading.read_segment(request, READING)
        assert span.frames_jpeg == clip.frames_jpeg[first : first + count]
        np.testing.assert_array_equal(span.waveform, sound)


@pytest.mark.parametrize(
    "pieces, kind, clips",
    [
        # Seconds and first stamp of each recording; clips of 0.48 s in it, but for priming.
        ([(1.6, 0), (1.6, 0)], TS, [3, 3]),
        ([(1.6, 0), (1.6, 0)], VOB, [3, 3]),
        ([(1.6, 0), (1.6, 0)], MKV, [3, 3]),
        ([(1.6, 0), (1.6, 1000)], TS, [3, 3]),
        ([(1.6, 0), (1.6, 1000)], VOB, [3, 3]),
        ([(1.6, 1000), (1.6, 4)], TS, [3, 3]),
        ([(1.6, 1000), (1.6, 4)], VOB, [3, 3]),
        ([(1.2, 0), (1.2, 500), (1.2, 20)], TS, [2, 2, 2]),
        ([(1.2, 0), (1.2, 0), (1.2, 0)], VOB, [2, 2, 2]),
        ([(0.6, 0), (1.6, 0)], TS, [1, 3]),
        ([(0.6, 0), (1.6, 0)], VOB, [1, 3]),
        ([(0.2, 0), (1.6, 0)], TS, [0, 3]),
        ([(0.2, 50), (1.6, 0)], VOB, [0, 3]),
        # The counter of 33 bits (95443.7 s) starts anew in the first or between them.
        ([(1.6, 95442.92), (1.6, 50)], TS, [3, 3]),
        ([(1.6, 95440.72), (1.6, 50)], TS, [3, 3]),
    ],
)
def test_parts_follow_each_other(tmp_path, pieces, kind, clips):
    path = write_joined(tmp_path, [(*piece, piece[1]) for piece in pieces], **kind)
    ends = np.cumsum([seconds for seconds, _ in pieces])
    made, rejected = cut(path)
    for clip in made:
        check_times(clip)
        check_media(path, clip)
    found = [np.searchsorted(ends, (clip.start + clip.end) / 2) for clip in made]
    assert np.bincount(found, minlength=len(pieces)).tolist() == clips
    assert [piece.reason for piece in rejected] == ["discontinuity"] * (len(pieces) - 1)
    for piece, end in zip(rejected, ends[:-1], strict=True):
        assert piece.start <= piece.end == pytest.approx(end, abs=0.09)
    # The picture alone: the same times, and no frame is shown twice.
    made, rejected = cut(path, streams="video")
    for clip in made:
        check_times(clip)
        assert len(set(clip.frames_jpeg)) == len(clip.frames_jpeg)
    assert len(made) >= sum(clips) and len(rejected) == len(pieces) - 1


def test_a_counter_that_starts_anew_as_it_must_is_no_jump(tmp_path):
    path = write_joined(tmp_path, [(2.0, 95442.72, 95442.72)], **TS)
    made, rejected = cut(path)
    assert len(made) == 4 and not rejected
    for clip in made:
        check_times(clip)
        assert not clip.has_jumps
    assert not parts.find_parts(path).has_jumps


def test_a_counter_that_starts_anew_after_a_jump_is_one_more(tmp_path):
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, 95442.92, 95442.92)], **TS)
    made, rejected = cut(path)
    assert len(made) == 5 and len(rejected) == 2
    for clip in made:
        check_times(clip)
        check_media(path, clip)


@pytest.mark.parametrize("kind", [TS, VOB])
@pytest.mark.parametrize("start, sound_start", [(1000, 1.6), (1.6, 1000), (1.6, 0), (0, 1.6)])
def test_what_follows_the_jump_of_one_stream_is_left_out(tmp_path, kind, start, sound_start):
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, start, sound_start)], **kind)
    made, rejected = cut(path)
    assert len(made) == 3
    for clip in made:
        check_times(clip)
        check_media(path, clip)
    (piece,) = rejected
    assert piece.reason == "discontinuity" and piece.end - piece.start > 1.4


@pytest.mark.parametrize(
    "kind, first, second, expected",
    [
        # What each part changes; clips made, and what is told of the rest.
        (TS, {}, {"video": "mpeg2video", "audio": "mp2"}, (3, ["discontinuity", "damaged"])),
        (TS, {}, {"options": {"mpegts_start_pid": "512"}}, (3, ["discontinuity"])),
        (VOB, {}, {"audio": None}, (3, ["discontinuity"])),
        (VOB, {"audio": None}, {}, (3, ["discontinuity"])),
        (VOB, {}, {"audio": "ac3"}, (3, ["discontinuity"])),
        (VOB, {}, {"sample_rate": 48000}, (6, ["discontinuity"])),
        (TS, {}, {"size": (32, 96)}, (6, ["discontinuity"])),
        # Ogg files put end to end: FFmpeg takes none with a video after the first.
        (OGV, {}, {}, (3, ["damaged"])),
    ],
)
def test_parts_of_another_kind_are_read_or_told(tmp_path, kind, first, second, expected):
    pieces = [(1.6, 0, 0)] * 2
    path = write_joined(tmp_path, pieces, changes=[first, second], **kind)
    made, rejected = cut(path)
    assert (len(made), [piece.reason for piece in rejected]) == expected
    for clip in made:
        check_times(clip)
        check_media(path, clip)


def test_a_hole_in_a_broadcast_keeps_its_time(tmp_path):
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, 5.6, 5.6)], **TS)
    for streams in ("both", "video"):
        made, (piece,) = cut(path, streams=streams)
        for clip in made[:3]:
            check_times(clip)
        for clip in made[3:]:  # What writes the second one does not move it for its priming.
            check_times(clip, ahead=4.0, early=0.024)
        assert len(made) == 6 and piece.reason == "discontinuity"
        assert piece.end == pytest.approx(5.6, abs=0.06)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_time_when_nothing_was_recorded_gives_no_clips(tmp_path, suffix):
    path = write_media(
        tmp_path / f"a.{suffix}",
        frames=frames_of_time(0.0, 3.6),
        times=[i / 25 + 1000 * (i >= 45) for i in range(90)],
        sounds=[chirp(0.0, 3.6, 16000)],
        sound_times=[0.0, 1001.8],
        sound_lengths=[1.8, 1.8],
        sound_codec="pcm_s16le" if suffix == "mkv" else "aac",
    )
    for streams in ("both", "video"):
        made, rejected = cut(path, streams=streams, min_seconds=0.48)
        assert [piece.reason for piece in rejected] == ["discontinuity"]
        assert len(made) == 6
        for clip in made:
            check_times(clip, ahead=1000.0 if clip.start > 10 else 0.0)


@pytest.mark.parametrize("gap", [3.0, 30.0])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_a_silent_film_has_no_clip_of_a_picture_that_stands_still(tmp_path, suffix, gap):
    path = write_media(
        tmp_path / f"a.{suffix}",
        frames=frames_of_time(0.0, 3.6),
        times=[i / 25 + gap * (i >= 45) for i in range(90)],
    )
    made, rejected = cut(path, streams="video", min_seconds=0.48)
    assert {piece.reason for piece in rejected} == {"discontinuity"}
    assert len(made) >= 5
    for clip in made:
        assert len(set(clip.frames_jpeg)) == len(clip.frames_jpeg)


def test_a_broadcast_that_loses_its_picture_has_no_clips_of_the_last_one(tmp_path):
    path = write_media(
        tmp_path / "a.ts",
        frames=frames_of_time(0.0, 3.6),
        times=[i / 25 + 2.4 * (i >= 45) for i in range(90)],
        sounds=[chirp(0.0, 6.0, 48000)],
        sample_rate=48000,
    )
    made, rejected = cut(path)
    assert len(made) >= 5 and {piece.reason for piece in rejected} == {"discontinuity"}
    for clip in made:
        assert len(set(clip.frames_jpeg)) == len(clip.frames_jpeg)


@pytest.mark.parametrize("streams", media.STREAMS)
def test_what_is_in_no_part_is_told_of_one_stream_too(tmp_path, streams):
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, 1000, 1.6)], **TS)
    made, rejected = cut(path, streams=streams)
    assert len(made) >= 3 and [piece.reason for piece in rejected] == ["discontinuity"]


def test_a_picture_shown_for_long_while_sound_goes_on_is_no_jump(tmp_path):
    frames = [grey(level) for level in (40, 90, 140, 190)]
    path = write_media(
        tmp_path / "slides.mkv",
        frames=frames,
        times=[0.0, 12.0, 24.0, 36.0],
        sounds=[tone(40.0)],
    )
    assert not parts.find_parts(path).has_jumps
    made, rejected = cut(path, clip_seconds=10.0)
    assert len(made) >= 3 and not rejected


@pytest.mark.parametrize("start, end", [(0.5, 1.5), (1.7, 3.0), (0.9, 2.7)])
def test_a_span_of_a_joined_file_is_the_same_part_of_it(tmp_path, start, end):
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, 0, 0)], **TS)
    made, rejected = cut(path, start=start, end=end)
    assert made and all(start <= clip.start and clip.end <= end + 0.01 for clip in made)
    for clip in made:
        check_times(clip, late=0.1)  # Between frames.
        check_media(path, clip)
    assert len(rejected) == (start < 1.6 < end)
    with pytest.raises(media.MediaError) as error:
        cut(path, start=9.0, end=10.0)
    assert error.value.reason == "too_short"


def test_one_corrupt_packet_costs_the_clip_around_it(tmp_path):
    # Counters that do not go on at the join mark the packet before it as corrupt.
    path = write_joined(tmp_path, [(1.6, 0, 0), (1.6, 0, 0)], **TS)
    data = bytearray(path.read_bytes())
    second = (tmp_path / "0.ts").stat().st_size
    for at in range(second, len(data), 188):
        data[at + 3] = data[at + 3] & 0xF0 | (data[at + 3] + 5) % 16
    path.write_bytes(bytes(data))
    made, rejected = cut(path)
    for clip in made:
        check_times(clip)
    assert len(made) >= 4
    assert {piece.reason for piece in rejected} <= {"damaged", "discontinuity"}


def test_far_into_a_part_only_sound_is_decoded_from_its_beginning(tmp_path):
    path = write_joined(tmp_path, [(0.8, 0, 0), (8.0, 0, 0)], **{**VOB, "suffix": "mpg"})
    frames = {"clip_seconds": 1.92, "min_seconds": 1.0}
    made, _ = cut(path, **frames)
    assert made[-1].start > 6.0
    for clip in (made[-1], dataclasses.replace(made[-2])):
        check_media(path, clip)


def test_stamps_that_jump_all_the_time_give_nothing(tmp_path):
    path = write_joined(tmp_path, [(0.12, 3 * n % 7, 3 * n % 7) for n in range(60)], **VOB)
    try:
        made, rejected = cut(path)
    except media.MediaError as error:
        assert error.reason in ("discontinuity", "too_short")
    else:
        assert not made and {piece.reason for piece in rejected} == {"discontinuity"}


def test_a_long_file_is_told_to_be_alive(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_TELL_EVERY", 10)
    path = write_joined(tmp_path, [(1.0, 0, 0), (1.0, 0, 0)], **VOB)
    told = []
    assert parts.find_parts(path, tell=lambda: told.append(1)).has_jumps
    assert len(told) >= 9  # Of 50 pictures and 76 packets of sound.
    told.clear()
    parts.find_parts(path, tell=lambda: told.append(1))
    assert not told  # It is remembered...
    write_joined(tmp_path, [(1.0, 0, 0)], **VOB)
    assert not parts.find_parts(path).has_jumps  # ... while the file stays as it is.
