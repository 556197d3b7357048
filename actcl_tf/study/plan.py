"""Which runs a study consists of: settings x strategies x seeds, a cell each."""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from actcl_tf import config

Flags = tuple[tuple[str, str], ...]

_FLAG = re.compile(r"[a-z][a-z0-9_]*")


class Strategy(NamedTuple):
    """A way of choosing negatives.

    Attributes:
      name: as the user wrote it.
      flags: that make a run one of it, `negatives` first.
    """

    name: str
    flags: Flags


class Cell(NamedTuple):
    """A run of a study.

    Attributes:
      setting: flags that all strategies share; empty where nothing varies.
      strategy: how its negatives are chosen.
      seed: of the run; the same for all strategies, so that differences are paired.
    """

    setting: Flags
    strategy: Strategy
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder: no two cells of a study share one."""
        parts = [describe(self.setting), self.strategy.name, f"seed={self.seed}"]
        return re.sub(r"[^A-Za-z0-9_.,=+-]", "-", "_".join(part for part in parts if part))


def describe(setting: Flags) -> str:
    """A setting as people read it, such as "dictionary_size=32,zipf=1"."""
    return ",".join(f"{name}={value}" for name, value in setting)


def read_axis(text: str) -> tuple[str, tuple[str, ...]]:
    """Reads what varies: "dictionary_size=32,128" -> ("dictionary_size", ("32", "128")).

    Raises:
      config.ConfigError: it names no flag, or no values, or one twice.
    """
    name, _, values = text.partition("=")
    found = tuple(value.strip() for value in values.split(",") if value.strip())
    if not _FLAG.fullmatch(name) or not found or len(set(found)) < len(found):
        raise config.ConfigError(
            f"--vary={text}: must be a flag of tools/train.py and different values of it, such as "
            "dictionary_size=32,128,512"
        )
    return name, found


def read_strategy(text: str) -> Strategy:
    """Reads a strategy: a value of --negatives, and other flags behind "+".

    Args:
      text: such as "random", or "active+sampler_temperature=0.1".

    Raises:
      config.ConfigError: it is something else.
    """
    negatives, *others = text.split("+")
    pairs = [tuple(other.split("=", 1)) for other in others]
    if negatives not in config.NEGATIVES or not all(
        len(pair) == 2 and _FLAG.fullmatch(pair[0]) and pair[1] for pair in pairs
    ):
        raise config.ConfigError(
            f"--strategies={text}: must be one of {', '.join(config.NEGATIVES)}, with further "
            "flags behind it where wanted, such as active+gradient_space=embedding"
        )
    return Strategy(text, (("negatives", negatives), *pairs))


def list_cells(
    axes: Sequence[tuple[str, tuple[str, ...]]], strategies: Sequence[Strategy], seeds: range
) -> list[Cell]:
    """All cells of a study, seed by seed, so that a study that is cut short is complete in some.

    Args:
      axes: of `read_axis`; their product gives the settings.
      strategies: the first is what the others are compared with.
      seeds: of the runs.

    Raises:
      config.ConfigError: an axis or a strategy comes twice.
    """
    names = [name for name, _ in axes]
    if len(set(names)) < len(names):
        raise config.ConfigError(f"--vary: {', '.join(names)}: each flag can vary once")
    if len({strategy.name for strategy in strategies}) < len(strategies):
        raise config.ConfigError("--strategies: each can come once")
    settings = [
        tuple(zip(names, values, strict=True))
        for values in itertools.product(*(each for _, each in axes))
    ]
    return [
        Cell(setting, strategy, seed)
        for seed in seeds
        for setting in settings
        for strategy in strategies
    ]
