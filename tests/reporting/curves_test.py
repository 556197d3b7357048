"""The course of a training, read and drawn."""

import json

import matplotlib.image
import numpy as np
import pytest

from actcl_tf.reporting import curves, drawing

LINES = [
    {"step": 0, "eval/retrieval/video_to_audio/r1": 0.0, "eval/retrieval/num_clips": 200.0},
    {"step": 20, "loss/total": 9.0, "loss/video_to_audio": 4.0, "loss/audio_to_video": 5.0},
    {"step": 40, "loss/total": 3.0, "loss/video_to_audio": 1.0, "loss/audio_to_video": 2.0},
    {"step": 40, "dictionary/audio/effective_rank": 7.5, "dictionary/audio/age_mean": 3.0},
    {"step": 40, "eval/retrieval/video_to_audio/r1": 0.75},
]


def _written(folder, lines, end=""):
    path = folder / "scalars.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return curves.read(path)


def _count(path, colour):
    image = matplotlib.image.imread(path)[..., :3]
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return image.shape[0], np.count_nonzero(np.abs(image - wanted).max(axis=2) < 0.05)


def test_each_scalar_is_a_curve_over_its_own_steps(tmp_path):
    found = _written(tmp_path, LINES, end='{"step": 60, "loss/to')
    assert found["loss/video_to_audio"] == ([20, 40], [4.0, 1.0])
    assert found["eval/retrieval/video_to_audio/r1"] == ([0, 40], [0.0, 0.75])
    assert found["dictionary/audio/effective_rank"] == ([40], [7.5])
    assert set(found) == {name for line in LINES for name in line} - {"step"}
    assert curves.read(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize(
    "lines, rows, has_second",
    [
        (LINES, 2, True),  # Loss, R@1 and effective rank.
        (LINES[:1], 1, False),
        ([{"step": 1, "loss/video_to_video": 2.0}], 1, False),
        ([{"step": 1, "dictionary/video/biased_keys": 0.0}], 1, False),
    ],
)
def test_there_is_a_panel_for_what_is_known(tmp_path, lines, rows, has_second):
    path = curves.draw(tmp_path / "curves.png", _written(tmp_path, lines))
    height, first = _count(path, drawing.DICTIONARY)
    assert height == 280 * rows
    assert first > 20
    assert (_count(path, drawing.SAMPLE)[1] > 20) == has_second


@pytest.mark.parametrize("lines", [[], [{"step": 1, "speed/clips_per_second": 2.0}]])
def test_nothing_is_drawn_of_nothing(tmp_path, lines):
    assert curves.draw(tmp_path / "curves.png", _written(tmp_path, lines)) is None
    assert not (tmp_path / "curves.png").exists()
