"""Words for what is wrong with numbers."""

import numpy as np
import pytest

from actcl_tf.evaluate.features import checks


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], ""),
        (
            [[1.0, np.nan], [np.inf, 4.0], [0.0, 0.0]],
            "NaN or infinity in 2 of 3 clips, first in row 0",
        ),
        ([[[0.0]], [[-np.inf]]], "NaN or infinity in 1 of 2 clips, first in row 1"),
        ([0.0, np.nan], "NaN or infinity in 1 of 2 clips, first in row 1"),
        (np.zeros((0, 3)), ""),
    ],
)
def test_clips_that_are_not_finite(values, expected):
    assert checks.non_finite(np.array(values)) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 2, 1], ""),
        ([], ""),
        ([0, 3], "from 0 to 2, got 3 in row 1; leave clips without a label out"),
        ([-1, 3], "from 0 to 2, got -1 in row 0; leave clips without a label out"),
    ],
)
def test_labels_that_are_no_class(labels, expected):
    assert checks.no_class(np.array(labels, np.int64), 3) == expected
