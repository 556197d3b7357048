"""What the table of replicas and pools is made of: one frozen dataclass, checked beforehand."""

import dataclasses

from actcl_tf import config
from actcl_tf.benchmark import checks
from actcl_tf.benchmark.seeding import seeding_settings
from actcl_tf.config import fields

_SPARE = 4  # A measured pool holds so many times the keys that are picked out of it at a step.


@dataclasses.dataclass(frozen=True)
class Settings:
    """Each field is one flag of `tools/benchmark.py`."""

    scaling_replicas: tuple[int, ...] = config.field(
        (1, 2, 4, 8, 16, 32, 64, 128, 256), "Numbers of replicas (R), growing."
    )
    scaling_pools: tuple[int, ...] = config.field(
        (16384, 65536, 300_000, 1_000_000, 10_000_000), "Keys in each pool (N), growing."
    )
    scaling_replica_batch: int = config.field(
        16, "Clips of a step on each replica (B); the global batch is those of all (M = R B)."
    )
    scaling_bandwidth: float = config.field(
        10.0, "Gigabytes a second that a replica sends, and receives at the same time."
    )
    scaling_memory_gb: float = config.field(
        16.0, "Gigabytes of a replica that pools, dictionaries and their sampling may take."
    )
    scaling_step_seconds: float = config.field(
        0.5, "Seconds that the encoders of a replica take for their part of a step."
    )
    scaling_speed: float = config.field(
        1.0, "How many times as fast as this machine a replica samples."
    )
    scaling_measured_pools: tuple[int, ...] = config.field(
        (4096, 8192, 16384, 32768), "Values of N that unit costs are measured at, growing."
    )
    scaling_measured_picks: tuple[int, ...] = config.field(
        (32, 128, 512), "Values of M that unit costs are measured at, growing."
    )
    scaling_points: str = config.field(
        "clustered", "Kind of made-up features that are sampled.", seeding_settings.POINTS
    )
    scaling_rounds: int = config.field(5, "Rounds, in each of which every size is timed once.")

    def __post_init__(self) -> None:
        """Refuses wrong values.

        Raises:
          config.ConfigError: a wrong value; the message names the flag.
        """
        measured = ("scaling_measured_pools", "scaling_measured_picks")
        checks.growing(self, "scaling_replicas", "scaling_pools", *measured)
        for name in measured:
            several = len(getattr(self, name)) > 1
            checks.require(self, name, several, "two or more numbers, for a fit")
        checks.at_least(self, 1, "scaling_replica_batch", "scaling_rounds")
        for name in ("bandwidth", "memory_gb", "step_seconds", "speed"):
            value = getattr(self, f"scaling_{name}")
            checks.require(self, f"scaling_{name}", 0 < value < float("inf"), "above 0")
        least = _SPARE * self.scaling_measured_picks[-1]
        enough = self.scaling_measured_pools[0] >= least
        allowed = f"at least {least} each, {_SPARE} times the largest of --scaling_measured_picks"
        checks.require(self, "scaling_measured_pools", enough, allowed)
        fields.check_allowed(self)
