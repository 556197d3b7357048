"""Measures the training step or the sampler, several ways side by side in one run.

The training step with active against random negatives:

  python tools/benchmark.py --flagfile=configs/pretrain.cfg --compare=active,random

Each way of choosing negatives gets its own model; their steps take turns, so that a machine whose
speed drifts treats them alike. The batches are made beforehand: what is timed is the step alone.

The sampler, which picks M of N candidates by k-means++ seeding on factored gradients:

  python tools/benchmark.py --what=sampler --output=sampler.json

Time, memory and memory traffic of our methods, with and without XLA, of the plain loop in NumPy and
of scikit-learn on explicit gradients; on made-up points. Of the run's flags, only --seed counts.
"""

import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import run_flags
from absl import app, flags

from actcl_tf import config
from actcl_tf.benchmark import seeding_report, seeding_settings, seeding_time, step_time
from actcl_tf.data import records

_WHAT = flags.DEFINE_enum("what", "step", ["step", "sampler"], "What to measure.")
_OUTPUT = flags.DEFINE_string("output", "", "JSON file to write the figures to as well.")
_COMPARE = flags.DEFINE_list(
    "compare", ["active", "random"], "step: values of --negatives to time; ratios are to the last."
)
_TIMED_STEPS = flags.DEFINE_integer("timed_steps", 30, "step: timed steps of each.", lower_bound=1)

_FIELDS = [f for f in dataclasses.fields(seeding_settings.Settings) if f.name != "seed"]
for _field in _FIELDS:  # Name, default and help are the field's own.
    _help = f"sampler: {_field.metadata['help']}"
    if isinstance(_field.default, tuple):
        flags.DEFINE_list(_field.name, [str(value) for value in _field.default], _help)
    else:
        flags.DEFINE_integer(_field.name, _field.default, _help)


def _read_settings() -> seeding_settings.Settings:
    values = {"seed": flags.FLAGS["seed"].value}
    for field in _FIELDS:
        value = flags.FLAGS[field.name].value
        if isinstance(field.default, tuple):
            try:
                value = tuple(map(type(field.default[0]), value))
            except ValueError:
                text = f"--{field.name}={','.join(value)}"
                raise config.ConfigError(f"{text}: must be whole numbers") from None
        values[field.name] = value
    return seeding_settings.Settings(**values)


def _measure_step() -> dict:
    base = run_flags.read_configuration()
    seconds = step_time.measure(base, _COMPARE.value, _TIMED_STEPS.value)
    figures, table = step_time.summarise(seconds, _COMPARE.value, base.train.batch_size)
    print(table)
    return {"figures": figures, "config": base.to_dict()}


def _measure_sampler() -> dict:
    settings = _read_settings()
    result = seeding_time.measure(settings)
    targets = seeding_report.targets(result)
    print(f"\n{seeding_report.table(result)}\n\n{seeding_report.verdicts(targets)}")
    figures = seeding_time.to_dict(settings, result)
    return {**figures, "targets": [{**t._asdict(), "met": t.met} for t in targets]}


def main(argv: list[str]) -> int:
    """Measures and prints a table; returns the exit status."""
    try:
        if len(argv) > 1:
            raise config.ConfigError(f"unexpected argument {argv[1]}; flags look like --name=value")
        output = pathlib.Path(_OUTPUT.value)
        if _OUTPUT.value and (output.is_dir() or not output.absolute().parent.is_dir()):
            raise config.ConfigError(f"--output={output}: must be a file in a folder that exists")
        figures = _measure_sampler() if _WHAT.value == "sampler" else _measure_step()
    except (config.ConfigError, records.DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if _OUTPUT.value:
        records.write_atomically(output, json.dumps(figures, indent=2) + "\n")
        print(f"The same numbers: {output}")
    return 0


if __name__ == "__main__":
    app.run(main)
