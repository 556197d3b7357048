"""Writes small real media files for tests, with every time stamp under control."""

from fractions import Fraction

import av
import numpy as np

MS = Fraction(1, 1000)


def grey(level, size=(48, 64)):
    """A frame [H, W, 3] uint8 of one grey level."""
    return np.full([*size, 3], level, np.uint8)


def tone(seconds, rate=16000, frequency=440.0, amplitude=0.5):
    """A sine [S] float32."""
    return (
        amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    ).astype(np.float32)


def write_media(
    path,
    *,
    frames=None,
    times=None,
    frame_rate=25,
    sounds=(),
    sound_start=0.0,
    sound_times=None,
    sound_lengths=None,
    sample_rate=16000,
    sound_codec=None,
    video_codec="libx264",
    layout="mono",
    cover=None,
    options=None,
    gop=12,
):
    """Writes a media file; the container follows from the suffix.

    frames: list of [H, W, 3] uint8; shown from `times` (seconds) on, or at `frame_rate`.
    sounds: one [S] or [channels, S] float32 a stream, the first sample heard at `sound_start`,
        or in pieces of `sound_lengths` seconds heard from `sound_times` on.
    cover: [H, W, 3] uint8, a still picture attached to the file.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        videos, audios, packets = None, [], []
        if frames is not None:
            height, width = frames[0].shape[:2]
            if times is None:
                times = [i / frame_rate for i in range(len(frames))]
            videos = container.add_stream(video_codec, rate=frame_rate)
            videos.width, videos.height, videos.pix_fmt = width, height, "yuv420p"
            videos.codec_context.gop_size = gop
            videos.codec_context.time_base = MS
            if video_codec == "libx264":
                videos.options = {"crf": "4", "preset": "ultrafast"}
            else:
                videos.codec_context.bit_rate = 4_000_000
        codec = sound_codec or ("libopus" if str(path).endswith(".webm") else "aac")
        for sound in sounds:
            stream = container.add_stream(codec, rate=sample_rate)
            stream.layout = layout
            audios.append((stream, np.atleast_2d(sound)))
        picture = None
        if cover is not None:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = (
                av.stream.Disposition.attached_pic.value
            )  # PyAV 15 wants a number.
            frame = av.VideoFrame.from_ndarray(cover).reformat(format="yuvj420p")
            frame.pts = 0
            packets += picture.encode(frame) + picture.encode(None)
        if videos is not None:
            for frame, time in zip(frames, times, strict=True):
                video = av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p")
                video.pts, video.time_base = round(time * 1000), MS
                packets += videos.encode(video)
            packets += videos.encode(None)
        for stream, samples in audios:
            lengths = sound_lengths or [samples.shape[1] / sample_rate]
            cuts = np.cumsum([round(length * sample_rate) for length in lengths])[:-1]
            for piece, start in zip(
                np.split(samples, cuts, 1), sound_times or [sound_start], strict=True
            ):
                piece = np.ascontiguousarray(piece, np.float32)
                sound = av.AudioFrame.from_ndarray(piece, "fltp", layout)
                sound.sample_rate = sample_rate
                sound.pts, sound.time_base = round(start * sample_rate), Fraction(1, sample_rate)
                packets += stream.encode(sound)
            packets += stream.encode(None)
        # As a muxer wants them: by time.
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def write_clip(path, seconds=2.0, *, levels=(60, 200), frame_rate=25, **kwargs):
    """A good small video: grey levels by turns, and a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [grey(levels[i % len(levels)]) for i in range(round(seconds * frame_rate))]
    kwargs.setdefault("sounds", [tone(seconds)])
    return write_media(path, frames=frames, frame_rate=frame_rate, **kwargs)


def turn_in_mp4(path, matrix):
    """Puts a 2x2 display matrix (a, b, c, d) into the track header of an MP4's video."""
    data = bytearray(path.read_bytes())
    identity = np.array([0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000], ">i4").tobytes()
    at = data.index(b"tkhd")
    at = data.index(identity, at)
    a, b, c, d = (round(value * 0x10000) for value in matrix)
    data[at : at + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 0x40000000], ">i4").tobytes()
    path.write_bytes(bytes(data))
    return path


def trim_in_mp4(path, handler, media_time, seconds):
    """Puts an edit list into an MP4: a stream is shown from `media_time` (its own ticks) on.

    handler: b"vide" or b"soun". seconds: length of the presentation.
    """
    data = bytearray(path.read_bytes())
    timescale = int.from_bytes(data[(at := data.index(b"mvhd") + 16) : at + 4], "big")
    track = data.rindex(b"trak", 0, data.index(b"hdlr\0\0\0\0\0\0\0\0" + handler))
    at = data.index(b"elst", track) + 4
    assert data[at : at + 8] == b"\0\0\0\0\0\0\0\1"  # Version 0, one entry.
    length = round(seconds * timescale)
    data[at + 8 : at + 16] = length.to_bytes(4, "big") + media_time.to_bytes(4, "big")
    path.write_bytes(bytes(data))
    return path


def cover_first_in_mp4(path):
    """Moves the cover of an MP4 before its tracks, so that it becomes the first stream."""
    data = path.read_bytes()
    moov = data.rindex(b"moov") - 4
    assert moov > data.index(b"mdat")  # What moves is not what offsets point to.
    size = int.from_bytes(data[moov : moov + 4], "big")
    at, boxes = moov + 8, []
    while at < moov + size:
        length = int.from_bytes(data[at : at + 4], "big")
        boxes.append(data[at : at + length])
        at += length
    order = {b"mvhd": 0, b"udta": 1}
    boxes.sort(key=lambda box: order.get(box[4:8], 2))
    path.write_bytes(data[: moov + 8] + b"".join(boxes) + data[moov + size :])
    return path


def flat_frame(values, pix_fmt, size=(48, 64)):
    """A frame whose planes hold one value each, or rows of them (2-D arrays that are repeated)."""
    frame = av.VideoFrame(size[1], size[0], pix_fmt)
    dtype = np.dtype("<u2" if "10" in pix_fmt or "16" in pix_fmt else "u1")
    for plane, value in zip(frame.planes, values, strict=True):
        width = plane.line_size // dtype.itemsize
        row = np.tile(np.atleast_1d(np.asarray(value, dtype)), width)[:width]
        plane.update(np.tile(row, (plane.height, 1)).tobytes())
    return frame


def write_frames(
    path,
    frames,
    *,
    codec="libx264",
    frame_rate=25,
    options=None,
    colors=None,
    pixel_aspect=None,
    sound_codec="aac",
):
    """Writes video frames as they are, with a tone that lasts as long.

    colors: attributes of the encoder, such as {"colorspace": 1}.
    """
    seconds = len(frames) / frame_rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=frame_rate)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        if codec == "libx264":
            options = {"crf": "4", "preset": "ultrafast", **(options or {})}
        stream.options = options or {}
        for name, value in (colors or {}).items():
            setattr(stream.codec_context, name, value)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        sound = container.add_stream(sound_codec, rate=16000)
        sound.layout = "mono"
        packets = []
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, frame_rate)
            for name, value in (colors or {}).items():
                if name in ("colorspace", "color_range"):
                    setattr(frame, name, value)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        samples = av.AudioFrame.from_ndarray(tone(seconds)[None], "fltp", "mono")
        samples.sample_rate, samples.pts, samples.time_base = 16000, 0, Fraction(1, 16000)
        packets += sound.encode(samples) + sound.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def write_coded(
    path,
    frames,
    sound,
    *,
    video="libx264",
    audio="aac",
    sample_rate=44100,
    container_format=None,
    start=0.0,
    sound_start=None,
    options=None,
):
    """Writes frames at 25 a second and mono sound with any codecs, the container's own way.

    start: seconds, the first time stamp of the picture. sound_start: of the sound; None: the same.
    """
    with av.open(str(path), "w", format=container_format, options=options or {}) as container:
        packets = []
        if video:
            stream = container.add_stream(video, rate=25)
            stream.height, stream.width = frames[0].shape[:2]
            kinds = [each.name for each in stream.codec_context.codec.video_formats or ()]
            stream.pix_fmt = "yuv420p" if "yuv420p" in kinds or not kinds else kinds[0]
            if video == "mjpeg":
                stream.pix_fmt = "yuvj420p"
            stream.codec_context.bit_rate = 1_000_000
            stream.codec_context.gop_size = 12
            if video in ("libx264", "libx265"):
                stream.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
            for index, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame).reformat(format=stream.pix_fmt)
                picture.pts, picture.time_base = index + round(start * 25), Fraction(1, 25)
                packets += stream.encode(picture)
            packets += stream.encode(None)
        if audio:
            stream = container.add_stream(audio, rate=sample_rate)
            stream.layout = "mono"
            stream.codec_context.bit_rate = 12200 if "amr" in audio else 64_000
            samples = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
            samples.sample_rate, samples.time_base = sample_rate, Fraction(1, sample_rate)
            samples.pts = round((start if sound_start is None else sound_start) * sample_rate)
            packets += stream.encode(samples) + stream.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path
