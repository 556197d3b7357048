import numpy as np
import pytest

from actcl_tf.data.media import tone_mapping


def level(signal, transfer, primaries=9):
    image = np.full([1, 1, 3], round(signal * 65535), np.uint16)
    return tone_mapping.to_standard_range(image, transfer, primaries)[0, 0, 0]


# Signals of ITU-R BT.2408, table 1, and what they come to by hand: below half of reference white
# 255 (cd/m2 / 203) ** (1 / 2.4), above it bent.
@pytest.mark.parametrize(
    "transfer, signal, expected",
    [
        (16, 0.0, 0),
        (16, 0.38, 108),  # Grey of 18 %, 26 cd/m2.
        (16, 0.58, 226),  # Reference white, 203 cd/m2: 0.75.
        (16, 1.0, 254),  # 10,000 cd/m2: 0.995.
        (18, 0.0, 0),
        (18, 0.38, 108),
        (18, 0.75, 226),
        (18, 1.0, 250),  # 1,000 cd/m2: 0.949.
    ],
)
def test_table(transfer, signal, expected):
    assert int(level(signal, transfer)) == pytest.approx(expected, abs=2)
    # Grey has no primaries.
    assert int(level(signal, transfer, 1)) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("transfer", tone_mapping.TRANSFERS)
def test_more_light_is_never_darker(transfer):
    levels = [int(level(signal, transfer)) for signal in np.linspace(0, 1, 200)]
    assert levels == sorted(levels)
    assert len(set(levels)) > 100


@pytest.mark.parametrize("transfer", tone_mapping.TRANSFERS)
def test_any_values_give_a_picture(transfer, rng):
    image = rng.integers(0, 65536, (16, 16, 3), np.uint16)
    image[0, 0], image[0, 1], image[0, 2] = 0, 65535, (65535, 0, 0)
    shown = tone_mapping.to_standard_range(image, transfer, 9)
    assert shown.shape == (16, 16, 3) and shown.dtype == np.uint8
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[0, 2, 0] > 200 and shown[0, 2, 1:].max() < 60
