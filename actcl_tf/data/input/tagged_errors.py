"""Messages of ours that come back inside TensorFlow's errors.

What is raised in Python below a data set comes out as an error of TensorFlow's, between traces.
Such messages begin with the flag that they are about, which finds them again.
"""


def message_of(error: BaseException, tag: str) -> str:
    """The line of an error from a tag on.

    Args:
      error: perhaps TensorFlow's.
      tag: what the message begins with.

    Returns:
      "" where the tag is not in the error.
    """
    lines = [line for line in str(error).splitlines() if tag in line]
    return lines[0][lines[0].index(tag) :] if lines else ""
