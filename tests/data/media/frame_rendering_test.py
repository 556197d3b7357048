import numpy as np
import pytest

from actcl_tf.data.media import frame_rendering


@pytest.mark.parametrize(
    "matrix, expected",
    [
        (None, [[1, 2, 3], [4, 5, 6]]),
        ((1, 0, 0, 1), [[1, 2, 3], [4, 5, 6]]),
        ((0, 1, -1, 0), [[4, 1], [5, 2], [6, 3]]),
        ((-1, 0, 0, -1), [[6, 5, 4], [3, 2, 1]]),
        ((0, -1, 1, 0), [[3, 6], [2, 5], [1, 4]]),
        ((-1, 0, 0, 1), [[3, 2, 1], [6, 5, 4]]),
        ((1, 0, 0, -1), [[4, 5, 6], [1, 2, 3]]),
        ((0, 1, 1, 0), [[1, 4], [2, 5], [3, 6]]),
    ],
)
def test_orient(matrix, expected):
    image = np.array([[1, 2, 3], [4, 5, 6]])[..., None]
    matrix = None if matrix is None else np.array(matrix).reshape(2, 2) * 65536
    assert frame_rendering.orient(image, matrix)[..., 0].tolist() == expected


@pytest.mark.parametrize(
    "pixel, expected",
    [
        ((200, 100, 50, 255), (200, 100, 50)),
        ((200, 100, 50, 0), (0, 0, 0)),
        ((255, 255, 255, 128), (128, 128, 128)),
        ((255, 1, 0, 127), (127, 0, 0)),
    ],
)
def test_over_black(pixel, expected):
    image = np.tile(np.array(pixel, np.uint8), (2, 3, 1))
    shown = frame_rendering.over_black(image)
    assert shown.dtype == np.uint8 and shown.shape == (2, 3, 3)
    assert (shown == expected).all()
