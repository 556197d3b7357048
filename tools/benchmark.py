"""Measures the step, sampler, scaling, input, preparation or serving; in turns, in one run.

  python tools/benchmark.py --flagfile=configs/pretrain.cfg --compare=active,random
  python tools/benchmark.py --flagfile=configs/pretrain.cfg --peer=torch --precisions=float32
  python tools/benchmark.py --what=sampler --output=sampler.json
  python tools/benchmark.py --what=scaling --scaling_bandwidth=10 --scaling_memory_gb=16
  python tools/benchmark.py --what=input --data_dir=DATA_DIR --num_frames=16 --image_size=112
  python tools/benchmark.py --what=prepare --videos=FOLDER
  python tools/benchmark.py --what=serve --checkpoint=RUN_DIR

Measured are: the parts of a training step, in several precisions and with several ways of choosing
negatives, on batches made beforehand, of --data_dir or of noise; ways of k-means++ seeding, on
made-up points; bytes, memory and sampling of each of many replicas, with pools whole and in parts,
foretold from unit costs; the phases of the input, beside JPEG decoding alone; videos to records,
beside the ffmpeg program doing the same; answers of exported encoders, in every form.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import built_in_data
import field_flags
import run_flags
from absl import flags, logging

from actcl_tf import config, tensorflow_log
from actcl_tf.benchmark.input import input_settings, prepare_settings
from actcl_tf.benchmark.scaling import scaling_settings
from actcl_tf.benchmark.seeding import seeding_settings
from actcl_tf.benchmark.serving import serve_settings
from actcl_tf.benchmark.step import step_settings
from actcl_tf.console import commands

_OUTPUT = flags.DEFINE_string("output", "", "JSON file to write the figures to as well.")
field_flags.define(step_settings.Settings, prefix="step: ")
field_flags.define(seeding_settings.Settings, prefix="sampler: ", without=("seed",))
field_flags.define(scaling_settings.Settings, prefix="scaling: ")
field_flags.define(input_settings.Settings, prefix="input: ")
field_flags.define(prepare_settings.Settings, prefix="prepare: ")
field_flags.define(serve_settings.Settings, prefix="serve: ")


def _measure_step() -> dict:
    settings = field_flags.read(step_settings.Settings)
    data = run_flags.read_without_data().data
    named = data.data_dir or data.input == "media"
    run = run_flags.read_configuration() if named else run_flags.read_without_data()
    tensorflow_log.import_tensorflow()

    from actcl_tf.benchmark.step import race as step_race
    from actcl_tf.benchmark.step import report, timing

    if settings.peer == "torch":
        race = step_race.measure(run, settings.precisions, settings.timed_steps)
        print(f"\n{step_race.table(race)}")
        return {**step_race.to_dict(race), "config": run.to_dict()}
    result = timing.measure(run, settings)
    print(f"\n{report.table(result)}")
    return {**report.to_dict(result), "config": run.to_dict()}


def _measure_sampler() -> dict:
    seed = flags.FLAGS["seed"].value
    settings = field_flags.read(seeding_settings.Settings, without=("seed",), seed=seed)
    tensorflow_log.import_tensorflow()

    from actcl_tf.benchmark.seeding import report, timing

    figures = timing.measure(settings)
    targets = report.targets(figures)
    print(f"\n{report.table(figures)}\n\n{report.verdicts(targets)}")
    return {**figures, "targets": targets}


def _measure_scaling() -> dict:
    settings = field_flags.read(scaling_settings.Settings)
    run = run_flags.read_without_data()
    tensorflow_log.import_tensorflow()

    import tensorflow as tf

    from actcl_tf.benchmark.scaling import report, scaling

    tf.get_logger().setLevel("ERROR")  # Or each size that is compiled is warned of.
    result = scaling.measure(run, settings)
    print(f"\n{report.table(result, settings)}\n\n{report.basis(result, settings)}")
    print(f"\n{report.advice(result.rows, settings)}")
    return {**report.to_dict(result, settings), "config": run.to_dict()}


def _measure_input() -> dict:
    settings = field_flags.read(input_settings.Settings)
    run = run_flags.read_configuration()
    tensorflow_log.import_tensorflow()

    from actcl_tf.benchmark.input import input_time

    result = input_time.measure(run.data, settings, run.train.batch_size, run.train.seed)
    print(f"\n{input_time.table(result)}")
    return {**input_time.to_dict(result), "config": run.to_dict()}


def _measure_prepare() -> dict:
    settings = field_flags.read(prepare_settings.Settings)
    tensorflow_log.import_tensorflow()

    from actcl_tf.benchmark.input import prepare_time

    result = prepare_time.measure(settings, settings.videos or str(built_in_data.videos()))
    print(f"\n{prepare_time.table(result)}")
    return prepare_time.to_dict(result)


def _measure_serve() -> dict:
    settings = field_flags.read(serve_settings.Settings)
    run = run_flags.read_without_data()
    tensorflow_log.import_tensorflow()

    import tensorflow as tf

    from actcl_tf.benchmark.serving import report, timing

    logging.set_verbosity(logging.ERROR)  # Or each variable of each graph is named.
    tf.get_logger().setLevel("ERROR")
    timing.set_threads(settings)
    result = timing.measure(run, settings)
    print(f"\n{report.table(result)}")
    return report.to_dict(result)


_MEASURES = (
    _measure_step,
    _measure_sampler,
    _measure_scaling,
    _measure_input,
    _measure_prepare,
    _measure_serve,
)
_MEASURE = {measure.__name__.removeprefix("_measure_"): measure for measure in _MEASURES}
_WHAT = flags.DEFINE_enum("what", "step", list(_MEASURE), "What to measure.")


def main(argv: list[str]) -> int:
    """Measures and prints a table; returns the exit status."""
    try:
        field_flags.require_no_arguments(argv)
        output = pathlib.Path(_OUTPUT.value)
        if _OUTPUT.value and (output.is_dir() or not output.absolute().parent.is_dir()):
            raise config.ConfigError(f"--output={output}: must be a file in a folder that exists")
        figures = _MEASURE[_WHAT.value]()
    except config.UserError as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    if _OUTPUT.value:
        from actcl_tf.storage import files

        files.write_atomically(output, json.dumps(figures, indent=2) + "\n")
        print(f"The same numbers: {output}")
    return 0


if __name__ == "__main__":
    field_flags.run(main)
