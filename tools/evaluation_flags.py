"""The flags of an evaluation, and the plan that they ask for."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

import built_in_data
import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.evaluate.protocols import protocol_settings

if TYPE_CHECKING:
    from actcl_tf.evaluate import evaluation
    from actcl_tf.evaluate.features import encoders

_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    "",
    "What to measure: folder of a run (--run_dir of tools/train.py) or of an export (--output of "
    "tools/export.py).",
)
_WHICH = flags.DEFINE_string(
    "which",
    "auto",
    "Checkpoint of the run: latest, best (of its evaluations), auto (best if there is one, else "
    "latest), or the path of a checkpoint without .index.",
)
_OUTPUT = flags.DEFINE_string(
    "output", "", "Folder to write to; empty: evaluations/NAME in the checkpoint's folder."
)
_NAME = flags.DEFINE_string(
    "name", "", "What tables call the result; empty: names of checkpoint and protocol."
)
_NOT_OF_DATA = (
    *("input", "num_workers", "clip_timeout", "train_split", "eval_split"),
    *("data_service", "data_service_job", "augment_on", "probe_pattern", "quantities"),
)
_OF_THE_RUN = "[that of the checkpoint's run, unless named] "
field_flags.define(config.EvaluationConfig)
field_flags.define(protocol_settings.Settings)
field_flags.define(config.FinetuneConfig)
field_flags.define(config.DataConfig, prefix=_OF_THE_RUN, without=_NOT_OF_DATA)
field_flags.define(config.ModelConfig, prefix=_OF_THE_RUN)
field_flags.define(config.TrainConfig, only=("precision",))
flags.DEFINE_enum(
    "strategy",
    "auto",
    config.LOCAL_STRATEGIES,
    "Where fine-tuning runs: on one device or on all GPUs of this machine (mirrored); auto: on "
    "what is there.",
)


def read_plan() -> "evaluation.Plan":
    """The flags as a plan; makes the built-in data set where no data is named.

    Raises:
      config.ConfigError: a wrong value, or values that contradict each other.
      errors.CheckpointError: the checkpoint cannot be used.
    """
    settings = field_flags.read(config.EvaluationConfig)
    finetune = field_flags.read(config.FinetuneConfig)
    protocol = field_flags.read(protocol_settings.Settings)
    given = _given()
    config.from_flat(given)  # Wrong values are found before anything is opened.
    tensorflow_log.import_tensorflow()

    from actcl_tf.evaluate import evaluation
    from actcl_tf.evaluate.features import encoders

    checkpoint = None
    if _CHECKPOINT.value:
        checkpoint = encoders.open_checkpoint(_CHECKPOINT.value, _WHICH.value)
    run = _merge(checkpoint, given, finetune.from_scratch)
    if not run.data.data_dir:
        run = config.from_flat({**_flat(run), "data_dir": str(built_in_data.records())})
    source = pathlib.Path(_CHECKPOINT.value).name if checkpoint else "no_checkpoint"
    name = _NAME.value or f"{source} {settings.protocol}"
    folder = pathlib.Path(_CHECKPOINT.value or "runs") / "evaluations" / name.replace(" ", "_")
    cache = built_in_data.cache_dir() / "features"
    return evaluation.Plan(
        name=name,
        settings=settings,
        protocol_settings=protocol,
        finetune=finetune,
        run=run,
        given=frozenset(given),
        checkpoint=checkpoint,
        precision=flags.FLAGS["precision"].value,
        strategy=flags.FLAGS["strategy"].value,
        output=pathlib.Path(_OUTPUT.value) if _OUTPUT.value else folder,
        cache_dir=cache,
        flags=_all_flags(),
    )


def _given() -> dict[str, Any]:
    """Settings of model and input that the user named."""
    sections = (config.DataConfig, config.ModelConfig)
    names = [field.name for section in sections for field in dataclasses.fields(section)]
    found = {name: flags.FLAGS[name] for name in names if name not in _NOT_OF_DATA}
    return {name: flag.value for name, flag in found.items() if flag.present}


def _merge(
    checkpoint: "encoders.Checkpoint | None", given: dict[str, Any], from_scratch: bool
) -> config.PretrainConfig:
    """Settings of the checkpoint's run, or the defaults, changed by what the user named."""
    values = {} if checkpoint is None else _flat(checkpoint.run)
    changes = {"data_dir": "", "input": "records", "augment_on": "host", **given}
    if checkpoint is not None and not from_scratch:
        for field in dataclasses.fields(config.ModelConfig):
            if field.name in given and given[field.name] != values[field.name]:
                raise config.ConfigError(
                    f"--{field.name}={given[field.name]}: the encoders of {checkpoint.path} have "
                    f"{values[field.name]}; name no model settings beside --checkpoint"
                )
    return config.from_flat({**values, **changes})


def _flat(run: config.PretrainConfig) -> dict[str, Any]:
    return {name: value for part in run.to_dict().values() for name, value in part.items()}


def _all_flags() -> dict[str, Any]:
    """All flags of the tools and their values."""
    return {flag.name: flag.value for flag in field_flags.of_tools()}
