"""What of exported encoders is timed: one frozen dataclass, checked beforehand."""

import dataclasses

from actcl_tf import config
from actcl_tf.benchmark import checks

BATCH = 8


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured; each field is one flag of `tools/benchmark.py`."""

    checkpoint: str = config.field(
        "",
        "Folder of the run whose encoders are served, on clips of its data or of --data_dir; "
        "empty: encoders as initialised of the configuration that the flags give, on noise.",
    )
    serve_rounds: int = config.field(10, "Rounds, in each of which every form has its turn.")
    serve_requests: int = config.field(
        10, f"Requests of one clip in a turn; one of {BATCH} clips follows."
    )
    serve_clips: int = config.field(
        32, "Clips that embeddings are compared on, and as many others that int8 is calibrated on."
    )
    serve_threads: int = config.field(
        0,
        "Threads of every form; 0: one a core. Where other programs keep cores busy, measure with "
        "1: TFLite's threads wait long for one that has no core.",
    )

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "serve_rounds", "serve_requests", "serve_clips")
        checks.at_least(self, 0, "serve_threads")
