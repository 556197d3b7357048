"""Draws small training sets for low-shot learning: a share of the clips, or a few a class."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Quota = Callable[[int], int]


class Draw(NamedTuple):
    """A training set that was drawn.

    A video is what is drawn whole: all clips of one class that share a name in `groups`, or a
    single clip where there are no groups.

    Attributes:
      indices: [k] int64, the clips, ascending.
      drawn: label to the number of its videos that were drawn.
      short: label to the number of its videos, for classes that have fewer than were asked for;
        all of these are drawn.
    """

    indices: np.ndarray
    drawn: dict[Any, int]
    short: dict[Any, int]


def share(fraction: float) -> Quota:
    """A share of the videos of each class, at least one of each.

    Args:
      fraction: above 0 and at most 1; rounded to whole videos, halves up.

    Raises:
      ValueError: the fraction is out of its range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be above 0 and at most 1, got {fraction}")
    return lambda videos: max(1, int(fraction * videos + 0.5))


def shots(count: int) -> Quota:
    """The same number of videos of each class, at least 1.

    Raises:
      ValueError: the number is out of its range.
    """
    if count < 1:
        raise ValueError(f"shots must be at least 1, got {count}")
    return lambda videos: count


def draw_videos(
    labels: np.ndarray,
    quota: Quota,
    *,
    groups: Sequence | None = None,
    seed: int,
    draw: int,
) -> Draw:
    """Draws videos of each class, or all of a class that has fewer than its quota.

    Args:
      labels: [n] int or str labels of the training clips; leave clips without a label out before.
      quota: number of a class's videos -> how many of them; `share` or `shots`.
      groups: n names of the videos that the clips were cut from; None if each clip is one. A video
        with clips of several classes counts once for each of them, with the clips of that class.
      seed: of all draws of an experiment, at least 0.
      draw: which of the draws, from 0; each is drawn independently of the others.

    Raises:
      ValueError: shapes do not fit, there is no clip, or a number is out of its range.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"labels must have shape [n] with n > 0, got {labels.shape}")
    if seed < 0 or draw < 0:
        raise ValueError(f"seed and draw must be at least 0, got {seed} and {draw}")
    videos = np.arange(len(labels)) if groups is None else np.asarray(groups)
    if len(videos) != len(labels):
        raise ValueError(
            f"groups must name the video of each of {len(labels)} clips, got {len(videos)} names"
        )
    picked, drawn, short = [], {}, {}
    for place, label in enumerate(np.unique(labels)):
        # A stream of its own for each class: what one class has does not move another's draw.
        rng = np.random.default_rng([seed, draw, place])
        members = np.flatnonzero(labels == label)
        names, of_video = np.unique(videos[members], return_inverse=True)
        wanted = quota(len(names))
        taken = rng.permutation(len(names))[:wanted]
        picked.append(members[np.isin(of_video, taken)])
        drawn[label.item()] = len(taken)
        if len(taken) < wanted:
            short[label.item()] = len(names)
    return Draw(np.sort(np.concatenate(picked)), drawn, short)
