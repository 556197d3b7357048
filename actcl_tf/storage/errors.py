"""Errors that a program's user can mend or must be told of: their root, and that of data."""


class UserError(Exception):
    """What a tool prints as one line, without a traceback, before it ends with status 2.

    Errors of all parts derive from it, so that a tool can name them before it has imported
    TensorFlow. The message says what was expected, what came, and what to do.
    """


class DataError(UserError, ValueError):
    """Data that is missing, damaged or not what was asked for; the message is one clear line."""
