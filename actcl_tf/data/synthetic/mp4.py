"""Writes a clip of the built-in data set as an MP4 file."""

import fractions
import os
import pathlib

import av
import numpy as np

_AUDIO_BIT_RATE = 64000
# Without x264's macroblock tree: with it, the same frames give other bytes from run to run.
_VIDEO_OPTIONS = {"preset": "veryfast", "crf": "20", "mbtree": "0", "threads": "1"}
# The quicker of FFmpeg's ways to choose coefficients: half the time, and no worse to the ear here.
_AUDIO_OPTIONS = {"aac_coder": "fast"}
PARTIAL_SUFFIX = ".part"


def write_mp4(
    path: str | os.PathLike,
    frames: np.ndarray,
    waveform: np.ndarray,
    *,
    frame_rate: float,
    sample_rate: int,
) -> None:
    """Writes one MP4 file, H.264 and AAC, both from time 0; whole or not at all.

    Args:
      path: file to write; its folder is made.
      frames: [T, H, W, 3] uint8, H and W even.
      waveform: [S] float32 in [-1, 1], mono.
      frame_rate: frames a second.
      sample_rate: samples a second.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    rate = fractions.Fraction(frame_rate).limit_denominator(1001)
    try:
        with av.open(str(partial), "w", format="mp4") as container:
            video = container.add_stream("libx264", rate=rate)
            video.height, video.width = frames.shape[1:3]
            video.pix_fmt = "yuv420p"
            video.options = _VIDEO_OPTIONS
            audio = container.add_stream("aac", rate=sample_rate, layout="mono")
            audio.bit_rate = _AUDIO_BIT_RATE
            audio.options = _AUDIO_OPTIONS
            for index, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = index, 1 / rate
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            # The encoder's own delay goes into the file's edit list, so players start at sample 0.
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(waveform, np.float32)[None], format="fltp", layout="mono"
            )
            block.sample_rate = sample_rate
            block.pts, block.time_base = 0, fractions.Fraction(1, sample_rate)
            container.mux(audio.encode(block))
            container.mux(audio.encode(None))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
