"""Measures frozen features by retrieval: by class within one stream, by partner across both."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from actcl_tf import config
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import feature_sets, windows
from actcl_tf.evaluate.metrics import class_retrieval, retrieval, scores
from actcl_tf.evaluate.protocols.context import Context
from actcl_tf.evaluate.results import results

_SCORES = ("r1", "r5", "r10", "r20", "median_rank")
RETRIEVAL = "retrieval"
ACROSS = ("video_to_audio", "audio_to_video")


def rows(
    context: Context, sets: Sequence[feature_sets.FeatureSet]
) -> Iterator[results.Measurement]:
    """Every set of features by every modality and label, then across modalities.

    Args:
      context: of the evaluation.
      sets: features of all clips.

    Raises:
      config.ConfigError: clips have several labels, of which none is the one to be found.
    """
    settings, names = context.plan.settings, context.filenames
    for each in sets:
        for targets in context.targets:
            folds = splits.labelled(context.folds, targets)
            for modality in context.modalities_of(each):
                yield within(
                    each, modality, targets, folds=folds, filenames=names, settings=settings
                )
        if all(f"{stream}_embedding" in each.arrays for stream in windows.MODALITIES):
            yield from across(each, context.folds, names, settings)


def within(
    features: feature_sets.FeatureSet,
    modality: str,
    targets: clip_table.Targets,
    folds: Sequence[splits.Fold],
    filenames: Sequence[str],
    settings: config.EvaluationConfig,
) -> results.Measurement:
    """Test clips search the training clips for their class; a row of the table.

    Args:
      features: of all clips of the table.
      modality: video, audio or both.
      targets: one class a clip.
      folds: to measure on.
      filenames: n names of the clips' videos.
      settings: of the evaluation.

    Raises:
      config.ConfigError: clips have several labels, of which none is the one to be found.
    """
    if targets.values.ndim == 2:
        raise config.ConfigError(
            "--protocol=retrieval: clips of this data may have several labels, and are searched "
            "for by their one"
        )

    def search(fold: splits.Fold) -> _Found:
        candidates, queries = search_rows(features, modality, fold, settings)
        labels = [targets.values[rows] for rows in (fold.test, fold.train)]
        each = class_retrieval.by_label(queries, labels[0], candidates, labels[1])
        # Beyond the last candidate nothing is found.
        ranks = np.where(each.ranks <= len(fold.train), each.ranks, np.inf)
        return _Found(ranks, each.scores, class_retrieval.chance(*labels), len(fold.train))

    parts = (features.name, modality, settings.preprocessing, targets.name, "")
    return _row(parts, folds, search, filenames, seed=settings.seed)


def telling_scores(num_candidates: int) -> tuple[str, ...]:
    """The scores that say something: among 5 candidates, the right one is always in the first 5."""
    trivial = {f"r{k}" for k in retrieval.KS if num_candidates <= k > 1}
    return tuple(name for name in _SCORES if name not in trivial)


def search_rows(
    features: feature_sets.FeatureSet,
    modality: str,
    fold: splits.Fold,
    settings: config.EvaluationConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """One vector a clip, preprocessed, of the training and the test clips of a fold."""
    how = "concatenate" if settings.windows == "concatenate" else "mean"
    read = windows.Features(features.arrays, modality, how, settings.clips)
    return read.matrices(settings.preprocessing, fold.train, fold.test)


def across(
    features: feature_sets.FeatureSet,
    folds: Sequence[splits.Fold],
    filenames: Sequence[str],
    settings: config.EvaluationConfig,
) -> list[results.Measurement]:
    """Audio and video of the test clips search each other by their embeddings; two rows.

    Args:
      features: with the embeddings of both streams.
      folds: to measure on.
      filenames: n names of the clips' videos.
      settings: of the evaluation.
    """

    def search(fold: splits.Fold, order: int) -> _Found:
        pair = [_by_time(features, stream, fold, settings) for stream in windows.MODALITIES]
        ranks = retrieval.ranks(*pair[::order])
        return _Found(ranks, retrieval.score(ranks), retrieval.chance(len(fold.test)), None)

    return [
        _row(
            (features.name, direction, "", "", ""),
            folds,
            functools.partial(search, order=order),
            filenames,
            seed=settings.seed,
        )
        for direction, order in zip(ACROSS, (1, -1), strict=True)
    ]


def _by_time(
    features: feature_sets.FeatureSet,
    stream: str,
    fold: splits.Fold,
    settings: config.EvaluationConfig,
) -> np.ndarray:
    """Embeddings [b, W, D] of the windows in time; crops of a window are averaged."""
    x = np.asarray(features.arrays[f"{stream}_embedding"][fold.test])
    return x.reshape(len(x), settings.clips, -1, x.shape[-1]).mean(axis=2)


class _Found(NamedTuple):
    """Ranks [b], their scores and what chance gives; training clips searched, None across."""

    ranks: np.ndarray
    scores: Any
    chance: Any
    num_train: int | None


def _row(
    parts: tuple[str, ...],
    folds: Sequence[splits.Fold],
    search: Callable[[splits.Fold], _Found],
    filenames: Sequence[str],
    *,
    seed: int,
) -> results.Measurement:
    started = time.perf_counter()
    found = [search(fold) for fold in folds]
    names = telling_scores(
        min(each.num_train or len(fold.test) for fold, each in zip(folds, found, strict=True))
    )
    measured = [
        results.Fold(
            fold.name,
            each.num_train or 0,
            len(fold.test),
            {name: getattr(each.scores, name) for name in names},
        )
        for fold, each in zip(folds, found, strict=True)
    ]
    videos = np.array(filenames)[np.concatenate([fold.test for fold in folds])]
    ranks = np.concatenate([each.ranks for each in found])
    intervals = {
        f"r{k}": scores.bootstrap_interval(ranks <= k, seed=seed, groups=videos)
        for k in retrieval.KS
        if f"r{k}" in names
    }
    return results.Measurement(
        results.name_of(RETRIEVAL, *parts),
        RETRIEVAL,
        *parts,
        folds=measured,
        summary=results.summarise(measured, intervals),
        chance={
            name: float(np.mean([getattr(each.chance, name) for each in found])) for name in names
        },
        confusion=None,
        per_class=[],
        seconds=round(time.perf_counter() - started, 3),
    )
