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
            picture.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(cover).reformat(format="yuvj420p")
            frame.pts = 0
            packets += picture.encode(frame) + picture.encode(None)
        if videos is not None:
            for frame, time in zip(frames, times):
                video = av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p")
                video.pts, video.time_base = round(time * 1000), MS
                packets += videos.encode(video)
            packets += videos.encode(None)
        for stream, samples in audios:
            lengths = sound_lengths or [samples.shape[1] / sample_rate]
            cuts = np.cumsum([round(length * sample_rate) for length in lengths])[:-1]
            for piece, start in zip(np.split(samples, cuts, 1), sound_times or [sound_start]):
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
