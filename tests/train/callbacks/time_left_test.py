import pathlib

import pytest
import tensorflow as tf

from actcl_tf.train.callbacks import time_left


def _marked(ends, first=0, last=100):
    left = time_left.TimeLeft(first, last)
    for step, now in ends:
        left.mark(step, now)
    return left


@pytest.mark.parametrize(
    ("ends", "first", "pace", "seconds"),
    [
        ([], 0, None, None),
        # The first two steps, 60 s and 9 s, are no part of the pace.
        ([(1, 60.0), (2, 69.0), *((n, 69.0 + 2.0 * (n - 2)) for n in range(3, 11))], 0, 2.0, 180.0),
        ([(1, 60.0), (2, 69.0), *((n, 69.0 + 2.0 * (n - 2)) for n in range(3, 10))], 0, None, None),
        # A run that goes on: ten steps of its own come first.
        ([(50 + n, 3.0 * n) for n in range(1, 11)], 50, 3.0, 120.0),
        ([(50 + n, 3.0 * n) for n in range(1, 10)], 50, None, None),
        # Executions of twenty steps: the third tells the pace of the second to it.
        ([(20, 100.0), (40, 110.0)], 0, None, None),
        ([(20, 100.0), (40, 110.0), (60, 120.0)], 0, 0.5, 20.0),
        # The last step leaves nothing.
        ([(n, float(n)) for n in range(1, 101)], 0, 1.0, 0.0),
        # A clock that stands still.
        ([(n, 5.0) for n in range(1, 21)], 0, 0.0, 0.0),
    ],
)
def test_the_pace_leaves_out_what_traces_the_graph(ends, first, pace, seconds):
    left = _marked(ends, first)
    assert left.seconds_a_step == pace
    assert left.seconds == seconds


def test_the_pace_is_that_of_the_last_steps():
    slow = [(n, 10.0 * n) for n in range(1, 101)]
    fast = [(n, 1000.0 + (n - 100)) for n in range(101, 1000)]
    assert _marked(slow + fast, last=2000).seconds == 1001.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (3569.0, "59 min"),
        (3571.0, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
        (360_000.0, "100 h 00 min"),
    ],
)
def test_durations_in_words(seconds, words):
    assert time_left.in_words(seconds) == words


def test_only_more_than_an_hour_is_told(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(pathlib.Path, "read_text", lambda self, errors: "flags : avx avx2")
    monkeypatch.setattr(pathlib.Path, "exists", lambda self: True)

    def notice(last):
        return time_left.long_run_notice(
            _marked([(n, 2.0 * n) for n in range(1, 11)], last=last), "fewer steps"
        )

    assert notice(10) is None
    assert notice(1810) is None  # An hour to the second.
    told = notice(3610)
    assert told.startswith(
        "This will take about 2 h 00 min: 3,600 steps of 2 s each, on a CPU without units for "
        "bfloat16 (AVX2, "
    )
    assert told.endswith(" kernels); TensorFlow sees no GPU. Shorter: fewer steps.")
    assert time_left.long_run_notice(_marked([], last=9999), "fewer steps") is None
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    assert "each, on 2 GPUs. Shorter" in notice(3610)
