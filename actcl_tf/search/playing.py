"""Segments of files, read once more to be looked at and listened to."""

import numpy as np
import tensorflow as tf

from actcl_tf.data.media import decoder
from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.data.media.containers import media
from actcl_tf.reporting import playable
from actcl_tf.search.segments import MODALITIES, VIDEO, Shape

LEAST_SECONDS = 2.0  # A shorter segment is played with what is around it.
_FRAME_RATE, _SAMPLE_RATE, _SHORT_SIDE = 12.5, 16000, 120


class Reader:
    """Reads clips to be played; a context manager, which ends its decoders."""

    def __init__(self, seconds: float, timeout: float):
        """Takes the length of a segment and how long decoding one may take, seconds."""
        self._segment, self._seconds = seconds, max(seconds, LEAST_SECONDS)
        shape = Shape(round(self._seconds * _FRAME_RATE), _FRAME_RATE, _SAMPLE_RATE, _SHORT_SIDE)
        self._num_frames, self._num_samples = shape.num_frames, shape.num_samples
        self._cutters = {
            modality: decoder.Decoder(shape.cut_options(modality), timeout=timeout)
            for modality in MODALITIES
        }

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        for cutter in self._cutters.values():
            cutter.close()

    def clip(self, path: str, start: float, caption: str) -> playable.Clip:
        """A segment, from `start` (seconds) on, with what is around it if it is short."""
        start = max(0.0, start + (self._segment - self._seconds) / 2)
        frames, waveform, reasons = None, None, []
        for modality in MODALITIES:
            piece = self._read(modality, path, start)
            if isinstance(piece, str):
                reasons.append(piece)
            elif modality == VIDEO:
                frames = np.stack(
                    [tf.io.decode_jpeg(jpeg, channels=3).numpy() for jpeg in piece.frames_jpeg]
                )
                late = round((piece.start - start) * _FRAME_RATE)
                frames = np.pad(frames, [(max(0, late), 0), (0, 0), (0, 0), (0, 0)], "edge")
                frames = frames[: self._num_frames]
            else:
                late = round((piece.start - start) * _SAMPLE_RATE)
                waveform = np.pad(piece.waveform, (max(0, late), 0))[: self._num_samples]
        if len(reasons) == len(MODALITIES):
            caption = f"{caption}: cannot be played ({reasons[0]})"
        return playable.Clip(
            caption=caption,
            is_right=None,
            frames=frames,
            frame_rate=_FRAME_RATE,
            waveform=waveform,
            sample_rate=_SAMPLE_RATE,
        )

    def _read(self, modality: str, path: str, start: float) -> MediaClip | str:
        """The piece of a file, or the reason why there is none."""
        try:
            # All of the few there are: a decoder that is left in the middle is started anew.
            pieces = list(self._cutters[modality].cut(path, start, start + self._seconds))
        except media.MediaError as error:
            return error.reason
        return pieces[0].reason if isinstance(pieces[0], Rejected) else pieces[0].clip
