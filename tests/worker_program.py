"""One process of a run, for tests: trains and writes down what its own dictionaries hold.

Arguments: a JSON file of flags, where to write, and how many CPU devices to make of this one.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from actcl_tf import config
from actcl_tf.train import training_run


def main(flags: str, output: str, num_devices: str) -> None:
    """Runs the program."""
    if int(num_devices) > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * int(num_devices)
        tf.config.set_logical_device_configuration(cpu, devices)
    run = training_run.TrainingRun(config.from_flat(json.loads(pathlib.Path(flags).read_text())))
    run.train()
    held = {}
    for modality, dictionary in run.model.dictionaries.items():
        for name, queue in (("dictionary", dictionary.queue), ("pool", dictionary.pool)):
            held[f"{modality} {name}"] = {
                "ids": queue.ids.values[0].numpy().tolist(),
                "keys": queue.columns["keys"].values[0].numpy().tolist(),
            }
    pathlib.Path(output).write_text(json.dumps(held))


if __name__ == "__main__":
    main(*sys.argv[1:])
