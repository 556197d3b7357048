"""The configuration of a run: frozen dataclasses, checked before any work starts.

Each field is one flag of `tools/train.py`, with the same name; its help text is in the field's
metadata, so that a flag, its default and its meaning are written down once, here.
"""

from actcl_tf.config.contrast import NEGATIVES, SEEDINGS, ContrastConfig
from actcl_tf.config.data import DataConfig
from actcl_tf.config.evaluation import BASELINES, PREPROCESSINGS, EvaluationConfig
from actcl_tf.config.fields import ConfigError, field
from actcl_tf.config.finetune import NUM_STAGES, FinetuneConfig
from actcl_tf.config.model import (
    AUDIO_ENCODERS,
    HEADS,
    POOLED_VIDEO_ENCODERS,
    PUBLISHED_VIDEO_ENCODERS,
    VIDEO_ENCODERS,
    VIDEO_STRIDES,
    ModelConfig,
)
from actcl_tf.config.run import SECTIONS, PretrainConfig, from_dict, from_flat
from actcl_tf.config.train import LOCAL_STRATEGIES, OPTIMIZERS, STRATEGIES, TrainConfig
from actcl_tf.storage.errors import UserError

__all__ = [
    "AUDIO_ENCODERS",
    "BASELINES",
    "HEADS",
    "LOCAL_STRATEGIES",
    "NEGATIVES",
    "NUM_STAGES",
    "OPTIMIZERS",
    "POOLED_VIDEO_ENCODERS",
    "PREPROCESSINGS",
    "PUBLISHED_VIDEO_ENCODERS",
    "SECTIONS",
    "SEEDINGS",
    "STRATEGIES",
    "VIDEO_ENCODERS",
    "VIDEO_STRIDES",
    "ConfigError",
    "ContrastConfig",
    "DataConfig",
    "EvaluationConfig",
    "FinetuneConfig",
    "ModelConfig",
    "PretrainConfig",
    "TrainConfig",
    "UserError",
    "field",
    "from_dict",
    "from_flat",
]
