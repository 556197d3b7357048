"""Numbers that are known of each clip, and how well a linear regression reads them from features.

Of two modalities the lower bound on what they share: of a cause that both encoders give away, each
embedding can tell the other's clips apart by it.
"""

import csv
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from actcl_tf import config

MODALITIES = ("video", "audio")
_PATH = "path"
_STRENGTHS = np.logspace(-2, 5, 15)  # Of the ridge penalty, on standardised features.


class Quantities:
    """A table of numbers, a row a clip."""

    def __init__(self, source: str | os.PathLike):
        """Reads a table.

        Args:
          source: CSV file with the column `path`, as the clips' file names are in the data, and a
            column for each number: `video/NAME` or `audio/NAME` where it is asked of one encoder,
            NAME where of both. An empty cell: not known of this clip.

        Raises:
          config.ConfigError: it cannot be read, or a cell is no number.
        """
        self._source = pathlib.Path(source)
        try:
            with self._source.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise config.ConfigError(f"--quantities={source}: cannot be read ({error})") from error
        heads = list(rows[0]) if rows else []
        if _PATH not in heads or len(heads) < 2:
            raise config.ConfigError(
                f"--quantities={source}: needs the column {_PATH}, other columns and a row a clip; "
                f"it has {', '.join(map(str, heads)) or 'none'}"
            )
        self._heads = [head for head in heads if head != _PATH]
        self._rows = {row[_PATH]: self._numbers(line + 2, row) for line, row in enumerate(rows)}

    def _numbers(self, line: int, row: dict[str, str | None]) -> list[float]:
        found = []
        for head in self._heads:
            text = row[head]
            try:
                found.append(float(text) if text else np.nan)
            except (TypeError, ValueError):
                raise config.ConfigError(
                    f"--quantities={self._source}: line {line}: {head} must be a number, "
                    f"got {text!r}"
                ) from None
        return found

    def of(self, modality: str, filenames: Sequence[str]) -> dict[str, np.ndarray]:
        """Name -> [n] float64 of the n clips, NaN where not known.

        Args:
          modality: one of `MODALITIES`; what is asked of the other is left out.
          filenames: of the clips.
        """
        unknown = [np.nan] * len(self._heads)
        table = np.array([self._rows.get(name, unknown) for name in filenames], np.float64)
        return {
            head.rpartition("/")[2]: column
            for head, column in zip(self._heads, table.T, strict=True)
            if "/" not in head or head.partition("/")[0] == modality
        }


def scores(
    train_x: np.ndarray,
    train_values: dict[str, np.ndarray],
    test_x: np.ndarray,
    test_values: dict[str, np.ndarray],
) -> dict[str, float]:
    """R2 of a ridge regression for each quantity, on the test clips.

    Features are standardised, and the penalty chosen by leave-one-out, on the training clips alone.

    Args:
      train_x: [n, d] float, features.
      train_values: name -> [n] float; NaN where not known.
      test_x: [m, d] float.
      test_values: name -> [m] float.

    Returns:
      Name -> at most 1; 0 is what the mean alone gets. Quantities known of fewer than 2 clips of
      either split, or all alike in one, are left out.
    """
    found = {}
    for name, values in train_values.items():
        fit, held_out = np.isfinite(values), np.isfinite(test_values[name])
        truth = test_values[name][held_out]
        if min(len(np.unique(values[fit])), len(np.unique(truth))) < 2:
            continue
        regression = make_pipeline(StandardScaler(), RidgeCV(_STRENGTHS))
        regression.fit(train_x[fit].astype(np.float64), values[fit])
        found[name] = float(r2_score(truth, regression.predict(test_x[held_out])))
    return found
