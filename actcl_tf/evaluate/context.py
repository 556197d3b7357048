"""What an evaluation is about: the plan, and the clips, folds and labels that it finds."""

import dataclasses
import pathlib
from typing import Any, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.console import bars
from actcl_tf.data.input import clip_sampling
from actcl_tf.data.records import records, shards
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import encoders, windows
from actcl_tf.evaluate.protocols import protocols, searches


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
      name: what tables call the result.
      settings: of the evaluation.
      protocol_settings: what the protocol leaves open.
      finetune: how encoders are fine-tuned.
      run: data and model settings: those of the checkpoint's run, changed by what the user named.
      given: names of the settings that the user named.
      checkpoint: where encoders come from; None for baselines that need none.
      precision: of the encoders' arithmetic, a value of --precision.
      strategy: of fine-tuning, a value of --strategy.
      output: folder of the result.
      cache_dir: where features are kept.
      flags: all flags, for the result.
    """

    name: str
    settings: config.EvaluationConfig
    protocol_settings: protocols.Settings
    finetune: config.FinetuneConfig
    run: config.PretrainConfig
    given: frozenset[str]
    checkpoint: Optional[encoders.Checkpoint]
    precision: str
    strategy: str
    output: pathlib.Path
    cache_dir: pathlib.Path
    flags: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Context:
    """A plan, and what the data says to it.

    Attributes:
      plan: what is to be measured.
      table: all clips.
      folds: what is learned from and what is measured.
      targets: what is predicted; nothing for retrieval of clips without labels.
      modalities: what of the clips is measured, of `config.MODALITIES`.
      data: data settings, with the stride that suits the encoders.
      num_samples: samples of a window where sound is measured alone; None where pictures are, too.
    """

    plan: Plan
    table: clip_table.ClipTable
    folds: list[splits.Fold]
    targets: list[clip_table.Targets]
    modalities: tuple[str, ...]
    data: config.DataConfig
    num_samples: Optional[int]

    @property
    def streams(self) -> tuple[str, ...]:
        """What is encoded: video, audio or both."""
        return _streams(self.modalities)

    @property
    def loop_short(self) -> bool:
        """Whether clips shorter than a window are repeated."""
        return self.plan.settings.short_clips == "loop"

    @property
    def sample_rate(self) -> int:
        """Samples a second that audio encoders take."""
        checkpoint = self.plan.checkpoint
        return (
            round(self.table.manifest.sample_rate) if checkpoint is None else checkpoint.sample_rate
        )

    @property
    def num_audio_samples(self) -> int:
        """Samples of a training clip."""
        if self.plan.checkpoint is not None:
            return self.plan.checkpoint.num_audio_samples
        if self.num_samples is not None:
            return self.num_samples
        return _num_audio_samples(self.data, self.table.manifest)

    def explain(self, error: tf.errors.OpError) -> records.DataError:
        """What to raise instead of TensorFlow's error, which names operations and no files."""
        data_dir = self.data.data_dir
        if isinstance(error, tf.errors.DataLossError):
            for split in self.table.manifests:
                damage = shards.find_damage(data_dir, split)
                if damage:
                    return records.DataError(damage)
        for known in (clip_sampling.TOO_SHORT, clip_sampling.AUDIO_TOO_SHORT):
            if known in str(error.message):
                return records.DataError(f"{data_dir}: {known}")
        return records.DataError(f"{data_dir}: a clip cannot be encoded: {error.message}")


def find(plan: Plan) -> Context:
    """Reads which clips there are and checks that the plan can be followed.

    Raises:
      config.ConfigError, records.DataError: plan and data do not go together.
    """
    settings, data = plan.settings, plan.run.data
    names = splits.names_of(settings, data.data_dir)
    with _Bars("reading labels") as bars:
        table = clip_table.read(data.data_dir, names, bars)
    held = table.manifest.streams
    modalities = settings.modality or (windows.MODALITIES if held == "both" else (held,))
    if plan.checkpoint is not None:
        data = encoders.match_rates(data, table.manifest, plan.checkpoint, plan.given)
    return Context(
        plan=plan,
        table=table,
        folds=splits.find_folds(table, settings),
        targets=_targets(plan, table),
        modalities=modalities,
        data=data,
        num_samples=_num_samples(plan, table.manifest, data, _streams(modalities)),
    )


def _streams(modalities: tuple[str, ...]) -> tuple[str, ...]:
    needed = {stream for each in modalities for stream in windows.modalities_of(each)}
    return tuple(stream for stream in windows.MODALITIES if stream in needed)


def _targets(plan: Plan, table: clip_table.ClipTable) -> list[clip_table.Targets]:
    try:
        return clip_table.find_targets(table, plan.settings.label_pattern)
    except records.DataError:
        if plan.settings.protocol == searches.RETRIEVAL and table.manifest.streams == "both":
            return []  # Sound and picture find each other without labels.
        raise


def _num_samples(
    plan: Plan, manifest: records.Manifest, data: config.DataConfig, streams: tuple[str, ...]
) -> Optional[int]:
    seconds = plan.settings.audio_window
    if streams != ("audio",):
        if seconds:
            raise config.ConfigError(
                f"--audio_window={seconds:g}: has a meaning where sound is measured alone, with "
                "--modality=audio; beside pictures, sound has their length"
            )
        return None
    if seconds:
        return round(seconds * manifest.sample_rate)
    if plan.checkpoint is not None:
        return plan.checkpoint.num_audio_samples
    return _num_audio_samples(data, manifest)


def _num_audio_samples(data: config.DataConfig, manifest: records.Manifest) -> int:
    return clip_sampling.num_audio_samples(
        data.num_frames, data.frame_stride, manifest.frame_rate, manifest.sample_rate
    )


class _Bars:
    """A progress bar for each split, one after the other."""

    def __init__(self, what: str):
        self._what, self._bar = what, None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, split: str, done: int, total: int) -> None:
        if self._bar is None or self._bar.desc != f"{self._what} of {split}":
            self.__exit__()
            self._bar = bars.Bar(total=total, desc=f"{self._what} of {split}", unit="clip")
        self._bar.update(done - self._bar.n)
