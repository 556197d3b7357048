"""What of a training step is timed: one frozen dataclass, checked beforehand."""

import dataclasses

from actcl_tf import config
from actcl_tf.benchmark import checks

# Type of number -> the Keras policy of encoders that compute in it.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured; each field is one flag of `tools/benchmark.py`."""

    compare: tuple[str, ...] = config.field(
        ("active", "random"),
        "Values of --negatives to time; ratios are to the last.",
        config.NEGATIVES,
    )
    precisions: tuple[str, ...] = config.field(
        ("float32", "bfloat16"),
        "Precisions of the encoders to time; speeds are compared with the first.",
        tuple(PRECISIONS),
    )
    timed_steps: int = config.field(30, "Rounds, in each of which every step has its turn.")
    peer: str = config.field(
        "none",
        "torch: race the encoders against the same ones in PyTorch, in turns, instead of taking "
        "the step apart.",
        ("none", "torch"),
    )
    peak_memory: bool = config.field(True, "Measure peak memory too, in processes of their own.")

    def __post_init__(self) -> None:
        checks.some_of(self, "compare", config.NEGATIVES)
        checks.some_of(self, "precisions", tuple(PRECISIONS))
        checks.at_least(self, 1, "timed_steps")
