"""Figures and contact sheets are files that open and show something, degenerate input included."""

import matplotlib.image
import numpy as np
import pytest

from actcl_tf.inspection import contact_sheet, figures
from actcl_tf.reporting import drawing

CLASSES = ["bell", "a name that is far too long for a figure", "$x$"]


def shown(path):
    """[H, W, 3] float, a picture that is not blank, in which no temporary file is left behind."""
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    picture = matplotlib.image.imread(path)[..., :3]
    assert picture.std() > 0.02
    return picture


def has_colour(picture, colour):
    """Whether some of the picture is of a colour such as "#2a6fb0"."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.count_nonzero(np.abs(picture - wanted).max(axis=2) < 0.01) > 300


@pytest.mark.parametrize("num_classes", [1, 3, 60])
def test_categories(tmp_path, num_classes, rng):
    classes = (CLASSES * 20)[:num_classes]
    shares = rng.dirichlet(np.ones(num_classes), size=3)
    picture = shown(figures.draw_categories(tmp_path / "c.png", classes, *shares))
    assert has_colour(picture, drawing.DICTIONARY) and has_colour(picture, drawing.POOL)
    assert picture.shape[1] == 832
    assert picture.shape[0] < 1700  # Sixty classes are not all shown.


def test_categories_without_a_pool(tmp_path):
    path = figures.draw_categories(tmp_path / "c.png", CLASSES, np.ones(3) / 3, None, None)
    assert not has_colour(shown(path), drawing.POOL)


@pytest.mark.parametrize("cosines", [[0.1, 0.3, -0.2], [1.0], [0.5, 0.5]])
def test_similarities(tmp_path, cosines):
    alone = {"dictionary": np.float32(cosines)}
    both = {**alone, "pool": np.float32([0.0, 0.9]), "pool sample": np.float32([0.9])}
    for index, sets in enumerate((alone, both)):
        folder = tmp_path / str(index)
        folder.mkdir()
        picture = shown(figures.draw_similarities(folder / "s.png", sets))
        assert has_colour(picture, drawing.SAMPLE) == (len(sets) == 3)


@pytest.mark.parametrize("labels", [[0, 1, 2, -1] * 5, [-1] * 20])
@pytest.mark.parametrize("with_pool", [True, False])
def test_maps(tmp_path, rng, labels, with_pool):
    in_dictionary = np.arange(20) >= 12 if with_pool else np.ones(20, bool)
    picked = (np.arange(20) < 5) & ~in_dictionary
    points = rng.normal(size=[20, 2])
    path = figures.draw_map(
        tmp_path / "m.png", points, np.array(labels), in_dictionary, picked, CLASSES
    )
    assert has_colour(shown(path), drawing.BEHIND) == with_pool


@pytest.mark.parametrize(("count", "shape"), [(1, (24, 32, 3)), (12, (90, 30, 3))])
def test_contact_sheets(tmp_path, rng, count, shape):
    cells = [
        contact_sheet.Cell(
            np.full(shape, [200, 40, 40], np.uint8),
            rng.normal(size=[50, 8]).astype(np.float32),
            f"$class {index}",
            f"picked {index} of 50",
        )
        for index in range(count)
    ]
    picture = shown(contact_sheet.draw(tmp_path / "sheet.png", cells))
    assert has_colour(picture, "#c82828")


def test_long_names_are_cut():
    assert drawing.shorten("short") == "short"
    assert drawing.shorten("abcdefgh", 5) == "abcd…"
