"""High dynamic range -> what a usual screen shows.

Code values become light (ITU-R BT.2100: perceptual quantiser and hybrid log-gamma), colours beyond
BT.709 are clipped to it, light above half of reference white (203 cd/m2, ITU-R BT.2408) is bent so
that it never reaches full white, and BT.1886 gives code values again. Everything darker keeps its
light: grey of 18 % comes out as middle grey.
"""

import functools

import numpy as np

PERCEPTUAL_QUANTISER, HYBRID_LOG_GAMMA = 16, 18  # Transfer functions as ITU-T H.273 numbers them.
TRANSFERS = (PERCEPTUAL_QUANTISER, HYBRID_LOG_GAMMA)
_BT2020_PRIMARIES = 9
_REFERENCE_WHITE = 203.0  # cd/m2.
_HLG_PEAK = 1000.0  # cd/m2, of the screen that HLG's system gamma of 1.2 belongs to.
_HLG_GAMMA = 1.2
_KNEE = 0.5  # Of reference white; light above it is bent.
_SCREEN_GAMMA = 2.4
_CODES = 4096
# Linear light of BT.2020 primaries as light of BT.709's (ITU-R BT.2087).
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_standard_range(image: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """Makes an image of high dynamic range one for a usual screen.

    Args:
      image: [H, W, 3] uint16, R'G'B' over the full range.
      transfer: of TRANSFERS.
      primaries: of the colours, as ITU-T H.273 numbers them.

    Returns:
      [H, W, 3] uint8, R'G'B'.
    """
    light = _light(transfer)[image >> 4]
    if transfer == HYBRID_LOG_GAMMA:  # Light of the scene -> of the screen.
        luminance = (light @ _BT2020_LUMINANCE)[..., None]
        light *= luminance ** (_HLG_GAMMA - 1) * (_HLG_PEAK / _REFERENCE_WHITE)
    if primaries == _BT2020_PRIMARIES:
        light = light @ _TO_BT709.T
    np.maximum(light, 0.0, out=light)
    # All colours of a pixel are scaled alike, by the strongest, so that hues stay.
    strongest = light.max(axis=-1, keepdims=True)
    above = np.maximum(strongest - _KNEE, 0.0) / (1 - _KNEE)
    bent = np.minimum(strongest, _KNEE) + (1 - _KNEE) * above / (1 + above)
    light *= bent / np.maximum(strongest, 1e-6)
    return np.rint(255 * light ** np.float32(1 / _SCREEN_GAMMA)).astype(np.uint8)


@functools.cache
def _light(transfer: int) -> np.ndarray:
    """[4096] float32: light of each code, of reference white (PQ) or of the scene's peak (HLG)."""
    code = np.linspace(0, 1, _CODES)
    if transfer == PERCEPTUAL_QUANTISER:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = code ** (1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        light *= 10000 / _REFERENCE_WHITE
    else:
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)
