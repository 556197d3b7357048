"""Compares ways of choosing negatives: a grid of runs, paired by seed, and what follows from it.

  python tools/study.py --flagfile=configs/study.cfg [--data_dir=FOLDER]
  python tools/study.py --flagfile=configs/study.cfg --vary=dictionary_size=32,128 --jobs=2

All flags of tools/train.py are those of the runs, on the built-in data or on your own (--data_dir).
Each run has the data, the initial weights and the clips in the order of the same seed. The same
command goes on where a study was stopped; on several machines that share the folder it works on
other runs at the same time. The page, STUDY_DIR/study.html, is written anew at each end.
"""

import os
import pathlib
import signal
import sys
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

import field_flags
import run_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands
from actcl_tf.study import plan

_STUDY_DIR = flags.DEFINE_string("study_dir", "runs/study", "Folder of the study.")
_VARY = flags.DEFINE_multi_string(
    "vary",
    [],
    "A flag and its values in turn, such as dictionary_size=32,128; again for another flag: all "
    "combinations are run.",
)
_STRATEGIES = flags.DEFINE_list(
    "strategies",
    ["random", "active"],
    "Values of --negatives, each with further flags behind + where wanted, such as "
    "active+gradient_space=embedding. The others are compared with the first.",
)
_NUM_SEEDS = flags.DEFINE_integer(
    "num_seeds", 5, "Runs of each, with the seeds from --seed on.", lower_bound=1
)
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time, on this machine.", lower_bound=1)


def _cells() -> list[plan.Cell]:
    """The runs of the study; each is a configuration that can be trained."""
    axes = [plan.read_axis(text) for text in _VARY.value]
    strategies = [plan.read_strategy(text) for text in _STRATEGIES.value]
    first = flags.FLAGS["seed"].value
    cells = plan.list_cells(axes, strategies, range(first, first + _NUM_SEEDS.value))
    known = {flag.name for flag in field_flags.of_tools()}
    for name, _ in [*axes, *(pair for strategy in strategies for pair in strategy.flags)]:
        if name not in known:
            raise config.ConfigError(f"--vary, --strategies: --{name} is no flag of tools/train.py")
    for cell in cells:
        _with_flags(cell, run_flags.read_without_data)
    return cells


def _with_flags(
    cell: plan.Cell, read: Callable[[], config.PretrainConfig]
) -> config.PretrainConfig:
    """What `read` makes of the flags as they are in a cell's run."""
    pairs = [*cell.setting, *cell.strategy.flags, ("seed", str(cell.seed))]
    saved = {name: flags.FLAGS[name].value for name, _ in pairs}
    try:
        for name, value in pairs:
            flags.FLAGS[name].parse(value)
        return read()
    except flags.Error as error:
        raise config.ConfigError(f"{cell.name}: {error}") from None
    finally:
        for name, value in saved.items():
            flags.FLAGS[name].value = value


def _command(
    cell: plan.Cell, folder: pathlib.Path, data: dict[plan.Flags, list[tuple[str, str]]]
) -> list[str]:
    own = {"study_dir", "vary", "strategies", "num_seeds", "jobs"}
    given = [each for each in field_flags.of_tools() if each.present and each.name not in own]
    pairs = [*cell.setting, *cell.strategy.flags, ("seed", cell.seed), ("run_dir", folder)]
    tool = pathlib.Path(__file__).with_name("train.py")
    return [
        *(sys.executable, str(tool), *(each.serialize() for each in given)),
        *(f"--{name}={value}" for name, value in [*pairs, *data[cell.setting]]),
    ]


def _study() -> int:
    cells, study = _cells(), pathlib.Path(_STUDY_DIR.value)
    data: dict[plan.Flags, list[tuple[str, str]]] = {}
    for cell in cells:  # Made once, before runs would all make it.
        if cell.setting not in data:
            found = _with_flags(cell, run_flags.read_configuration)
            data[cell.setting] = [
                ("data_dir", found.data.data_dir),
                ("quantities", found.train.quantities),
            ]
    tensorflow_log.import_tensorflow()

    from actcl_tf.study import measures, report, running

    left = sum(not running.is_done(study, cell) for cell in cells)
    seconds = running.seconds_a_cell(study, cells)
    told = "" if seconds is None else f", about {seconds * left / _JOBS.value / 3600:.1f} hours"
    print(f"{len(cells)} runs in {study}, {left} to do{told}.")
    failures = running.run(study, cells, lambda c, f: _command(c, f, data), _JOBS.value)
    for failure in failures:
        print(
            f"error: {failure.cell.name} ended with status {failure.status}: see {failure.log}",
            file=sys.stderr,
        )
    done = [cell for cell in cells if running.is_done(study, cell)]
    if not done:
        return 1
    results = {cell: measures.read(running.folder_of(study, cell)) for cell in done}
    baseline = cells[0].strategy
    found = report.compare(results, baseline)
    paths = report.write(
        study, results, found, baseline, command=commands.this(), num_cells=len(cells)
    )
    print("\n".join(report.sentences(found, baseline)))
    print(f"\nThe study: {', '.join(map(str, paths))}")
    print(f"Look at it in a browser: {paths[0]}")
    return 1 if failures else 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """Runs a study; returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # Ends the runs as Ctrl-C does.
    try:
        field_flags.require_no_arguments(argv)
        return _study()
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. Go on with:\n  {commands.this()}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    field_flags.run(main)
