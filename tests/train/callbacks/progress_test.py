import re

import pytest
import tensorflow as tf

from actcl_tf.train.callbacks import progress
from actcl_tf.train.model import packed_logs, scalar_names


class _Model:
    """What the bar asks a model for."""

    def __init__(self, step):
        self.step = tf.Variable(step, dtype=tf.int64)


@pytest.fixture
def shown(monkeypatch, capsys):
    """Runs a bar over steps by a clock that goes so many seconds a step; gives what it showed."""
    scalars = {scalar_names.LOSS: 2.5, f"{scalar_names.TOP1}/video": 0.25}
    monkeypatch.setattr(packed_logs, "read", lambda model, logs: scalars)

    def run(num_steps, *, total, pace, first=0, **options):
        now = [0.0]
        bar = progress.Progress(total, 5, 8, clock=lambda: now[0], **options)
        bar.set_model(_Model(first))
        bar.on_train_begin()
        for batch in range(num_steps):
            now[0] += pace if batch > 1 else 100.0
            bar.on_train_batch_begin(batch)
            bar.on_train_batch_end(batch, {})
        if not options.get("hidden"):
            bar._bar.refresh()
        bar.close()
        out, errors = capsys.readouterr()
        return out, re.split(r"[\r\n]+", errors.strip())[-1]

    return run


def test_time_left_is_shown_from_ten_steps_on(shown):
    out, early = shown(9, total=110, pace=3.0)
    assert "9/110 [" in early and "left" not in early and "loss 2.500, top-1 0.25]" in early
    out, line = shown(10, total=110, pace=3.0)
    assert "10/110 [" in line and "5 min left, loss 2.500, top-1 0.25, 3 clips/s]" in line
    assert out == ""
    assert "20/110 [" in shown(10, total=110, pace=3.0, first=10)[1]


def test_a_long_run_is_told_once_and_what_to_do(shown):
    out, line = shown(30, total=5000, pace=3.0, shorter="fewer --steps")
    assert out.count("This will take about 4 h 10 min: 4,990 steps of 3 s each, on a") == 1
    assert out.count("Shorter: fewer --steps.") == 1
    assert "4 h 08 min left" in line


def test_another_workers_bar_shows_nothing(shown):
    assert shown(30, total=5000, pace=3.0, hidden=True) == ("", "")
