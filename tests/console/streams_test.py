"""Names of any kind on terminals of any kind."""

import os
import subprocess
import sys

import pytest

SHOW = """
import sys
from actcl_tf.console import streams
streams.escape_what_cannot_be_shown()
print("\\xfc \\udcff ok")
print("\\xfc \\udcff ok", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\xfc \\udcff ok\n"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\xfc \\udcff ok\n"),
        ({"PYTHONIOENCODING": "utf-8"}, b"\xc3\xbc \\udcff ok\n"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"\\xfc \\udcff ok\n"),
    ],
)
def test_what_a_terminal_lacks_is_escaped(changes, expected):
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env={**kept, **changes}, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (expected, expected)
