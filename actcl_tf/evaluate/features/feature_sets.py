"""Features of all clips of an evaluation: of the trained encoders, and of the baselines."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.console import bars
from actcl_tf.evaluate.features import encoders, feature_store, features
from actcl_tf.evaluate.features.clip_inputs import ClipInputs
from actcl_tf.train.placement import strategy

_RANDOM_WIDTH = 512


class FeatureSet(NamedTuple):
    """Features of all clips.

    Attributes:
      name: trained, initialised, random or log_mel.
      arrays: stream to [n, W, d] float32.
    """

    name: str
    arrays: Mapping[str, np.ndarray]


def make(
    inputs: ClipInputs,
    checkpoint: encoders.Checkpoint | None,
    *,
    mel_bands: int,
    precision: str,
    cache_dir: pathlib.Path,
    say: Callable[[str], None],
) -> list[FeatureSet]:
    """The features of a checkpoint and of the baselines, made where they are not there already.

    Args:
      inputs: the clips; their settings name the baselines.
      checkpoint: where encoders come from; None for baselines that need none.
      mel_bands: of the baseline log_mel.
      precision: of the encoders' arithmetic, a value of --precision.
      cache_dir: where features are kept.
      say: takes lines for the console.

    Raises:
      config.ConfigError: there is nothing to measure, or a baseline that the plan has no place for.
      records.DataError: the data cannot be read, or features not be kept.
    """
    kinds = inputs.settings.baselines
    if checkpoint is not None:
        kinds = ("trained", *kinds)
    if not kinds:
        raise config.ConfigError("--checkpoint=: must name what to measure, or name --baselines")
    if "log_mel" in kinds and "audio" not in inputs.streams:
        raise config.ConfigError("--baselines=log_mel: no audio is measured")
    tf.keras.mixed_precision.set_global_policy(strategy.resolve_precision(precision))
    maker = _Maker(inputs, checkpoint, mel_bands, cache_dir)
    sets = []
    for kind in kinds:
        if kind == "random":
            encoded = [each.arrays for each in sets if each.name != "log_mel"]
            arrays = _random(inputs, encoded[0] if encoded else {})
        else:
            arrays = maker.encoded(kind, say)
        sets.append(FeatureSet(kind, arrays))
    return sets


class _Maker(NamedTuple):
    """Encodes the clips by each kind of encoder."""

    inputs: ClipInputs
    checkpoint: encoders.Checkpoint | None
    mel_bands: int
    cache_dir: pathlib.Path

    def encoded(self, kind: str, say: Callable[[str], None]) -> feature_store.Arrays:
        clip_ids = self.inputs.table.clip_ids
        with bars.Bar(total=len(clip_ids), desc=f"encoding ({kind})", unit="clip") as bar:
            try:
                arrays, were_there = feature_store.load_or_make(
                    self.cache_dir,
                    self._about(kind),
                    clip_ids,
                    lambda: (self._clips(kind), features.WindowEncoder(self._encoders(kind))),
                    lambda done: bar.update(done - bar.n),
                )
            except tf.errors.OpError as error:
                raise self.inputs.explain(error) from error
            bar.update(len(clip_ids) - bar.n)
        if were_there:
            say(f"Features ({kind}) were there already.")
        return arrays

    def _encoders(self, kind: str) -> dict[str, encoders.Encode]:
        if kind == "log_mel":
            return encoders.log_mel(self.inputs.sample_rate, self.mel_bands)
        if self.checkpoint is None:
            raise config.ConfigError(f"--baselines={kind}: needs a --checkpoint")
        found = (encoders.load if kind == "trained" else encoders.initialised)(self.checkpoint)
        return {stream: found[stream] for stream in self.inputs.streams}

    def _streams(self, kind: str) -> tuple[str, ...]:
        # Video stays with log_mel: it says where the windows of the audio are.
        only_audio = kind == "log_mel" and self.inputs.num_samples
        return ("audio",) if only_audio else self.inputs.streams

    def _clips(self, kind: str) -> tf.data.Dataset:
        dataset = None
        for split in self.inputs.table.manifests:
            part = self.inputs.dataset(split, self._streams(kind))
            dataset = part if dataset is None else dataset.concatenate(part)
        return dataset

    def _about(self, kind: str) -> dict[str, Any]:
        """All that features depend on."""
        inputs = self.inputs
        if kind == "log_mel":
            encoder = {"kind": kind, "mel_bands": self.mel_bands}
        else:
            encoder = {"kind": kind, "digest": self.checkpoint and self.checkpoint.digest}
        return {
            "encoder": encoder,
            "precision": tf.keras.mixed_precision.global_policy().name,
            "data": {"digest": inputs.table.digest, "splits": list(inputs.table.manifests)},
            "transform": {
                "streams": list(self._streams(kind)),
                "clips": inputs.settings.clips,
                "crops": inputs.settings.crops,
                "num_frames": inputs.data.num_frames,
                "frame_stride": inputs.data.frame_stride,
                "image_size": inputs.data.image_size,
                "region": inputs.data.region,
                "num_samples": inputs.num_samples,
                "loop_short": inputs.loop_short,
            },
        }


def _random(inputs: ClipInputs, like: feature_store.Arrays) -> dict[str, np.ndarray]:
    """Numbers that know nothing of the clips, of the shape of features where there are any."""
    settings, made = inputs.settings, {}
    names = [name for stream in inputs.streams for name in (stream, f"{stream}_embedding")]
    for place, name in enumerate(names):
        crops = settings.crops if name.startswith("video") else 1
        shape: tuple[int, ...] = (settings.clips * crops, _RANDOM_WIDTH)
        found: np.ndarray | None = like.get(name)
        if found is not None:
            shape = found.shape[1:]
        made[name] = feature_store.random_features(
            inputs.table.clip_ids, shape, seed=settings.seed, stream=place
        )
    return made
