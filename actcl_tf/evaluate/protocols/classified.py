"""From class scores of the test clips to a row of the table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.metrics import scores
from actcl_tf.evaluate.results import results

TOP1, TOP5, MEAN_CLASS = "top1", "top5", "mean_class_accuracy"
MAP, D_PRIME = "map", "d_prime"


class ScoredFold(NamedTuple):
    """What a protocol says of a fold's test clips.

    Attributes:
      fold: the clips.
      scores: [b, C] float64, higher is more likely.
      chosen: what the protocol settled on.
    """

    fold: splits.Fold
    scores: np.ndarray
    chosen: dict[str, Any]


def measurement(
    scored: Sequence[ScoredFold],
    targets: clip_table.Targets,
    filenames: Sequence[str],
    *,
    protocol: str,
    features: str,
    modality: str,
    preprocessing: str,
    subset: str,
    seed: int,
    seconds: float,
) -> results.Measurement:
    """Scores the test clips of all folds; the only place where their labels are looked at.

    Args:
      scored: at least one fold.
      targets: of all clips of the table.
      filenames: n names of the clips' videos, which the intervals are drawn by.
      protocol: see `results.Measurement`, as the others.
      features: what made the features.
      modality: stream.
      preprocessing: of the features.
      subset: size of the training set.
      seed: of the bootstrap.
      seconds: that the protocol took.
    """
    score = _multi_label if targets.values.ndim == 2 else _single_label
    folds, intervals, confusion, per_class, chance = score(scored, targets, filenames, seed)
    parts = (protocol, features, modality, preprocessing, targets.name, subset)
    return results.Measurement(
        results.name_of(*parts),
        *parts,
        folds=folds,
        summary=results.summarise(folds, intervals),
        chance=chance,
        confusion=confusion,
        per_class=per_class,
        seconds=round(seconds, 3),
    )


def _single_label(
    scored: Sequence[ScoredFold],
    targets: clip_table.Targets,
    filenames: Sequence[str],
    seed: int,
) -> tuple:
    num, names = len(targets.classes), np.array(filenames)
    # Among five classes or fewer the right one is always among the first five.
    firsts = {TOP1: 1, **({TOP5: 5} if num > 5 else {})}
    folds, ranks, chances = [], [], []
    confusion = np.zeros([num, num], np.int64)
    for fold, found, chosen in scored:
        labels = targets.values[fold.test]
        each = scores.classification(found, labels, num_classes=num)
        values = {name: getattr(each, name) for name in (*firsts, MEAN_CLASS)}
        folds.append(results.Fold(fold.name, len(fold.train), len(fold.test), values, chosen))
        confusion += each.confusion
        ranks.append(each.ranks)
        shares = np.sort(each.counts)[::-1] / len(labels)
        of_firsts = [shares[:k].sum() for k in firsts.values()]
        chances.append([*of_firsts, 1 / np.count_nonzero(each.counts)])
    videos = np.concatenate([names[each.fold.test] for each in scored])
    all_ranks = np.concatenate(ranks)
    intervals = {
        name: scores.bootstrap_interval(all_ranks <= k, seed=seed, groups=videos)
        for name, k in firsts.items()
    }
    counts = confusion.sum(axis=1)
    per_class = [
        {"name": name, "count": int(count), "score": float(right / count) if count else None}
        for name, count, right in zip(targets.classes, counts, confusion.diagonal(), strict=True)
    ]
    chance = dict(zip((*firsts, MEAN_CLASS), np.mean(chances, axis=0).tolist(), strict=True))
    return folds, intervals, confusion.tolist(), per_class, chance


def _multi_label(
    scored: Sequence[ScoredFold],
    targets: clip_table.Targets,
    filenames: Sequence[str],
    seed: int,
) -> tuple:
    del filenames, seed  # Means over labels of areas under curves have no interval of a clip.
    folds, precisions, counts, positives = [], [], [], []
    for fold, found, chosen in scored:
        truth = targets.values[fold.test]
        each = scores.multi_label(found, truth)
        values = {MAP: each.mean_average_precision, D_PRIME: each.d_prime}
        folds.append(results.Fold(fold.name, len(fold.train), len(fold.test), values, chosen))
        precisions.append(each.average_precision)
        counts.append(truth.sum(axis=0))
        positives.append(truth.mean(axis=0)[~np.isnan(each.average_precision)].mean())
    known = ~np.isnan(precisions)
    totals = np.where(known, precisions, 0).sum(axis=0)
    per_class = [
        {"name": name, "count": int(count), "score": float(total / num) if num else None}
        for name, count, total, num in zip(
            targets.classes, np.sum(counts, axis=0), totals, known.sum(axis=0), strict=True
        )
    ]
    return folds, {}, None, per_class, {MAP: float(np.mean(positives)), D_PRIME: 0.0}
