"""Fields of the configuration's sections, and what may stand in them."""

import dataclasses
from typing import Any

from actcl_tf.storage.errors import UserError

SCHEDULES = ("constant", "cosine")


class ConfigError(UserError, ValueError):
    """A wrong flag value; the message names the flag, the value and what is allowed."""


def field(
    default: Any, help_text: str, allowed: tuple | None = None, items: type | None = None
) -> Any:
    """A field that is a flag.

    Args:
      default: its default; a tuple is a list of values, separated by commas.
      help_text: what it is for.
      allowed: values it may have, or each of a list; None: any.
      items: type of the values of a list; None: that of the default's first.
    """
    metadata = {"help": help_text}
    if allowed is not None:
        metadata["allowed"] = allowed
    if isinstance(default, tuple):
        metadata["items"] = items or type(default[0])
    return dataclasses.field(default=default, metadata=metadata)


def check_allowed(section: Any) -> None:
    """Checks every field that has a list of allowed values."""
    for field in dataclasses.fields(section):
        allowed = field.metadata.get("allowed")
        value = getattr(section, field.name)
        is_list = isinstance(value, tuple)
        if allowed and not set(value if is_list else (value,)) <= set(allowed):
            some, shown = ("some", ",".join(map(str, value))) if is_list else ("one", value)
            raise ConfigError(
                f"--{field.name}={shown}: must be {some} of {', '.join(map(str, allowed))}"
            )


def check_range(
    section: Any, name: str, low: float, high: float = float("inf"), *, open_low: bool = False
) -> None:
    """Checks low <= value <= high (or low < value)."""
    value = getattr(section, name)
    if not (low <= value <= high) or (open_low and value == low):
        lower = f"greater than {low}" if open_low else f"at least {low}"
        upper = "" if high == float("inf") else f" and at most {high}"
        raise ConfigError(f"--{name}={value}: must be {lower}{upper}")
