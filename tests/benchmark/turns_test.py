import time

import pytest

from actcl_tf.benchmark import turns


def test_calls_take_turns_as_often_as_asked():
    log = []

    def call(name):
        def note(index):
            log.append((name, index))
            return 10 * index

        return note

    found = turns.take({name: call(name) for name in "abc"}, {"a": 3, "b": 1, "c": 2}, "timing")
    assert log == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("c", 2), ("a", 3)]
    assert {name: [result for _, result in each] for name, each in found.items()} == {
        "a": [10, 20, 30],
        "b": [10],
        "c": [10, 20],
    }
    assert all(seconds >= 0 for each in found.values() for seconds, _ in each)


def test_seconds_are_those_of_the_call():
    seconds, result = turns.timed(lambda value: time.sleep(value) or "done", 0.02)
    assert seconds >= 0.02 and result == "done"


def test_ratios_are_paired():
    # 2, 2.5 and 4: not the ratio of the medians, nor of the means.
    found = turns.ratio([10.0, 10.0, 16.0], [5.0, 4.0, 4.0])
    assert found == pytest.approx((2.25, 2.5, 3.25)) and str(found) == "2.50 [2.25, 3.25]"
