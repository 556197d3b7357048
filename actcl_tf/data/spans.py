"""How much of a clip a run uses, checked against what a split holds."""

from typing import NamedTuple

from actcl_tf.config import DataConfig
from actcl_tf.data import clip_sampling, records


class Span(NamedTuple):
    """How much of a clip is used, and at which rates it is stored."""

    num_frames: int
    frame_stride: int
    frame_rate: float
    sample_rate: float

    @property
    def frames(self) -> int:
        """Stored frames covered."""
        return clip_sampling.span_frames(self.num_frames, self.frame_stride)

    @property
    def samples(self) -> int:
        """Samples of sound covered (S)."""
        return clip_sampling.num_audio_samples(*self)


def build_span(config: DataConfig, manifest: records.Manifest) -> Span:
    """The span that a configuration asks for.

    Raises:
      records.DataError: clips of the split lack picture or sound, or one is shorter than the span.
    """
    if manifest.streams != "both":
        raise records.DataError(
            f"--data_dir={config.data_dir}: clips of split {manifest.split!r} hold "
            f"{manifest.streams} alone, and training needs picture and sound; prepare them with "
            "--streams=both"
        )
    span = Span(config.num_frames, config.frame_stride, manifest.frame_rate, manifest.sample_rate)
    if span.frames > manifest.min_frames:
        raise records.DataError(
            f"--num_frames={config.num_frames}, --frame_stride={config.frame_stride}: a span of "
            f"{span.frames} frames; num_frames * frame_stride must be at most "
            f"{manifest.min_frames}, the length of the shortest clip of split {manifest.split!r}"
        )
    return span
