"""Audio as an image, on one scale for all clips."""

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes

from actcl_tf.models import frontends

_MEL_BANDS = 80
_LOWEST, _HIGHEST = -2.0, 1.5  # Of the frontend's levels: digital silence, and quite loud.


def draw(axes: Axes, waveform: np.ndarray, sample_rate: int, seconds: float) -> None:
    """Draws a log-mel spectrogram over a time axis.

    Args:
      axes: to draw on.
      waveform: [S] float32.
      sample_rate: samples a second.
      seconds: that the axis spans.
    """
    axes.imshow(
        log_mel(waveform, sample_rate).T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=_LOWEST,
        vmax=_HIGHEST,
        extent=(0, seconds, 0, 1),
    )
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=6.5, length=2, pad=1.5)
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.spines[:].set_visible(False)


def log_mel(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """[F, R] float32 of a waveform [S], as audio encoders get it; fewer bands at low rates."""
    bands = _MEL_BANDS
    while True:
        try:
            frontend = frontends.AudioFrontend(sample_rate, bands, 0.0, 0.0)
        except ValueError:
            bands //= 2
            if not bands:
                raise
            continue
        return tf.cast(frontend(waveform[np.newaxis])[0], tf.float32).numpy()
