"""Why a preparation gives no data set; nothing here needs TensorFlow."""

from actcl_tf.storage.errors import DataError


class NothingUsableError(DataError):
    """Not one clip was good; `failures` says why."""

    def __init__(self, message: str, failures: dict[str, list[str]]) -> None:
        super().__init__(message)
        self.failures = failures


class TooManyFailuresError(NothingUsableError):
    """More was left out than --max_failures allows; `failures` says why."""
