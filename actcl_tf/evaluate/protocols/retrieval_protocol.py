"""Measures frozen features by retrieval: by class within one stream, by partner across both."""

import time
from collections.abc import Iterator, Sequence

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
                yield within(each, modality, targets, folds, names, settings)
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
    started = time.perf_counter()
    names = telling_scores(min(len(fold.train) for fold in folds))
    measured, found, chances = [], [], []
    for fold in folds:
        sides = search_rows(features, modality, fold, settings)
        labels = [targets.values[rows] for rows in (fold.train, fold.test)]
        each = class_retrieval.by_label(sides[1], labels[1], sides[0], labels[0])
        values = {name: getattr(each.scores, name) for name in names}
        measured.append(results.Fold(fold.name, len(fold.train), len(fold.test), values))
        # Beyond the last candidate nothing is found.
        found.append(np.where(each.ranks <= len(fold.train), each.ranks, np.inf))
        chances.append(class_retrieval.chance(labels[1], labels[0]))
    tests = np.concatenate([fold.test for fold in folds])
    return _row(
        features,
        modality,
        settings,
        targets.name,
        measured,
        found,
        filenames,
        tests,
        chances,
        started,
    )


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
    """Sound and picture of the test clips search each other by their embeddings; two rows.

    Args:
      features: with the embeddings of both streams.
      folds: to measure on.
      filenames: n names of the clips' videos.
      settings: of the evaluation.
    """
    rows = []
    names = telling_scores(min(len(fold.test) for fold in folds))
    for place, direction in enumerate(ACROSS):
        started = time.perf_counter()
        measured, found, chances = [], [], []
        for fold in folds:
            pair = [_by_time(features, stream, fold, settings) for stream in windows.MODALITIES]
            ranks = retrieval.ranks(*(pair if place == 0 else pair[::-1]))
            values = retrieval.score(ranks)._asdict()
            scores_of_fold = {name: values[name] for name in names}
            measured.append(results.Fold(fold.name, 0, len(fold.test), scores_of_fold))
            found.append(ranks)
            chances.append(retrieval.chance(len(fold.test)))
        tests = np.concatenate([fold.test for fold in folds])
        rows.append(
            _row(
                features,
                direction,
                settings,
                "",
                measured,
                found,
                filenames,
                tests,
                chances,
                started,
            )
        )
    return rows


def _by_time(
    features: feature_sets.FeatureSet,
    stream: str,
    fold: splits.Fold,
    settings: config.EvaluationConfig,
) -> np.ndarray:
    """Embeddings [b, W, D] of the windows in time; crops of a window are averaged."""
    x = np.asarray(features.arrays[f"{stream}_embedding"][fold.test])
    return x.reshape(len(x), settings.clips, -1, x.shape[-1]).mean(axis=2)


def _row(
    features: feature_sets.FeatureSet,
    modality: str,
    settings: config.EvaluationConfig,
    label: str,
    folds: list[results.Fold],
    ranks: list[np.ndarray],
    filenames: Sequence[str],
    tests: np.ndarray,
    chances: list,
    started: float,
) -> results.Measurement:
    videos, all_ranks = np.array(filenames)[tests], np.concatenate(ranks)
    intervals = {
        f"r{k}": scores.bootstrap_interval(all_ranks <= k, seed=settings.seed, groups=videos)
        for k in retrieval.KS
        if f"r{k}" in folds[0].scores
    }
    preprocessing = settings.preprocessing if label else ""
    parts = (RETRIEVAL, features.name, modality, preprocessing, label, "")
    return results.Measurement(
        results.name_of(*parts),
        *parts,
        folds=folds,
        summary=results.summarise(folds, intervals),
        chance={
            name: float(np.mean([getattr(chance, name) for chance in chances]))
            for name in folds[0].scores
        },
        confusion=None,
        per_class=[],
        seconds=round(time.perf_counter() - started, 3),
    )
