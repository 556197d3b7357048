"""How the clips of an evaluation are read for its encoders."""

import dataclasses

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import clip_sampling, pipeline, tagged_errors
from actcl_tf.data.records import records, shards
from actcl_tf.evaluate.clips import clip_table
from actcl_tf.evaluate.features import encoders, windows


@dataclasses.dataclass(frozen=True)
class ClipInputs:
    """The clips, and what an encoder gets of each.

    Attributes:
      table: all clips.
      settings: of the evaluation.
      data: data settings, with the stride that suits the encoders.
      streams: what is encoded: video, audio or both.
      num_samples: samples of a window where audio is measured alone; None where video is, too.
      sample_rate: samples a second that audio encoders take.
      num_audio_samples: samples of a training clip.
    """

    table: clip_table.ClipTable
    settings: config.EvaluationConfig
    data: config.DataConfig
    streams: tuple[str, ...]
    num_samples: int | None
    sample_rate: int
    num_audio_samples: int

    @property
    def loop_short(self) -> bool:
        """Whether clips shorter than a window are repeated."""
        return self.settings.short_clips == "loop"

    def dataset(self, split: str, streams: tuple[str, ...], **options: object) -> tf.data.Dataset:
        """Windows of the clips of a split; see `pipeline.build_eval_dataset`."""
        return pipeline.build_eval_dataset(
            self.data,
            split=split,
            batch_size=self.settings.encoding_batch_size,
            num_windows=self.settings.clips,
            crops=self.settings.crops,
            modalities=streams,
            num_samples=self.num_samples,
            loop_short=self.loop_short,
            **options,
        )

    def explain(self, error: tf.errors.OpError) -> records.DataError:
        """What to raise instead of TensorFlow's error, which names operations and no files."""
        data_dir = self.data.data_dir
        if isinstance(error, tf.errors.DataLossError):
            return shards.damage_error(error, data_dir, *self.table.manifests)
        for tag in (clip_sampling.TOO_SHORT, clip_sampling.AUDIO_TOO_SHORT):
            if tagged_errors.message_of(error, tag):
                return records.DataError(f"{data_dir}: {tag}")
        return records.DataError(f"{data_dir}: a clip cannot be encoded: {error.message}")


def build_inputs(
    table: clip_table.ClipTable,
    settings: config.EvaluationConfig,
    data: config.DataConfig,
    modalities: tuple[str, ...],
    checkpoint: encoders.Checkpoint | None,
) -> ClipInputs:
    """Settles what is read of the clips for some modalities, of `config.MODALITIES`.

    Raises:
      config.ConfigError: --audio_window beside video.
    """
    manifest = table.manifest
    needed = {stream for each in modalities for stream in windows.modalities_of(each)}
    streams = tuple(stream for stream in windows.MODALITIES if stream in needed)
    seconds, alone = settings.audio_window, streams == ("audio",)
    if seconds and not alone:
        raise config.ConfigError(
            f"--audio_window={seconds:g}: has a meaning where audio is measured alone, with "
            "--modality=audio; beside video, audio has its length"
        )
    if checkpoint is not None:
        sample_rate, trained_on = checkpoint.sample_rate, checkpoint.num_audio_samples
    else:
        sample_rate = round(manifest.sample_rate)
        trained_on = clip_sampling.num_audio_samples(
            data.num_frames, data.frame_stride, manifest.frame_rate, manifest.sample_rate
        )
    num_samples = None
    if alone:
        num_samples = round(seconds * manifest.sample_rate) if seconds else trained_on
    if checkpoint is None and num_samples is not None:
        trained_on = num_samples
    return ClipInputs(
        table=table,
        settings=settings,
        data=data,
        streams=streams,
        num_samples=num_samples,
        sample_rate=sample_rate,
        num_audio_samples=trained_on,
    )
