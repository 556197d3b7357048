"""Checks that the settings of several benchmarks share; each field is one flag."""

from typing import Any

from actcl_tf.config import ConfigError, fields


def require(settings: Any, name: str, right: bool, allowed: str) -> None:
    """Refuses the value of a field.

    Args:
      settings: a dataclass.
      name: of the field.
      right: whether its value is.
      allowed: what must be, in words.

    Raises:
      ConfigError: it is not; the message names the flag, its value and what is allowed.
    """
    if not right:
        value = getattr(settings, name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else value
        raise ConfigError(f"--{name}={text}: must be {allowed}")


def at_least(settings: Any, lowest: int, *names: str) -> None:
    """Refuses fields whose value is below the lowest one."""
    for name in names:
        fields.check_range(settings, name, lowest)


def some_of(settings: Any, name: str, known: tuple[str, ...]) -> None:
    """Refuses a list that is empty, names what is not known, or names a thing twice."""
    value = getattr(settings, name)
    right = bool(value) and set(value) <= set(known) and len(set(value)) == len(value)
    require(settings, name, right, f"one or more of {', '.join(known)}, each once")


def growing(settings: Any, *names: str) -> None:
    """Refuses lists that are empty, or do not grow from 1 or more."""
    for name in names:
        value = getattr(settings, name)
        right = bool(value) and list(value) == sorted(set(value)) and value[0] >= 1
        require(settings, name, right, "one or more numbers from 1, each larger than the last")
