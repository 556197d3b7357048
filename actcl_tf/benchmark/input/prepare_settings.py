"""What of a preparation is timed: one frozen dataclass, checked beforehand."""

import dataclasses

from actcl_tf import config
from actcl_tf.benchmark import checks


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured; each field is one flag of `tools/benchmark.py`."""

    videos: str = config.field("", "Folder of videos; empty: those of the built-in data set.")
    prepare_videos: int = config.field(200, "The first so many of them.")
    prepare_workers: int = config.field(0, "Processes of each; 0: one a core.")
    prepare_rounds: int = config.field(3, "Rounds of each.")

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "prepare_videos", "prepare_rounds")
        checks.at_least(self, 0, "prepare_workers")
