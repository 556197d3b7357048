"""Features of all clips of an evaluation: of the trained encoders, and of the baselines."""

from typing import Any, Callable, Optional

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.console import bars
from actcl_tf.data.input import pipeline
from actcl_tf.evaluate.context import Context
from actcl_tf.evaluate.features import encoders, feature_store, features
from actcl_tf.evaluate.protocols import frozen
from actcl_tf.train.placement import strategy

_RANDOM_WIDTH = 512


def make(context: Context, say: Callable[[str], None]) -> list[frozen.Frozen]:
    """All features that the plan asks for, made where they are not there already.

    Args:
      context: of the evaluation.
      say: takes lines for the console.

    Raises:
      config.ConfigError: there is nothing to measure, or a baseline that the plan has no place for.
      records.DataError: the data cannot be read, or features not be kept.
    """
    plan = context.plan
    kinds = plan.settings.baselines
    if plan.checkpoint is not None:
        kinds = ("trained", *kinds)
    if not kinds:
        raise config.ConfigError("--checkpoint=: must name what to measure, or name --baselines")
    if "log_mel" in kinds and "audio" not in context.streams:
        raise config.ConfigError("--baselines=log_mel: no sound is measured")
    tf.keras.mixed_precision.set_global_policy(strategy.resolve_precision(plan.precision))
    sets = []
    for kind in kinds:
        if kind == "random":
            encoded = [each.arrays for each in sets if each.name != "log_mel"]
            arrays = _random(context, encoded[0] if encoded else {})
        else:
            arrays = _encoded(context, kind, say)
        sets.append(frozen.Frozen(kind, arrays))
    return sets


def _encoded(context: Context, kind: str, say: Callable[[str], None]) -> feature_store.Arrays:
    num = len(context.table.clip_ids)
    with bars.Bar(total=num, desc=f"encoding ({kind})", unit="clip") as bar:
        try:
            arrays, were_there = feature_store.load_or_make(
                context.plan.cache_dir,
                _about(context, kind),
                context.table.clip_ids,
                lambda: (
                    _clips(context, kind),
                    features.WindowEncoder(_encoders(context, kind)),
                ),
                lambda done: bar.update(done - bar.n),
            )
        except tf.errors.OpError as error:
            raise context.explain(error) from error
        bar.update(num - bar.n)
    if were_there:
        say(f"Features ({kind}) were there already.")
    return arrays


def _encoders(context: Context, kind: str) -> dict[str, encoders.Encode]:
    plan = context.plan
    if kind == "log_mel":
        return encoders.log_mel(context.sample_rate, plan.run.model.mel_bands)
    if plan.checkpoint is None:
        raise config.ConfigError(f"--baselines={kind}: needs a --checkpoint")
    found = (encoders.load if kind == "trained" else encoders.initialised)(plan.checkpoint)
    return {stream: found[stream] for stream in context.streams}


def _streams_of(context: Context, kind: str) -> tuple[str, ...]:
    # Pictures stay with log_mel: they say where the windows of the sound are.
    return ("audio",) if kind == "log_mel" and context.num_samples else context.streams


def _clips(context: Context, kind: str) -> tf.data.Dataset:
    settings, dataset = context.plan.settings, None
    for split in context.table.manifests:
        part = pipeline.build_eval_dataset(
            context.data,
            split=split,
            batch_size=settings.encoding_batch_size,
            num_windows=settings.clips,
            crops=settings.crops,
            modalities=_streams_of(context, kind),
            num_samples=context.num_samples,
            loop_short=context.loop_short,
        )
        dataset = part if dataset is None else dataset.concatenate(part)
    return dataset


def _about(context: Context, kind: str) -> dict[str, Any]:
    """All that features depend on."""
    plan, data = context.plan, context.data
    if kind == "log_mel":
        encoder = {"kind": kind, "mel_bands": plan.run.model.mel_bands}
    else:
        encoder = {"kind": kind, "digest": plan.checkpoint and plan.checkpoint.digest}
    return {
        "encoder": encoder,
        "precision": tf.keras.mixed_precision.global_policy().name,
        "data": {"digest": context.table.digest, "splits": list(context.table.manifests)},
        "transform": {
            "streams": list(_streams_of(context, kind)),
            "clips": plan.settings.clips,
            "crops": plan.settings.crops,
            "num_frames": data.num_frames,
            "frame_stride": data.frame_stride,
            "image_size": data.image_size,
            "region": data.region,
            "num_samples": context.num_samples,
            "loop_short": context.loop_short,
        },
    }


def _random(context: Context, like: feature_store.Arrays) -> dict[str, np.ndarray]:
    """Numbers that know nothing of the clips, of the shape of features where there are any."""
    settings, made = context.plan.settings, {}
    names = [name for stream in context.streams for name in (stream, f"{stream}_embedding")]
    for place, name in enumerate(names):
        crops = settings.crops if name.startswith("video") else 1
        shape: tuple[int, ...] = (settings.clips * crops, _RANDOM_WIDTH)
        found: Optional[np.ndarray] = like.get(name)
        if found is not None:
            shape = found.shape[1:]
        made[name] = feature_store.random_features(
            context.table.clip_ids, shape, seed=settings.seed, stream=place
        )
    return made
