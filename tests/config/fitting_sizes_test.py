"""Sizes against values worked out by hand: batch + dictionary never exceed the clips."""

import pytest

from actcl_tf.config import fitting_sizes


@pytest.mark.parametrize(
    "num_clips, asked, expected",
    [
        (320, (64, 256), (64, 256)),
        (319, (64, 256), (32, 256)),  # A fifth is 63: the power of two below it.
        (200, (64, 256), (32, 160)),
        (100, (64, 256), (16, 80)),
        (3900, (128, 3840), (128, 3712)),  # The batch stays where a fifth of the clips is more.
        (60, (12, 96), (12, 48)),
        (8, (64, 256), (2, 6)),
        (5, (64, 256), (2, 2)),
        (4, (64, 256), (2, 2)),
        (4, (1, 8), (1, 3)),
        (3, (64, 256), None),
        (3, (1, 2), (1, 2)),
        (0, (1, 1), None),
    ],
)
def test_sizes_that_fit(num_clips, asked, expected):
    found = fitting_sizes.fitting_sizes(num_clips, batch_size=asked[0], dictionary_size=asked[1])
    assert found == expected
    assert found is None or sum(found) <= num_clips


@pytest.mark.parametrize("most, expected", [(0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (1023, 512)])
def test_powers_of_two(most, expected):
    assert fitting_sizes.largest_power_of_two(most) == expected
