"""Messages of ours that come back inside TensorFlow's errors.

What is raised in Python below a data set comes out as an error of TensorFlow's, between traces.
Such messages begin with the flag that they are about, which finds them again.
"""


def message_of(error: BaseException, mark: str) -> str:
    """The line of an error from a mark on.

    Args:
      error: perhaps TensorFlow's.
      mark: what the message begins with.

    Returns:
      "" where the mark is not in the error.
    """
    lines = [line for line in str(error).splitlines() if mark in line]
    return lines[0][lines[0].index(mark) :] if lines else ""
