"""What of the input is timed: one frozen dataclass, checked beforehand."""

import dataclasses

from actcl_tf import config
from actcl_tf.benchmark import checks


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured; each field is one flag of `tools/benchmark.py`."""

    input_rounds: int = config.field(5, "Rounds, in each of which every phase has its turn.")
    input_batches: int = config.field(12, "Batches that each phase is timed over in a round.")
    input_clips: int = config.field(0, "Clips over which memory is watched; 0: not at all.")
    input_shards: int = config.field(
        0, "Shards of a copy whose first batch is timed; 0: the data as is."
    )
    input_videos: str = config.field(
        "",
        "Folder of the videos that --data_dir was prepared from: the same clips are then read "
        "straight from them as well.",
    )

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "input_rounds", "input_batches")
        checks.at_least(self, 0, "input_clips", "input_shards")
