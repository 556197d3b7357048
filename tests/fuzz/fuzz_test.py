"""Broken input of every kind is read or refused in words: no crash, no hang, no more than 1 GB."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import records
from tests import programs, split_files
from tests.fuzz import mutations, program, targets

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Cases that take a few seconds.
QUICK = {
    "records": 800,
    "shards": 2,
    "media": 40,
    "catalogs": 800,
    "metadata": 1200,
    "checkpoints": 100,
}
_LATER = 1_000_000  # Cases that the quick tests do not try.


def run(code, *arguments):
    """Runs a program in a process of its own; returns its status, what it found and its errors."""
    done = programs.run(*code, *arguments, cwd=ROOT, timeout=900)
    found = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, found, done.stderr


def check(name, *options):
    status, found, errors = run(("-m", "tests.fuzz.program"), name, *options)
    assert status == 0, (found, errors[-3000:])
    assert found["megabytes"] <= program.MOST_MEGABYTES
    assert found["accepted"] > 0
    return found


@pytest.mark.parametrize("name", targets.TARGETS)
def test_broken_input_is_read_or_refused_in_words(name):
    found = check(name, "--cases", QUICK[name])
    assert found["cases"] == QUICK[name]
    # Of shards, bad records are left out.
    assert (found["refused"] == 0) == (name == "shards")


@pytest.mark.slow
@pytest.mark.parametrize("name", targets.TARGETS)
def test_five_minutes_of_broken_input(name):
    # In five processes: each data set that is built costs TensorFlow memory for good.
    rounds = [
        check(name, "--first", _LATER + 100_000 * number, "--seconds", 60) for number in range(5)
    ]
    print(name, rounds)
    assert sum(found["seconds"] for found in rounds) >= 300


class _Planted(targets.Target):
    """Does what a reader must not do."""

    def __init__(self, act):
        super().__init__(pathlib.Path())
        self.act = act

    def write(self, rng):
        del rng

    def read(self):
        self.act()


def _raise(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    "error, why",
    [
        (KeyError("shards"), "KeyError: 'shards'"),
        (ValueError("not ours"), "ValueError: not ours"),
        (MemoryError(), "MemoryError"),
        (RecursionError("deep"), "RecursionError"),
        (records.DataError(" "), "DataError without a word"),
        (tf.errors.DataLossError(None, None, "x"), "DataLossError"),
    ],
)
def test_other_errors_are_found(error, why):
    found = program.run(_Planted(_raise(error)), 5, 10, 60)
    assert found["case"] == 5 and found["cases"] == 1
    assert why in found["why"]


def test_named_errors_count_as_refused():
    found = program.run(_Planted(_raise(records.DataError("a is damaged"))), 0, 10, 60)
    assert (found["cases"], found["refused"], found["accepted"]) == (10, 10, 0)
    assert "case" not in found


def test_memory_that_others_hold_is_not_counted():
    held = bytearray(b"x") * (1100 << 20)
    found = program.run(_Planted(_raise(records.DataError("a is damaged"))), 0, 2, 60)
    del held
    assert found["cases"] == 2 and found["megabytes"] < 100, found


_PLANT = """
import ctypes, sys, time
from tests.fuzz import program, targets
program.HANG_SECONDS = {seconds}
class Bad(targets.Catalogs):
    def read(self):
        {act}
targets.TARGETS["records"] = Bad
sys.exit(program.main())
"""


@pytest.mark.parametrize(
    "act, told",
    [
        ("time.sleep(60)", "Timeout"),
        ("ctypes.string_at(0)", "Segmentation fault"),
        ("bytearray(b'x') * (1500 << 20)", " MB"),
        ("bytearray(2**40)", "MemoryError"),
    ],
)
def test_hangs_crashes_and_large_memory_are_found(act, told):
    # Touching all that memory takes its time beside other programs.
    seconds = 3.0 if told == "Timeout" else 120.0
    code = ("-c", _PLANT.format(act=act, seconds=seconds))
    status, found, errors = run(code, "records", "--cases", 3)
    assert status != 0
    assert told in json.dumps(found) + errors
    assert "case 0\n" in errors


def test_a_case_is_a_function_of_its_number():
    record = split_files.ramp_clip("a", num_frames=3, label=1).SerializeToString()
    for mutate in (mutations.of_bytes, mutations.of_record, mutations.of_jpegs):
        first, again = (mutate(np.random.default_rng(7), record) for _ in range(2))
        others = {mutate(np.random.default_rng(seed), record) for seed in range(20)}
        assert first == again
        assert len(others) > 5 and others != {record}


@pytest.mark.parametrize("seed", range(200))
def test_mutations_of_text_give_text(seed):
    rng = np.random.default_rng(seed)
    held = {"a": [1, {"b": None}], "c": "d", "e": 1.5}
    assert isinstance(mutations.of_json(rng, json.dumps(held)), str)
    assert isinstance(mutations.of_cells(rng, "a,b\n\nc,d\n", ","), str)
