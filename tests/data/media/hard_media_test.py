"""Media that players show rightly and simple readers do not; each file is written by its test."""

import io
import itertools
import os
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from actcl_tf.data.media.clip_cutting import MediaClip
from actcl_tf.data.media.containers import media
from tests.media_files import (
    cover_first_in_mp4,
    flat_frame,
    grey,
    tone,
    trim_in_mp4,
    turn_in_mp4,
    write_clip,
    write_frames,
    write_media,
)
from tests.media_reading import read


def read_one(path, **changes):
    (clip,) = read(path, **changes)
    assert isinstance(clip, MediaClip), clip
    return clip


def pixels(clip, index=3):
    return np.asarray(Image.open(io.BytesIO(clip.frames_jpeg[index]))).astype(int)


def color(clip):
    """The colour in the middle of a picture."""
    image = pixels(clip)
    return image[image.shape[0] // 2, image.shape[1] // 2]


def levels(clip):
    return np.array([pixels(clip, index).mean() for index in range(len(clip.frames_jpeg))])


def pitch(sound, rate=16000):
    """The strongest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return np.argmax(spectrum) * rate / len(sound)


# Time


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_that_starts_late_and_ends_early(tmp_path, suffix):
    ramp = [grey(20 + 2 * i) for i in range(100)]
    sound = np.concatenate([tone(1, frequency=500), tone(1, frequency=2000)])
    path = write_media(tmp_path / f"a{suffix}", frames=ramp, sounds=[sound], sound_start=1.0)
    clip = read_one(path)
    # AAC may be heard for 64 ms more, before and behind.
    assert 0.93 <= clip.start <= 1.001 and 2.95 <= clip.end <= 3.1
    first = round(clip.start * 25 + 0.499)
    np.testing.assert_allclose(levels(clip)[:48], 20 + 2 * np.arange(first, first + 48), atol=4.5)
    change = round((2.0 - clip.start) * 16000)
    assert pitch(clip.waveform[change - 8000 : change - 800]) == pytest.approx(500, abs=3)
    assert pitch(clip.waveform[change + 800 : change + 8000]) == pytest.approx(2000, abs=3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_any_frame_rate_is_shown_at_the_right_times(tmp_path, rng, suffix):
    times = np.round(np.cumsum(rng.choice([0.02, 0.04, 0.11, 0.3], 60)), 3)
    times -= times[0]
    path = write_media(
        tmp_path / f"a{suffix}",
        frames=[grey(20 + 3 * i) for i in range(60)],
        times=times,
        sounds=[tone(times[-1])],
        sound_codec=None if suffix == ".mp4" else "pcm_s16le",
    )
    clip = read_one(path)
    instants = clip.start + np.arange(len(clip.frames_jpeg)) / 25 + 0.002
    shown = np.searchsorted(times, instants, side="right") - 1
    np.testing.assert_allclose(levels(clip), 20 + 3 * shown, atol=2.5)


def test_frames_out_of_order_in_a_container_without_times_of_showing(tmp_path):
    frames = [flat_frame((30 + 4 * i, 128, 128), "yuv420p") for i in range(50)]
    options = {"preset": "medium", "bf": "2"}
    path = write_frames(tmp_path / "a.avi", frames, options=options, sound_codec="pcm_s16le")
    steps = np.diff(levels(read_one(path)))[:-1]
    assert steps.min() > 1 and steps.max() < 9  # Each frame is shown once, and in its turn.


def test_an_edit_list_trims_picture_and_sound(tmp_path):
    frames = [grey(20 + 2 * i) for i in range(100)]
    sound = np.concatenate([tone(2, frequency=500), tone(2, frequency=2000)])
    path = write_media(tmp_path / "a.mp4", frames=frames, sounds=[sound], gop=50)
    with av.open(str(path)) as container:
        ticks = int(1 / container.streams.video[0].time_base)
    trim_in_mp4(path, b"vide", round(1.2 * ticks), 2.8)  # Between key frames.
    trim_in_mp4(path, b"soun", 1024 + round(1.2 * 16000), 2.8)  # AAC begins with priming.
    clip = read_one(path)
    assert (clip.start, clip.end) == pytest.approx((0.0, 2.8), abs=0.05)
    np.testing.assert_allclose(levels(clip)[:60], 20 + 2 * np.arange(30, 90), atol=2.5)
    for start, stop, frequency in ((0.0, 0.78, 500), (0.82, 2.7, 2000)):
        heard = clip.waveform[round(start * 16000) : round(stop * 16000)]
        assert pitch(heard) == pytest.approx(frequency, abs=3)


def test_an_edit_list_of_the_picture_alone_moves_it_against_the_sound(tmp_path):
    frames = [grey(220 if i >= 50 else 30) for i in range(100)]
    path = write_media(tmp_path / "a.mp4", frames=frames, sounds=[tone(4)])
    with av.open(str(path)) as container:
        ticks = int(1 / container.streams.video[0].time_base)
    clip = read_one(trim_in_mp4(path, b"vide", ticks, 3.0))
    bright = int(np.argmax(levels(clip) > 125))
    assert clip.start + bright / 25 == pytest.approx(1.0, abs=0.03)


# Geometry


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "aspect, size", [("2/1", (48, 128)), ("1/2", (48, 32)), ("16/15", (48, 68))]
)
def test_pixels_that_are_not_square(tmp_path, suffix, aspect, size):
    frames = [flat_frame((90, 128, 128), "yuv420p") for _ in range(25)]
    path = write_frames(tmp_path / f"a{suffix}", frames, pixel_aspect=Fraction(aspect))
    clip = read_one(path, short_side=48 if size[1] > 48 else 32)
    expected = np.array(size) * min(1, (48 if size[1] > 48 else 32) / min(size))
    assert (clip.height, clip.width) == pytest.approx(tuple(expected), abs=1)
    assert pixels(clip).shape == (clip.height, clip.width, 3)


def test_pixels_that_are_not_square_turned_upright(tmp_path):
    frames = [flat_frame((90, 128, 128), "yuv420p") for _ in range(25)]
    path = write_frames(tmp_path / "a.mp4", frames, pixel_aspect=Fraction(2, 1))
    clip = read_one(turn_in_mp4(path, (0, 1, -1, 0)), short_side=48)
    assert (clip.height, clip.width) == (128, 48)


@pytest.mark.parametrize(
    "name, codec, pix_fmt",
    [
        ("a.mkv", "libx264", "yuv444p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.mkv", "ffv1", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
    ],
)
def test_odd_sizes(tmp_path, name, codec, pix_fmt):
    # Dark to the left, bright to the right.
    ramp = np.linspace(30, 220, 35).astype(np.uint8)
    frame = np.repeat(np.tile(ramp, (33, 1))[..., None], 3, axis=2)
    frames = [av.VideoFrame.from_ndarray(frame).reformat(format=pix_fmt) for _ in range(25)]
    sound_codec = {"a.webm": "libopus", "a.avi": "pcm_s16le"}.get(name, "aac")
    path = write_frames(tmp_path / name, frames, codec=codec, sound_codec=sound_codec)
    clip = read_one(path)
    assert (clip.height, clip.width) == (33, 35)
    np.testing.assert_allclose(pixels(clip)[10:20, :, 1].mean(axis=0), ramp, atol=12)


def striped(moment):
    """Two bars whose even lines show `moment` and whose odd lines the next one."""
    image = grey(20, (96, 128))
    for field in (0, 1):
        at = 4 * (2 * moment + field) % 112
        image[field::2, at : at + 16] = 230
    return image


def combing(image):
    """Mean curvature from line to line, which combs raise."""
    rows = image[..., 1].astype(int)
    return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()


@pytest.mark.parametrize(
    "name, codec, options",
    [
        ("a.mp4", "libx264", {"x264-params": "tff=1"}),
        ("a.mkv", "libx264", {"x264-params": "bff=1"}),
        ("a.ts", "mpeg2video", {"flags": "+ildct+ilme", "b": "4000000"}),
    ],
)
def test_interlaced_frames_lose_their_combs_and_keep_their_times(tmp_path, name, codec, options):
    stripes = [striped(i) for i in range(25)]
    assert combing(stripes[7]) > 20
    frames = [av.VideoFrame.from_ndarray(image).reformat(format="yuv420p") for image in stripes]
    sound_codec = {"a.ts": "mp2", "a.mkv": "pcm_s16le"}.get(name, "aac")
    path = write_frames(
        tmp_path / name, frames, codec=codec, options=options, sound_codec=sound_codec
    )
    clip = read_one(path)
    assert len(clip.frames_jpeg) >= 24
    offset = round(clip.start * 25) if name != "a.ts" else 0
    for index in range(3, 22):
        image = pixels(clip, index)
        assert combing(image) < 3
        # The bar stands where the first field, or the second, has it.
        bright = np.flatnonzero(image[40:56, :, 1].mean(axis=0) > 125)
        expected = 8 * (index + offset) % 112
        if expected <= 104:  # It does not wrap around between the fields.
            assert expected - 5 <= bright.min() <= expected + 5, index


def test_progressive_frames_keep_every_line(tmp_path):
    lines = grey(20)
    lines[1::2] = 230  # As combed as can be, but shown at one moment.
    path = write_media(tmp_path / "a.mp4", frames=[lines] * 25, sounds=[tone(1)])
    assert combing(pixels(read_one(path))) > 200


# Colour

RED, GREY = (204, 76, 51), (119, 119, 119)
LUMA = {
    1: (0.2126, 0.0722),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def encode(rgb, matrix, full, bits=8):
    """Y'CbCr of a colour (ITU-R BT.601, 709, 2020; the matrix by ITU-T H.273's number)."""
    red, green, blue = (value / 255 for value in rgb)
    kr, kb = LUMA[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    if full:
        top = 2**bits - 1
        return [round(top * luma), *(round(2 ** (bits - 1) + top * c) for c in chroma)]
    unit = 2 ** (bits - 8)
    return [round(unit * (16 + 219 * luma)), *(round(unit * (128 + 224 * c)) for c in chroma)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "matrix, pix_fmt, codec",
    [
        (1, "yuv420p", "libx264"),
        (6, "yuv420p", "libx264"),
        (7, "yuv444p", "libx264"),
        (5, "yuv422p", "libx264"),
        (9, "yuv420p10le", "libx264"),
        (1, "yuv444p10le", "libx264"),
    ],
)
def test_matrix_and_range(tmp_path, matrix, full, pix_fmt, codec):
    for rgb in (RED, GREY, (255, 255, 255), (0, 0, 0)):
        values = encode(rgb, matrix, full, 10 if "10" in pix_fmt else 8)
        path = write_frames(
            tmp_path / "a.mkv",
            [flat_frame(values, pix_fmt) for _ in range(25)],
            codec=codec,
            colors={"colorspace": matrix, "color_range": 2 if full else 1},
        )
        np.testing.assert_allclose(color(read_one(path)), rgb, atol=4)


@pytest.mark.parametrize("size, matrix", [((48, 64), 6), ((576, 720), 6), ((720, 1280), 1)])
def test_colours_that_say_nothing_are_taken_as_players_do(tmp_path, size, matrix):
    values = encode(RED, matrix, False)
    frames = [flat_frame(values, "yuv420p", size) for _ in range(13)]
    clip = read_one(write_frames(tmp_path / "a.mkv", frames))
    np.testing.assert_allclose(color(clip), RED, atol=4)


def test_the_old_full_range_formats(tmp_path):
    frames = [flat_frame(encode(RED, 6, True), "yuvj420p") for _ in range(25)]
    path = write_frames(tmp_path / "a.mov", frames, codec="mjpeg")
    np.testing.assert_allclose(color(read_one(path)), RED, atol=4)


# Signal of a level of light: ITU-R BT.2408, table 1, and BT.2100.
@pytest.mark.parametrize(
    "transfer, signals",
    [
        (16, {"black": 0.0, "grey": 0.38, "white": 0.58, "peak": 0.75}),  # 0, 26, 203, 1000 cd/m2.
        (18, {"black": 0.0, "grey": 0.38, "white": 0.75, "peak": 1.0}),
    ],
)
def test_high_dynamic_range(tmp_path, transfer, signals):
    shown = {}
    for name, signal in signals.items():
        values = encode([255 * signal] * 3, 9, False, 10)
        path = write_frames(
            tmp_path / f"{name}.mkv",
            [flat_frame(values, "yuv420p10le") for _ in range(13)],
            colors={"colorspace": 9, "color_range": 1, "color_trc": transfer, "color_primaries": 9},
        )
        shown[name] = color(read_one(path))
        assert np.ptp(shown[name]) <= 3  # Grey stays grey.
    assert shown["black"].max() <= 2
    # What the screen shows of middle grey (18 %) lies between gamma 2.4 and sRGB: 104 to 125.
    assert 100 <= shown["grey"].mean() <= 126
    assert 215 <= shown["white"].mean() <= 240
    assert shown["white"].mean() + 8 <= shown["peak"].mean() <= 255


def to_xyz(corners):
    """RGB light -> XYZ, from the corners of a gamut and white D65, all as (x, y)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    x, y = 0.3127, 0.3290
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])


BT709 = to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
BT2020 = to_xyz([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)])


def signal_of(light, transfer):
    """The signal that makes a screen of 1000 cd/m2 emit this light (BT.2020, cd/m2)."""
    if transfer == 16:
        power = (light / 10000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    luminance = (BT2020 @ light)[1]
    scene = light / 1000 * (luminance / 1000) ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize(
    "light", [(0.18, 0.18, 0.18), (0.4, 0.1, 0.1), (0.05, 0.3, 0.1), (0.1, 0.15, 0.45), (0.02,) * 3]
)
def test_high_dynamic_range_keeps_colours_a_usual_screen_has(tmp_path, transfer, light):
    # `light` is of reference white, 203 cd/m2, and of BT.709.
    wide = np.linalg.solve(BT2020, BT709 @ np.array(light)) * 203
    values = encode(255 * signal_of(wide, transfer), 9, False, 10)
    path = write_frames(
        tmp_path / "a.mkv",
        [flat_frame(values, "yuv420p10le") for _ in range(13)],
        colors={"colorspace": 9, "color_range": 1, "color_trc": transfer, "color_primaries": 9},
    )
    np.testing.assert_allclose(color(read_one(path)), 255 * np.array(light) ** (1 / 2.4), atol=5)


def test_frames_that_carry_data_of_kinds_without_a_name(tmp_path):
    # TIFF, as Motion JPEG of cameras, brings EXIF with each frame.
    frame = av.VideoFrame.from_ndarray(np.full([48, 64, 3], RED, np.uint8), "rgb24")
    path = write_frames(tmp_path / "a.mov", [frame] * 25, codec="tiff")
    np.testing.assert_allclose(color(read_one(path)), RED, atol=5)


@pytest.mark.parametrize("codec", ["png", "qtrle"])
def test_what_is_transparent_lies_over_black(tmp_path, codec):
    pix_fmt = {"png": "rgba", "qtrle": "argb"}[codec]
    image = np.zeros([48, 64, 4], np.uint8)
    image[..., :3] = (200, 100, 40)
    image[:, :32, 3], image[:, 32:, 3] = 255, 51
    frame = av.VideoFrame.from_ndarray(image, "rgba").reformat(format=pix_fmt)
    clip = read_one(write_frames(tmp_path / "a.mov", [frame] * 25, codec=codec))
    np.testing.assert_allclose(pixels(clip)[20, 10], (200, 100, 40), atol=5)
    np.testing.assert_allclose(pixels(clip)[20, 55], (40, 20, 8), atol=5)


def test_the_alpha_of_vp9_is_left_out_by_its_decoder(tmp_path):
    frames = [flat_frame([*encode(RED, 6, False), 0], "yuva420p") for _ in range(25)]
    path = write_frames(
        tmp_path / "a.webm",
        frames,
        codec="libvpx-vp9",
        options={"b": "2000000", "cpu-used": "8"},
        sound_codec="libopus",
    )
    np.testing.assert_allclose(color(read_one(path)), RED, atol=6)


# Sound


def stereo(left, right):
    return np.stack([left, right])


@pytest.mark.parametrize(
    "left, right, level",
    [
        (1.0, 1.0, 1.0),  # Dual mono.
        (1.0, 0.0, 0.5),
        (1.0, -1.0, 1.0),  # A wrongly soldered plug: the mix would be silence.
        (0.5, -1.0, 0.25),
        (0.9, -1.0, 1.0),
    ],
)
def test_channels_neither_cancel_nor_clip(tmp_path, left, right, level):
    sound = tone(2, 48000, 440, 0.9)
    path = write_clip(
        tmp_path / "a.mov",
        sounds=[stereo(left * sound, right * sound)],
        sample_rate=48000,
        sound_codec="pcm_s16le",
        layout="stereo",
    )
    middle = read_one(path).waveform[4000:-4000]
    assert pitch(middle) == pytest.approx(440, abs=1)
    assert np.max(np.abs(middle)) == pytest.approx(0.9 * level, rel=0.02)


def test_surround_sound_neither_cancels_nor_clips(tmp_path):
    frequencies = {"FL": 300, "FR": 500, "FC": 700, "LFE": 60, "SL": 1100, "SR": 1300}
    sound = np.stack([tone(2, 48000, hertz, 0.95) for hertz in frequencies.values()])
    path = write_clip(
        tmp_path / "a.mkv", sounds=[sound], sample_rate=48000, sound_codec="flac", layout="5.1"
    )
    waveform = read_one(path).waveform
    assert 0.5 < np.max(np.abs(waveform)) < 0.96
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) / len(waveform) * 4
    heard = {name: spectrum[hertz * 2] for name, hertz in frequencies.items()}
    # ITU-R BS.775: the centre whole, the front 3 dB less, the surround 6 dB less.
    expected = {"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "SL": 0.5, "SR": 0.5}
    for name, weight in expected.items():
        assert heard[name] == pytest.approx(0.95 * weight / 3.4142, abs=0.01), name


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_sample_rates_keep_pitch_and_onset(tmp_path, rate):
    sound = np.concatenate([np.zeros(rate), tone(1, rate, 1234, 0.5)]).astype(np.float32)
    path = write_clip(tmp_path / "a.mkv", sounds=[sound], sample_rate=rate, sound_codec="pcm_s16le")
    waveform = read_one(path).waveform
    assert len(waveform) == 32000
    assert pitch(waveform[17000:31000]) == pytest.approx(1234, abs=2)
    assert np.argmax(np.abs(waveform) > 0.1) == pytest.approx(16000, abs=32)
    assert np.max(np.abs(waveform[17000:31000])) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("rates", [(44100, 22050), (22050, 44100), (16000, 48000), (44100, 44100)])
def test_a_stream_that_counts_time_at_another_rate_is_told(tmp_path, rates):
    # Raw AAC holds no time stamps: FFmpeg counts on at the first file's rate.
    path, parts = tmp_path / "joined.aac", []
    for number, rate in enumerate(rates):
        sound = tone(4.0, rate, 440 * (number + 1), 0.5)
        part = write_media(tmp_path / f"{number}.aac", sounds=[sound], sample_rate=rate)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    pieces = read(path, streams="audio", clip_seconds=1.0)
    heard = [pitch(piece.waveform[2000:14000]) for piece in pieces if isinstance(piece, MediaClip)]
    left_out = {piece.reason for piece in pieces if not isinstance(piece, MediaClip)}
    assert heard[:3] == pytest.approx([440] * 3, abs=4)
    assert not [hertz for hertz in heard if min(abs(hertz - 440), abs(hertz - 880)) > 4]
    if rates[0] == rates[1]:
        assert len(heard) == 8 and not left_out
    else:
        assert len(heard) <= 4 and left_out == {"uneven_audio"}


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_channels_without_names(tmp_path, channels):
    path = tmp_path / "a.wav"
    samples = np.tile(tone(2, 16000, 440, 0.6)[:, None], (1, channels))
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, 16000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    waveform = read_one(path, streams="audio").waveform
    np.testing.assert_allclose(waveform, samples[:, 0], atol=1e-3)


def test_sound_that_is_no_number_is_damaged(tmp_path):
    sound = tone(2)
    sound[16000] = np.nan
    path = write_clip(tmp_path / "a.mov", sounds=[sound], sound_codec="pcm_f32le")
    assert [piece.reason for piece in read(path)] == ["damaged"]


# Streams


def test_a_cover_before_the_picture_is_not_taken_for_it(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 1.0, levels=(200,), cover=grey(9))
    cover_first_in_mp4(path)
    with av.open(str(path)) as container:
        assert [s.codec_context.name for s in container.streams.video] == ["mjpeg", "h264"]
    assert color(read_one(path)) == pytest.approx(200, abs=3)


def write_several(path, kind, default):
    """Two pictures (dark, bright) or two sounds (low, high), of which `default` is the default."""
    with av.open(str(path), "w") as container:
        packets = []
        pictures = (60, 200) if kind == "video" else (60,)
        sounds = (300, 2000) if kind == "audio" else (300,)
        for level in pictures:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for index in range(25):
                frame = av.VideoFrame.from_ndarray(grey(level)).reformat(format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for frequency in sounds:
            stream = container.add_stream("aac", rate=16000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(tone(1, frequency=frequency)[None], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
            packets += stream.encode(frame) + stream.encode(None)
        chosen = [stream for stream in container.streams if stream.type == kind]
        if default is not None:
            chosen[default].disposition = av.stream.Disposition.default.value
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("default, expected", [(None, 0), (0, 0), (1, 1)])
def test_of_several_streams_the_default_one_is_taken(tmp_path, suffix, kind, default, expected):
    clip = read_one(write_several(tmp_path / f"a{suffix}", kind, default))
    if kind == "video":
        assert color(clip) == pytest.approx((60, 200)[expected], abs=3)
    else:
        assert pitch(clip.waveform) == pytest.approx((300, 2000)[expected], abs=5)


def test_a_stream_without_decoder_is_passed_over(tmp_path):
    path = write_several(tmp_path / "a.mp4", "audio", None)
    for expected in (2000, None):
        data = bytearray(path.read_bytes())
        at = data.index(b"mp4a", data.index(b"soun"))
        data[at : at + 4] = b"zzzz"
        at = data.index(b"esds", at)  # It would tell the codec, too.
        data[at : at + 4] = b"free"
        path.write_bytes(bytes(data))
        if expected:
            assert pitch(read_one(path).waveform) == pytest.approx(expected, abs=5)
    with pytest.raises(media.MediaError, match="no decoder for its audio") as error:
        read(path)
    assert error.value.reason == "damaged"
    assert read_one(path, streams="video").waveform is None


def test_a_stream_that_is_announced_alone_is_passed_over(tmp_path):
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        _, sound = (container.add_stream("aac", rate=48000, layout="mono") for _ in range(2))
        packets = []
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(grey(60 + index)).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            packets += picture.encode(frame)
        frame = av.AudioFrame.from_ndarray(tone(2, 48000, 2000)[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        packets += picture.encode(None) + sound.encode(frame) + sound.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    assert pitch(read_one(path).waveform) == pytest.approx(2000, abs=5)


# Files

NAMES = [
    "ünïcödé 映像 🎬.mp4",
    "a" * 251 + ".mp4",
    "ü" * 125 + "x.mp4",  # 255 bytes, as long as a name can be.
    "a:b.mp4",
    "concat:a|b.mp4",
    "%03d %s.mp4",
    "new\nline 'quote' \"more\".mp4",
    "-i.mp4",
    "no suffix",
    os.fsdecode(b"latin \xe9\xff.mp4"),
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name(tmp_path, monkeypatch, name):
    written = write_clip(tmp_path / "a.mp4", 1.0)
    os.rename(written, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, tmp_path / name):
        assert read_one(path).end == pytest.approx(1.0, abs=0.05)


RENAMED = {
    "matroska": lambda path: os.rename(
        write_clip(path.with_suffix(".mkv"), 1.0, sound_codec="pcm_s16le"), path
    ),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("This is no video.\n" * 1000),
    "zeros": lambda path: path.write_bytes(bytes(100_000)),
    "jpeg": lambda path: Image.fromarray(grey(90)).save(path, "JPEG"),
    "cut off": lambda path: path.write_bytes(
        write_clip(path.with_suffix(".x.mp4"), 1.0).read_bytes()[:2000]
    ),
    "page": lambda path: path.write_text("<!DOCTYPE html><html><body>404</body></html>" * 50),
    # FFmpeg would make a film of its letters.
    "text.txt": lambda path: path.write_text("This is no video.\n" * 1000),
    "folder": lambda path: path.mkdir(),
    "dangling link": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize(
    "content, streams, reason",
    [
        ("matroska", "both", None),
        *itertools.product(["empty"], media.STREAMS, ["empty"]),
        *itertools.product(
            ["text", "zeros", "cut off", "page", "text.txt"], media.STREAMS, ["damaged"]
        ),
        ("jpeg", "both", "no_audio"),
        ("jpeg", "video", "too_short"),
        ("jpeg", "audio", "no_audio"),
        *itertools.product(["folder", "dangling link"], media.STREAMS, ["missing"]),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, capfd, content, streams, reason):
    path = tmp_path / ("a.mp4" if "." not in content else content)
    RENAMED[content](path)
    if reason is None:
        assert read_one(path, streams=streams).end == pytest.approx(1.0, abs=0.05)
    else:
        with pytest.raises(media.MediaError) as error:
            read(path, streams=streams)
        assert error.value.reason == reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("suffix, layout", [(".mp4", {"movflags": "faststart"}), (".mkv", {})])
def test_what_is_left_of_a_file_is_itself_or_nothing(tmp_path, rng, part, suffix, layout):
    ramp = [rng.integers(0, 40, (48, 64, 3), np.uint8) + np.uint8(40 + 2 * i) for i in range(75)]
    path = write_media(tmp_path / f"a{suffix}", frames=ramp, sounds=[tone(3)], options=layout)
    whole = read(path, clip_seconds=0.48, min_seconds=0.4)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * part)])
    try:
        pieces = read(path, clip_seconds=0.48, min_seconds=0.4)
    except media.MediaError as error:
        assert error.reason == "damaged" and part < 0.5
        return
    good = [piece for piece in pieces if isinstance(piece, MediaClip)]
    for before, after in zip(whole, good, strict=False):
        assert after.frames_jpeg == before.frames_jpeg
        np.testing.assert_array_equal(after.waveform, before.waveform)
    assert len(good) <= part * len(whole) + 0.5


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile good.mp4\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\ngood.ts\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_other_files_are_not_followed(tmp_path, kind):
    write_clip(tmp_path / "good.mp4", 1.0)
    write_clip(tmp_path / "good.ts", 1.0)
    for name in (f"a.{kind}", "a.mp4"):
        (tmp_path / name).write_text(LISTS[kind])
        with pytest.raises(media.MediaError) as error:
            read(tmp_path / name)
        assert error.value.reason == "damaged"
