"""Known quantities: how the table is read, and what a regression gets of known features."""

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.evaluate.monitor import quantities

TABLE = "path,video/size,audio/size,age\na.mp4,1,2,3\nb.mp4,4,,6.5\n"


def _table(tmp_path, text):
    path = tmp_path / "quantities.csv"
    path.write_text(text)
    return quantities.Quantities(path)


def test_columns_of_each_encoder(tmp_path):
    known = _table(tmp_path, TABLE)
    names = ["b.mp4", "elsewhere.mp4", "a.mp4"]
    for modality, size in (("video", [4.0, np.nan, 1.0]), ("audio", [np.nan, np.nan, 2.0])):
        found = known.of(modality, names)
        assert list(found) == ["size", "age"]
        np.testing.assert_array_equal(found["size"], size)
        np.testing.assert_array_equal(found["age"], [6.5, np.nan, 3.0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs the column path, other columns and a row a clip; it has none"),
        ("path,size\n", "it has none"),
        ("path\na.mp4\n", "it has path"),
        ("name,size\na.mp4,1\n", "needs the column path"),
        ("path,size\na.mp4,1\nb.mp4,large\n", "line 3: size must be a number, got 'large'"),
        ("path,size,age\na.mp4,1\n", ""),  # A short row: what is missing is not known.
    ],
)
def test_wrong_tables_are_named(tmp_path, text, words):
    if not words:
        assert np.isnan(_table(tmp_path, text).of("video", ["a.mp4"])["age"]).all()
        return
    with pytest.raises(config.ConfigError, match="quantities.csv.*" + words):
        _table(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(config.ConfigError, match=r"none\.csv: cannot be read"):
        quantities.Quantities(tmp_path / "none.csv")


def test_what_the_features_hold_is_read_and_nothing_else():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(700, 8)), rng.normal(size=8)
    values = {
        "held": x @ weights * 100.0 + 7.0,
        "half": x[:, 0] + rng.normal(size=700),
        "elsewhere": rng.normal(size=700),
    }
    parts = [
        (x[cut], {k: v[cut] for k, v in values.items()}) for cut in (slice(400), slice(400, 700))
    ]
    found = quantities.scores(*parts[0], *parts[1])
    assert found["held"] == pytest.approx(1.0, abs=1e-3)
    assert found["half"] == pytest.approx(0.5, abs=0.1)
    assert found["elsewhere"] == pytest.approx(0.0, abs=0.05)


def test_the_score_is_one_less_the_share_of_the_variance_that_is_left():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    y = x[:, 0] + 0.3 * rng.normal(size=60)
    found = quantities.scores(x[:40], {"y": y[:40]}, x[40:], {"y": y[40:]})
    # Ordinary least squares, of 40 clips and 3 columns nearly the same.
    fit = np.linalg.lstsq(np.c_[x[:40], np.ones(40)], y[:40], rcond=None)[0]
    left = y[40:] - np.c_[x[40:], np.ones(20)] @ fit
    expected = 1 - (left**2).sum() / ((y[40:] - y[40:].mean()) ** 2).sum()
    assert found["y"] == pytest.approx(expected, abs=0.02)


def test_what_is_not_known_or_all_alike_is_left_out():
    x, nan = np.arange(12.0).reshape(6, 2), np.nan
    train = {"few": np.array([nan] * 5 + [1.0]), "alike": np.ones(6), "y": np.arange(6.0)}
    test = {"few": np.arange(6.0), "alike": np.arange(6.0), "y": np.r_[nan, 1:6]}
    assert list(quantities.scores(x, train, x, test)) == ["y"]
