"""Has one target read broken inputs, one after the other, and stops at what must not happen.

  python -m tests.fuzz.program records --seconds=300
  python -m tests.fuzz.program records --first=1234 --cases=1 --folder=/tmp/look_here

A case is a function of its number, so that one that fails can be tried again alone. What must not
happen: an error that is not for people, a crash, more than 20 seconds, more than 1 GB.
"""

import argparse
import faulthandler
import json
import os
import pathlib
import resource
import sys
import tempfile
import time
import traceback
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from actcl_tf.benchmark import host
from tests.fuzz import targets

HANG_SECONDS = 20.0  # Where other programs run beside it, too.
MOST_MEGABYTES = 1024
_SPARE_BYTES = 8 << 30  # Of addresses: what asks for more is stopped before the machine suffers.


def _peak_megabytes() -> float:
    return host.peak_bytes() / 2**20


def _limit_addresses() -> None:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run(target: targets.Target, first: int, cases: int, seconds: float) -> dict[str, Any]:
    """Runs cases until there are enough, the time is over or one of them fails.

    Returns:
      Numbers of `cases`, those `accepted` and `refused`, `seconds`, `megabytes` at most beyond what
      the process held before; and of the first one that failed `case` and `why`.
    """
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # The peak is now the level.
    held = _peak_megabytes()
    counts = {"accepted": 0, "refused": 0}
    started, number, failed = time.monotonic(), first, {}
    while number < first + cases and time.monotonic() - started < seconds and not failed:
        target.write(np.random.default_rng(number))
        print(f"case {number}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(HANG_SECONDS * target.size, exit=True)
        try:
            target.read()
            counts["accepted"] += 1
        except targets.NAMED as error:
            counts["refused"] += 1
            if not str(error).strip():
                failed = {"case": number, "why": f"{type(error).__name__} without a word"}
        except Exception:
            failed = {"case": number, "why": traceback.format_exc()}
        faulthandler.cancel_dump_traceback_later()
        megabytes = _peak_megabytes() - held
        if megabytes > MOST_MEGABYTES and not failed:
            failed = {"case": number, "why": f"{megabytes:.0f} MB"}
        number += 1
    spent = {"seconds": time.monotonic() - started, "megabytes": _peak_megabytes() - held}
    return {"cases": number - first, **counts, **spent, **failed}


def main() -> int:
    """Prints what came of it as a line of JSON; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(targets.TARGETS))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=10**9, help="how many at most")
    parser.add_argument("--seconds", type=float, default=300, help="for how long at most")
    parser.add_argument("--folder", help="to write inputs in, a new one; empty: one that is gone")
    options = parser.parse_args()
    faulthandler.enable()
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary) / "input"
        folder.mkdir(parents=True)
        target = targets.TARGETS[options.target](folder)
        _limit_addresses()
        found = run(target, options.first, options.cases, options.seconds)
    print(json.dumps(found))
    return int("case" in found)


if __name__ == "__main__":
    sys.exit(main())
