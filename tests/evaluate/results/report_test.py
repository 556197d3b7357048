"""Tables, files and figures of scores."""

import matplotlib.image
import numpy as np
import pytest

from actcl_tf.evaluate.metrics import retrieval
from actcl_tf.evaluate.results import report


def _scores(r1, median, accuracy, names=("label", "digit")):
    scores = {"retrieval/num_clips": 200.0}
    for direction in ("video_to_audio", "audio_to_video"):
        values = {"r1": r1, "r5": 2 * r1, "r10": 3 * r1, "r20": 3 * r1, "median_rank": median}
        values["mean_reciprocal_rank"] = 1 / median
        scores.update({f"retrieval/{direction}/{key}": v for key, v in values.items()})
    for encoder in ("video", "audio"):
        for name in names:
            values = {"accuracy": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.01}
            values.update(chance=0.0625, c=0.1, num_train=1000.0, num_test=200.0, num_unseen=0.0)
            values["windows_in_order"] = float(name != "label")
            scores.update({f"probe/{encoder}/{name}/{key}": v for key, v in values.items()})
    return scores


INITIALISED, TRAINED = _scores(0.004, 99.5, 0.3125), _scores(0.321, 3.0, 0.925)


def _words(text):
    return [line.split() for line in text.splitlines()]


def test_the_table_shows_each_number_in_its_column():
    text = report.summary_table(INITIALISED, TRAINED)
    words = _words(text)
    assert words[0] == ["initialised", "trained", "chance"]
    assert words.count(["R@1", "0.004", "0.321", "0.005"]) == 2
    assert words.count(["R@10", "0.012", "0.963", "0.050"]) == 2
    assert words.count(["R@20", "0.012", "0.963", "0.100"]) == 2
    assert words.count(["median", "rank", "99.5", "3.0", "100.5"]) == 2
    assert words.count(["digit", "0.312", "0.925", "0.062", "[0.91,", "0.94]"]) == 2
    assert "Retrieval: audio finds video among 200 clips" in text
    assert "Linear probe of the audio encoder, accuracy on 200 clips" in text
    assert "averaged over a clip's windows: label." in text
    assert "windows side by side: digit." in text


def test_columns_stand_below_each_other_within_80():
    names = ("a" * 60, "digit")
    lines = report.summary_table(_scores(0.1, 5.0, 0.5, names), TRAINED).splitlines()
    assert max(map(len, lines)) <= 80
    end = lines[0].index("trained") + len("trained")
    rows = [line for line in lines[1:] if line.startswith("  ")]
    assert len(rows) == 2 * 5 + 2 * 3
    assert all(line[end - 1] in "0123456789-" and line[end] == " " for line in rows)


@pytest.mark.parametrize(
    ("initialised", "trained", "row"),
    [
        ({}, TRAINED, ["R@1", "-", "0.321", "0.005"]),
        (INITIALISED, {}, ["R@1", "0.004", "-", "0.005"]),
        (INITIALISED, _scores(0.2, 4.0, 0.9, names=()), ["digit", "0.312", "-", "0.062"]),
    ],
)
def test_what_is_not_known_is_a_dash(initialised, trained, row):
    assert row in [
        words[: len(row)] for words in _words(report.summary_table(initialised, trained))
    ]


def test_nothing_known_is_an_empty_table():
    assert len(report.summary_table({}, {}).splitlines()) == 2
    assert report.groups({}, {"something/else": 1.0}) == []


def test_chance_is_that_of_retrieval():
    first = report.groups({}, TRAINED)[0]
    assert [row.chance for row in first.rows] == list(retrieval.chance(200)[:5])


@pytest.mark.parametrize("initialised", [INITIALISED, {}])
def test_figure_shows_longer_bars_for_higher_scores(tmp_path, initialised):
    blue = []
    for name, trained in (("low.png", _scores(0.05, 20.0, 0.2)), ("high.png", TRAINED)):
        report.write_figure(tmp_path / name, initialised, trained)
        image = matplotlib.image.imread(tmp_path / name)[..., :3]
        blue.append(np.sum(np.abs(image - np.array([42, 111, 176]) / 255).max(-1) < 0.05))
    assert blue[1] > 2 * blue[0] > 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["high.png", "low.png"]
