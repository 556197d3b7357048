"""How much of a clip a run uses, checked against what a split holds."""

from collections.abc import Collection
from typing import NamedTuple

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sampling
from actcl_tf.data.records import records

MODALITIES = ("video", "audio")


class ClipSpec(NamedTuple):
    """How much of a clip is used, and at which rates it is stored.

    Attributes:
      num_frames: frames used (T); 0 for audio alone.
      frame_stride: step between them, in stored frames.
      frame_rate: stored frames a second.
      sample_rate: samples a second.
      samples: samples of audio used (S), those that the frames cover; 0 for the video alone.
    """

    num_frames: int
    frame_stride: int
    frame_rate: float
    sample_rate: float
    samples: int

    @property
    def frames(self) -> int:
        """Stored frames covered."""
        return clip_sampling.span_frames(self.num_frames, self.frame_stride)


def build_clip_spec(
    config: DataConfig,
    manifest: records.Manifest,
    *,
    modalities: Collection[str] = MODALITIES,
    num_samples: int | None = None,
    loop_short: bool | None = None,
) -> ClipSpec:
    """The span that a configuration asks for.

    Args:
      config: data section of the configuration.
      manifest: of the split.
      modalities: what is used of the clips, of `MODALITIES`.
      num_samples: samples of audio where audio is used alone; None for what the frames would cover.
      loop_short: whether clips shorter than the span are repeated; None where that cannot be asked
        for.

    Raises:
      records.DataError: clips of the split lack video or audio, or one is shorter than the span.
    """
    held = MODALITIES if manifest.streams == "both" else (manifest.streams,)
    lacking = [each for each in modalities if each not in held]
    if lacking:
        needed = "video and audio are" if len(modalities) > 1 else f"{lacking[0]} is"
        raise records.DataError(
            f"--data_dir={config.data_dir}: clips of split {manifest.split!r} hold "
            f"{manifest.streams} alone, and {needed} needed here; prepare them with "
            f"--streams={'both' if len(modalities) > 1 else lacking[0]}"
        )
    if manifest.is_index and len(modalities) == 1:
        raise records.DataError(
            f"--data_dir={config.data_dir}: video or audio alone is read from prepared clips "
            "only; prepare the videos with tools/prepare_data.py"
        )
    rates = (config.frame_stride, manifest.frame_rate, manifest.sample_rate)
    if "video" not in modalities:
        return _audio_alone(config, manifest, rates, num_samples, loop_short)
    samples = clip_sampling.num_audio_samples(config.num_frames, *rates)
    spec = ClipSpec(config.num_frames, *rates, samples if "audio" in modalities else 0)
    if spec.frames > manifest.min_frames and not loop_short:
        raise records.DataError(
            f"--num_frames={config.num_frames}, --frame_stride={config.frame_stride}: a span of "
            f"{spec.frames} frames; num_frames * frame_stride must be at most "
            f"{manifest.min_frames}, the length of the shortest clip of split {manifest.split!r}"
            f"{_way_out(loop_short)}"
        )
    return spec


def _audio_alone(
    config: DataConfig,
    manifest: records.Manifest,
    rates: tuple[int, float, float],
    num_samples: int | None,
    loop_short: bool | None,
) -> ClipSpec:
    if num_samples is None:
        num_samples = clip_sampling.num_audio_samples(config.num_frames, *rates)
    shortest = manifest.min_samples
    if num_samples > shortest > 0 and not loop_short:  # 0 where nobody has counted them.
        raise records.DataError(
            f"--audio_window={num_samples / manifest.sample_rate:g}: must be at most "
            f"{shortest / manifest.sample_rate:g} seconds, the length of the shortest clip of "
            f"split {manifest.split!r}{_way_out(loop_short)}"
        )
    return ClipSpec(0, *rates, num_samples)


def _way_out(loop_short: bool | None) -> str:
    return "" if loop_short is None else "; or name --short_clips=loop"
