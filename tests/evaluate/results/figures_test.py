"""Figures: they are there, they fit, and they follow the numbers."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.evaluate.results import figures, results
from tests import made_results as made


def _pixels(path):
    return tf.io.decode_png(path.read_bytes(), channels=3).numpy().astype(int)


def test_bars_follow_the_scores(tmp_path):
    def draw(score):
        rows = [made.measurement(top1=score), made.measurement("log_mel", 0.3, 0.2, 0.4)]
        return _pixels(figures.draw_bars(tmp_path / "bars.png", ["a $x$", "b"], rows))

    def blue(picture):
        return ((picture[..., 2] > 150) & (picture[..., 0] < 80)).sum()

    low, high = draw(0.25), draw(0.75)
    assert low.shape[1] == high.shape[1] == 832
    assert 2.5 < blue(high) / blue(low) < 3.5


@pytest.mark.parametrize("num", [1, 2, 10, 101])
def test_confusion_of_any_size(tmp_path, num):
    confusion = np.eye(num, dtype=int) * 9
    names = [f"class {i} $" for i in range(num)]
    right = _pixels(figures.draw_confusion(tmp_path / "a.png", confusion, names))
    wrong = _pixels(figures.draw_confusion(tmp_path / "b.png", confusion[::-1], names))
    assert right.shape == wrong.shape == (832, 832, 3)
    assert num == 1 or np.abs(right - wrong).mean() > 0.5
    figures.draw_confusion(tmp_path / "c.png", np.zeros([num, num], int), names)


@pytest.mark.parametrize("num, rows", [(1, 1), (40, 40), (41, 40), (400, 40)])
def test_of_many_classes_the_ends_are_drawn(tmp_path, num, rows):
    per_class = [{"name": f"c{i}", "count": 3, "score": i / num} for i in range(num)]
    per_class.append({"name": "absent", "count": 0, "score": None})
    picture = _pixels(figures.draw_classes(tmp_path / "classes.png", per_class, "accuracy"))
    assert picture.shape[0] == pytest.approx(160 * (0.8 + 0.2 * rows), abs=2)


def test_low_shot_curves(tmp_path):
    rows = [made.measurement(top1=x, subset=f"shots={n}") for n, x in ((1, 0.3), (5, 0.6))]
    path = figures.draw_low_shot(tmp_path / "curves.png", {"trained": rows, "other": rows[:1]})
    assert (_pixels(path) < 128).any()


@pytest.mark.parametrize(
    "summary, expected",
    [
        (results.Summary(0.5, 0.1, 0.3, 0.6, 3), (0.3, 0.6)),
        (results.Summary(0.5, 0.1, None, None, 3), (0.4, 0.6)),
        (results.Summary(0.5, None, None, None, 1), (0.5, 0.5)),
    ],
)
def test_error_bars(summary, expected):
    assert figures.error_bar(summary) == pytest.approx(expected)


def test_rows_become_curves():
    rows = [
        ("", made.measurement(subset="shots=1")),
        ("a", made.measurement(subset="shots=5", label="digit")),
        ("", made.measurement(subset="shots=5")),
        ("", made.measurement()),
        ("", made.measurement(subset="fraction=0.1")),
    ]
    found = figures.low_shot_curves(rows)
    names = {kind: {k: len(v) for k, v in each.items()} for kind, each in found.items()}
    assert names == {
        "shots": {"audio trained": 2, "a digit audio trained": 1},
        "fraction": {"audio trained": 1},
    }
