"""Bars on terminals, and lines where there is none."""

import io
import os
import pty
import re

import pytest

from actcl_tf.console import bars


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand: what is tested would take minutes."""
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute(clock):
    log = io.StringIO()
    with bars.Bar(total=1000, desc="reading", unit="clip", mininterval=0, file=log) as bar:
        for number in range(1000):
            clock[0] = 0.1 * number  # 100 seconds.
            bar.set_postfix_str(f"clip {number}")
            bar.update()
    lines = log.getvalue().splitlines()
    counts = [re.search(r"(\d+)/1000", line)[1] for line in lines]
    assert counts == ["0", "300", "600", "900", "1000"]
    assert all(line.startswith("reading: ") and line.isprintable() for line in lines)
    assert "clip 999" in lines[-1] and log.getvalue().endswith("\n")


@pytest.mark.parametrize("options", [{"disable": True}, {"delay": 100.0}])
def test_what_is_not_wanted_writes_nothing(options):
    log = io.StringIO()
    for _ in bars.Bar(range(3), "timing", unit="round", file=log, **options):
        pass
    assert log.getvalue() == ""


def test_without_a_total_and_not_left(clock):
    log = io.StringIO()
    with bars.Bar(desc="measuring", unit="row", file=log, leave=False) as bar:
        bar.update(3)
    assert log.getvalue().startswith("measuring: 0row [")
    assert log.getvalue().count("\n") == 1


def test_a_terminal_gets_a_bar():
    reading, writing = pty.openpty()
    with open(writing, "w", encoding="utf-8", closefd=False) as terminal:
        with bars.Bar(range(5), "reading", file=terminal, ncols=60) as bar:
            for _ in bar:
                pass
        terminal.flush()
        shown = ""
        while "5/5" not in shown:
            shown += os.read(reading, 10_000).decode()
    for end in (reading, writing):
        os.close(end)
    assert "\rreading: 100%|" in shown
