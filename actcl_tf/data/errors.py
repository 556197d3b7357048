"""What is wrong with data; nothing here needs TensorFlow, so that tools can name it first."""

from actcl_tf import config


class DataError(config.UserError, ValueError):
    """Data that is missing, damaged or not what was asked for; the message is one clear line."""


class NothingUsableError(DataError):
    """Not one clip was good; `failures` says why."""

    def __init__(self, message: str, failures: dict[str, list[str]]) -> None:
        super().__init__(message)
        self.failures = failures


class TooManyFailuresError(NothingUsableError):
    """More was left out than --max_failures allows; `failures` says why."""
