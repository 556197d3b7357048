"""A whole run: its sections, and the contradictions between them."""

import dataclasses
import typing
from typing import Any

from actcl_tf.config.contrast import ContrastConfig
from actcl_tf.config.data import DataConfig
from actcl_tf.config.fields import ConfigError
from actcl_tf.config.model import PUBLISHED_VIDEO_ENCODERS, ModelConfig
from actcl_tf.config.train import TrainConfig
from actcl_tf.storage import strict_json


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """A whole run; contradictions between the sections are found here."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    contrast: ContrastConfig = dataclasses.field(default_factory=ContrastConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        batch, contrast = self.train.batch_size, self.contrast
        if self.data.data_service and self.train.deterministic:
            raise ConfigError(
                "--deterministic=True: clips of a --data_service come in no repeatable order; use "
                "one of the two"
            )
        if self.data.data_service and self.data.input == "media":
            raise ConfigError(
                "--input=media: a --data_service makes clips of records only; use one of the two"
            )
        if self.data.data_service and self.data.on_bad_record == "skip":
            raise ConfigError(
                "--on_bad_record=skip: clips that the workers of a --data_service leave out cannot "
                "be counted; use one of the two"
            )
        if contrast.uses_dictionary and contrast.dictionary_size < batch:
            raise ConfigError(
                f"--dictionary_size={contrast.dictionary_size}: must be at least "
                f"--batch_size={batch}, so that the keys of one step fit"
            )
        if contrast.uses_pool and contrast.pool_size < contrast.dictionary_size + batch:
            raise ConfigError(
                f"--dictionary_size={contrast.dictionary_size}: larger than --pool_size="
                f"{contrast.pool_size} can fill; the pool must hold at least dictionary_size + "
                f"batch_size = {contrast.dictionary_size + batch} keys"
            )
        if contrast.negatives == "in_batch" and batch < 2:
            raise ConfigError("--batch_size=1: --negatives=in_batch needs at least 2 clips a step")
        self._check_init_from()

    def _check_init_from(self) -> None:
        """Refuses published weights for a network that has none."""
        if not self.train.init_from:
            return
        encoder, width = self.model.video_encoder, self.model.video_width
        if encoder not in PUBLISHED_VIDEO_ENCODERS:
            raise ConfigError(
                f"--init_from={self.train.init_from}: there are weights for --video_encoder="
                f"{' or '.join(PUBLISHED_VIDEO_ENCODERS)}, not for {encoder}"
            )
        if self.model.video_strides != "published":
            raise ConfigError(
                f"--init_from={self.train.init_from}: there are weights for "
                f"--video_strides=published, not for {self.model.video_strides}"
            )
        if width != 1:
            raise ConfigError(
                f"--init_from={self.train.init_from}: there are weights for --video_width=1, not "
                f"for {width}"
            )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The sections and their values, ready for JSON."""
        return dataclasses.asdict(self)


SECTIONS = {
    "data": DataConfig,
    "model": ModelConfig,
    "contrast": ContrastConfig,
    "train": TrainConfig,
}


def from_flat(values: dict[str, Any]) -> PretrainConfig:
    """Builds a configuration from flag names and values.

    Args:
      values: field name to value, over all sections; missing fields take their defaults.

    Raises:
      ConfigError: a value is not allowed, values contradict, or a name is no field.
    """
    known = {field.name for cls in SECTIONS.values() for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"no such setting: {', '.join(unknown)}")
    sections = {}
    for name, cls in SECTIONS.items():
        names = [field.name for field in dataclasses.fields(cls)]
        sections[name] = cls(**{key: values[key] for key in names if key in values})
    return PretrainConfig(**sections)


def from_dict(sections: dict[str, dict[str, Any]]) -> PretrainConfig:
    """Builds a configuration from what `PretrainConfig.to_dict` gave.

    Raises:
      ConfigError: as `from_flat`, or a value is of another type.
    """
    hints = {
        name: hint for cls in SECTIONS.values() for name, hint in typing.get_type_hints(cls).items()
    }
    try:
        parts = strict_json.build(dict[str, dict[str, Any]], sections, "the configuration")
        values = {
            key: strict_json.build(hints.get(key, Any), value, f"--{key}")
            for part in parts.values()
            for key, value in part.items()
        }
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return from_flat(values)
