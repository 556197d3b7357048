"""Which clips are learned from and which are measured: folds, and small draws of training clips."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import clip_table, low_shot
from actcl_tf.storage import files

_PARTS = ("train", "test")
_SHOWN = 10  # Classes that a warning names.
_FEW_CLIPS = 10  # A test split of fewer measures nothing: one clip is a tenth of the score.


class Fold(NamedTuple):
    """One training split with its test split.

    Attributes:
      name: "test", "fold 2" or "fold 2, draw 1".
      train: [a] int64, rows of the clip table, ascending.
      test: [b] int64, likewise.
    """

    name: str
    train: np.ndarray
    test: np.ndarray


class Subset(NamedTuple):
    """A size of training set.

    Attributes:
      name: empty for all training clips, or "fraction=0.1" or "shots=5".
      folds: one for each official fold and draw.
      short: class to its training videos in the fold that has fewest, where there are fewer than
        were asked for; all of them are drawn.
    """

    name: str
    folds: list[Fold]
    short: Mapping[int, int] = {}


def names_of(settings: config.EvaluationConfig, data_dir: str) -> tuple[str, ...]:
    """Names of the splits to read: the one of data prepared with --fold=all, or two.

    Args:
      settings: of the evaluation.
      data_dir: folder of prepared data.

    Raises:
      config.ConfigError: folds are asked for where there are none.
    """
    in_folds = files.exists(files.join(data_dir, clip_table.ALL, records.MANIFEST))
    named = files.exists(files.join(data_dir, settings.train_split, records.MANIFEST))
    if in_folds and not named:
        return (clip_table.ALL,)
    if settings.folds:
        shown = ",".join(map(str, settings.folds))
        raise config.ConfigError(
            f"--folds={shown}: {data_dir} was not prepared with --fold={clip_table.ALL}"
        )
    return settings.train_split, settings.test_split


def find_folds(table: clip_table.ClipTable, settings: config.EvaluationConfig) -> list[Fold]:
    """The official folds of the data, or its training and test split as the only one.

    Args:
      table: of the splits of `names_of`.
      settings: of the evaluation.

    Raises:
      config.ConfigError: there is no such fold.
      records.DataError: a video has clips on both sides, or one side has none.
    """
    if list(table.manifests) == [clip_table.ALL]:
        num = table.parts.shape[1]
        if not num:
            raise records.DataError(
                f"the records of split {clip_table.ALL!r} name no folds: prepare the data again"
            )
        wanted = settings.folds or tuple(range(1, num + 1))
        if max(wanted) > num:
            shown = ",".join(map(str, settings.folds))
            raise config.ConfigError(f"--folds={shown}: must be from 1 to {num}")
        found = [
            Fold(f"fold {k}", *(np.flatnonzero(table.parts[:, k - 1] == part) for part in _PARTS))
            for k in wanted
        ]
    else:
        of_split = np.array(table.splits)
        names = (settings.train_split, settings.test_split)
        found = [Fold("test", *(np.flatnonzero(of_split == name) for name in names))]
    for fold in found:
        _require_apart(fold, table.filenames)
    return found


def labelled(folds: Sequence[Fold], targets: clip_table.Targets) -> list[Fold]:
    """The folds without the clips that have no label.

    Raises:
      records.DataError: nothing is left on one side.
    """
    known = targets.known
    kept = [Fold(name, train[known[train]], test[known[test]]) for name, train, test in folds]
    for fold in kept:
        for side, rows in zip(_PARTS, fold[1:], strict=True):
            if not len(rows):
                raise records.DataError(
                    f"{fold.name}: no {side} clip has a label of {targets.name!r}"
                )
    return kept


def subsets(
    folds: Sequence[Fold],
    targets: clip_table.Targets,
    filenames: Sequence[str],
    settings: config.EvaluationConfig,
) -> Iterator[Subset]:
    """All training clips, or each of --train_fraction and --shots, drawn several times.

    Args:
      folds: of `labelled`.
      targets: what is predicted.
      filenames: n names of the videos of the table's clips; videos are drawn whole.
      settings: of the evaluation.

    Raises:
      config.ConfigError: clips may have several labels, of which no share can be drawn.
    """
    sizes = [("fraction", value) for value in settings.train_fraction]
    sizes += [("shots", value) for value in settings.shots]
    if not sizes:
        yield Subset("", list(folds))
        return
    if targets.values.ndim == 2:
        raise config.ConfigError(
            "--train_fraction, --shots: clips of this data may have several labels, and are drawn "
            "by their one"
        )
    videos = np.array(filenames)
    for kind, size in sizes:
        quota = low_shot.share(size) if kind == "fraction" else low_shot.shots(size)
        drawn: list[Fold] = []
        short: dict[int, int] = {}
        # All clips can be drawn in one way only.
        draws = 1 if (kind, size) == ("fraction", 1) else settings.draws
        for fold in folds:
            for draw in range(draws):
                found = low_shot.draw_videos(
                    targets.values[fold.train],
                    quota,
                    groups=videos[fold.train],
                    seed=settings.seed,
                    draw=draw,
                )
                for label, num in found.short.items():
                    short[label] = min(num, short.get(label, num))
                name = f"{fold.name}, draw {draw + 1}"
                drawn.append(Fold(name, fold.train[found.indices], fold.test))
        yield Subset(f"{kind}={size:g}", drawn, short)


def warnings(
    folds: Sequence[Fold], targets: clip_table.Targets, subsets: Sequence[Subset]
) -> list[str]:
    """What a reader of the scores must know of the clips: a line each.

    Args:
      folds: of `labelled`.
      targets: what is predicted.
      subsets: of `subsets`.

    Returns:
      Lines on classes with fewer training videos than --shots asks for, and on those of test clips
      that training lacks, and on test splits of a few clips.
    """
    lines = []
    for subset in subsets:
        if subset.short:
            named = [f"{targets.classes[c]} ({num})" for c, num in sorted(subset.short.items())]
            lines.append(
                f"{targets.name}, {subset.name}: {len(named)} of {len(targets.classes)} classes "
                f"have fewer training videos, of which all are taken: {_some(named)}"
            )
    for fold in folds:
        train, test = (_counts(targets, rows) for rows in fold[1:])
        unseen = np.flatnonzero((test > 0) & (train == 0))
        if len(unseen):
            named = [f"{targets.classes[c]} ({test[c]})" for c in unseen]
            words = ("class occurs", "is") if len(named) == 1 else ("classes occur", "are")
            lines.append(
                f"{targets.name}, {fold.name}: {len(named)} {words[0]} only in the test split, and "
                f"{words[1]} never found: {_some(named)}"
            )
        if len(fold.test) < _FEW_CLIPS:
            clips = "clip" if len(fold.test) == 1 else "clips"
            lines.append(
                f"{targets.name}, {fold.name}: {len(fold.test)} test {clips} measure nothing; "
                "some hundred give a score that can be compared"
            )
    return lines


def _counts(targets: clip_table.Targets, rows: np.ndarray) -> np.ndarray:
    """[C] clips of each class."""
    values = targets.values[rows]
    if values.ndim == 2:
        return values.sum(axis=0)
    return np.bincount(values, minlength=len(targets.classes))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _require_apart(fold: Fold, filenames: Sequence[str]) -> None:
    for side, rows in zip(_PARTS, fold[1:], strict=True):
        if not len(rows):
            raise records.DataError(f"{fold.name} has no {side} clips: prepare the data again")
    names = np.array(filenames)
    both = np.intersect1d(names[fold.train], names[fold.test]).tolist()
    if both:
        raise records.DataError(
            f"{fold.name}: clips of {len(both)} videos stand on both sides, first {both[0]!r}: the "
            "test would be known beforehand; prepare the data with whole videos in one split"
        )
