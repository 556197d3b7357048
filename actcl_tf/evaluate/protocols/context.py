"""What an evaluation is about: the plan, and the clips, folds and labels that it finds."""

import dataclasses
import pathlib
from typing import Any

from actcl_tf import config
from actcl_tf.console import bars
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import clip_inputs, encoders, feature_sets, windows
from actcl_tf.evaluate.protocols import protocol_settings


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
    protocol_settings: protocol_settings.Settings
    finetune: config.FinetuneConfig
    run: config.PretrainConfig
    given: frozenset[str]
    checkpoint: encoders.Checkpoint | None
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
      inputs: all clips, and how they are read.
      folds: what is learned from and what is measured.
      targets: what is predicted; nothing for retrieval of clips without labels.
      modalities: what of the clips is measured, of `config.MODALITIES`.
    """

    plan: Plan
    inputs: clip_inputs.ClipInputs
    folds: list[splits.Fold]
    targets: list[clip_table.Targets]
    modalities: tuple[str, ...]

    @property
    def filenames(self) -> list[str]:
        """Names of the clips' videos."""
        return self.inputs.table.filenames

    def modalities_of(self, features: feature_sets.FeatureSet) -> list[str]:
        """Those of the modalities that some features are of."""
        return [
            modality
            for modality in self.modalities
            if all(stream in features.arrays for stream in windows.modalities_of(modality))
        ]


def find(plan: Plan) -> Context:
    """Reads which clips there are and checks that the plan can be followed.

    Raises:
      config.ConfigError, records.DataError: plan and data do not go together.
    """
    settings, data = plan.settings, plan.run.data
    names = splits.names_of(settings, data.data_dir)
    with _Bars() as progress:
        table = clip_table.read(data.data_dir, names, progress)
    held = table.manifest.streams
    modalities = settings.modality or (windows.MODALITIES if held == "both" else (held,))
    if plan.checkpoint is not None:
        data = encoders.match_rates(data, table.manifest, plan.checkpoint, plan.given)
    return Context(
        plan=plan,
        folds=splits.find_folds(table, settings),
        targets=_targets(settings, table),
        modalities=modalities,
        inputs=clip_inputs.build_inputs(table, settings, data, modalities, plan.checkpoint),
    )


def _targets(
    settings: config.EvaluationConfig, table: clip_table.ClipTable
) -> list[clip_table.Targets]:
    try:
        return clip_table.find_targets(table, settings.label_pattern)
    except records.DataError:
        if settings.protocol == "retrieval" and table.manifest.streams == "both":
            return []  # Audio and video find each other without labels.
        raise


class _Bars:
    """A progress bar for each split whose labels are read, one after the other."""

    def __init__(self) -> None:
        self._bar = None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, split: str, done: int, total: int) -> None:
        title = f"reading labels of {split}"
        if self._bar is None or self._bar.desc != title:
            self.__exit__()
            self._bar = bars.Bar(total=total, desc=title, unit="clip")
        self._bar.update(done - self._bar.n)
