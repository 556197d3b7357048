"""What of seeding is measured: one frozen dataclass, checked before any work starts."""

import dataclasses
import itertools

from actcl_tf import config
from actcl_tf.benchmark import checks

POINTS = ("gaussian", "clustered")
# What all others are compared with.
OURS = "blocked_xla"
NUMPY = "plain_numpy"
# scikit-learn as it comes, greedy, on float32 points; and the fastest that it can do, the plain
# law on float64 points, which it need not convert.
SKLEARN = "greedy_sklearn"
SKLEARN_FASTEST = "plain_sklearn64"
TENSORFLOW = tuple(f"{method}_{how}" for method in config.SEEDINGS for how in ("xla", "graph"))
EXPLICIT = (SKLEARN, SKLEARN_FASTEST)
WAYS = (*TENSORFLOW, NUMPY, *EXPLICIT)

_MIN_POINTS = 8  # Two-level seeding makes so many parts.


@dataclasses.dataclass(frozen=True)
class Settings:
    """Each field but the seed is a flag of `tools/benchmark.py`, with the same name."""

    sizes: tuple[int, ...] = config.field((1280, 4096, 38400), "Numbers of points (N), growing.")
    picks: int = config.field(128, "How many of them to pick (M).")
    embedding: int = config.field(128, "Length of the points' first factor (D).")
    features: int = config.field(512, "Length of their second factor (d).")
    points: tuple[str, ...] = config.field(
        POINTS,
        "Kinds of made-up points: gaussian (all about equally far apart), clustered (around 100 "
        "centres, so that nearly every point is close to others).",
    )
    ways: tuple[str, ...] = config.field(
        WAYS,
        f"What to measure, as METHOD_HOW; {OURS} is what ratios are to.",
    )
    ladder: tuple[int, ...] = config.field(
        (1280, 2560, 5120, 10240, 20480, 40960),
        f"Values of N, each twice the one before, to time {OURS} alone at; may be empty.",
    )
    repeats: int = config.field(5, "Rounds, in each of which each way takes its turn.")
    sklearn_repeats: int = config.field(1, "Rounds in which scikit-learn does; it takes long.")
    explicit_limit_mb: int = config.field(
        500, "scikit-learn is measured where explicit gradients take so many megabytes at most."
    )
    seed: int = config.field(0, "Seed of the points and the picks.")

    def __post_init__(self) -> None:
        """Refuses wrong values.

        Raises:
          config.ConfigError: a wrong value; the message names the flag.
        """
        checks.at_least(self, 1, "picks", "embedding", "features", "repeats", "sklearn_repeats")
        checks.at_least(self, 0, "explicit_limit_mb")
        checks.some_of(self, "points", POINTS)
        checks.some_of(self, "ways", WAYS)
        checks.require(self, "ways", OURS in self.ways, f"with {OURS} in it")
        checks.growing(self, "sizes")
        doubling = all(b == 2 * a for a, b in itertools.pairwise(self.ladder))
        checks.require(self, "ladder", doubling, "numbers that are each twice the one before")
        least = max(self.picks, _MIN_POINTS)
        for name in ("sizes", "ladder"):
            enough = all(number >= least for number in getattr(self, name))
            checks.require(
                self, name, enough, f"at least {least} each, the larger of --picks and 8"
            )

    def ways_at(self, num_points: int) -> list[str]:
        """The ways that are measured at a size: those on explicit points where these are few."""
        megabytes = 4e-6 * num_points * self.embedding * self.features
        fits = megabytes <= self.explicit_limit_mb
        return [way for way in self.ways if fits or way not in EXPLICIT]
