"""Optional filters: good clips that are of no use to learn from.

"silent" is decided where the audio is read (`silence_db` of `clip_cutting.read_clips`), "still" and
"dark" on one clip by `fault`, "duplicate" on all of them by `find_duplicates` over the
`fingerprint` of each.
"""

from collections.abc import Collection

import numpy as np

from actcl_tf.data.media.clip_cutting import MediaClip
from actcl_tf.data.media.clip_fingerprints import fingerprint as fingerprint
from actcl_tf.data.media.clip_fingerprints import luma, spread
from actcl_tf.data.media.duplicates import find_duplicates as find_duplicates

# Name, which but for "silent" is the reason too -> what is left out.
FILTERS = {
    "silent": "clips no part of which is as loud as --silence_db",
    "still": "clips whose video does not change",
    "dark": "clips whose video is nearly black throughout",
    "duplicate": "clips that another clip has already, re-encoded or rescaled",
}

_LOOKED_AT = 8  # Frames, spread over the clip.
_SIDE = 32  # Cells to a side that a frame is averaged over; evens out noise and compression.
_STILL_LEVELS = 8.0  # Grey levels that a cell may change by in a still picture...
_STILL_CELLS = 3  # ... but for so many of the 1,024 cells.
_DARK_LEVEL = 20.0  # Mean grey level of 255 below which a picture is dark.


def fault(clip: MediaClip, filters: Collection[str]) -> str | None:
    """Why a clip is left out, of the filters that look at one clip.

    Args:
      clip: a good clip; without video it has no fault.
      filters: some of FILTERS.

    Returns:
      "dark" (which a black picture is, though it is still, too), "still", or None.
    """
    if not clip.frames_jpeg or not {"dark", "still"} & set(filters):
        return None
    cells = np.stack([luma(jpeg, _SIDE) for jpeg in spread(clip.frames_jpeg, _LOOKED_AT)])
    if "dark" in filters and is_dark(cells):
        return "dark"
    return "still" if "still" in filters and is_still(cells) else None


def is_dark(cells: np.ndarray) -> bool:
    """Whether frames [T, H, W] float32, grey levels, are all dark."""
    return bool((cells.mean(axis=(1, 2)) < _DARK_LEVEL).all())


def is_still(cells: np.ndarray) -> bool:
    """Whether frames [T, H, W] float32, grey levels, show one picture; a single frame does."""
    change = np.sort(np.ptp(cells, axis=0), axis=None)
    return bool(change[: change.size - _STILL_CELLS].max(initial=0.0) <= _STILL_LEVELS)
