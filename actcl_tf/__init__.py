"""Active contrastive learning of audio-visual video representations.

What applications, notebooks and training loops of others need, by short names; `help` of each
shows an example. Everything is imported on first use.

Encoders that were trained and exported:
  load, VideoEncoder, AudioEncoder, PretrainedError

Active sampling, for a contrastive training loop:
  Dictionary, KeyBatch, MemoryQueue, ActiveSampler, LastLayer, gradient_factors, GradientFactors,
  kmeans_plusplus, info_nce, negative_mask, update_key_encoder
"""

import importlib
import os
from typing import Any

from actcl_tf import cpu_kernels, keras_2

__version__ = "0.1.0"

if os.path.expanduser("~") == "~":
    # A user without a home folder, as in containers: Keras would make a folder called ~.
    os.environ.setdefault("KERAS_HOME", os.devnull)

_NAMES = {
    "load": "pretrained.loading",
    "VideoEncoder": "pretrained.encoders",
    "AudioEncoder": "pretrained.encoders",
    "PretrainedError": "pretrained.layout",
    "ActiveSampler": "contrast.negative_sampling",
    "Dictionary": "contrast.dictionary",
    "KeyBatch": "contrast.dictionary",
    "MemoryQueue": "contrast.memory_queue",
    "LastLayer": "contrast.gradient_embeddings",
    "GradientFactors": "contrast.gradient_embeddings",
    "gradient_factors": "contrast.gradient_embeddings",
    "kmeans_plusplus": "contrast.kmeanspp",
    "info_nce": "contrast.losses",
    "negative_mask": "contrast.losses",
    "update_key_encoder": "contrast.momentum",
}

__all__ = sorted(_NAMES)

cpu_kernels.choose()
keras_2.choose()


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
