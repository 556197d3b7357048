"""Fields of the configuration's sections, and what may stand in them."""

import dataclasses
from typing import Any, Optional

SCHEDULES = ("constant", "cosine")


class ConfigError(ValueError):
    """A wrong flag value; the message names the flag, the value and what is allowed."""


def field(default: Any, help_text: str, allowed: Optional[tuple] = None) -> Any:
    """A field that is a flag, with its help and the values it may have (None: any)."""
    metadata = {"help": help_text}
    if allowed is not None:
        metadata["allowed"] = allowed
    return dataclasses.field(default=default, metadata=metadata)


def check_allowed(section: Any) -> None:
    """Checks every field that has a list of allowed values."""
    for field in dataclasses.fields(section):
        allowed = field.metadata.get("allowed")
        value = getattr(section, field.name)
        if allowed and value not in allowed:
            raise ConfigError(f"--{field.name}={value}: must be one of {', '.join(allowed)}")


def check_range(
    section: Any, name: str, low: float, high: float = float("inf"), *, open_low: bool = False
) -> None:
    """Checks low <= value <= high (or low < value)."""
    value = getattr(section, name)
    if not (low <= value <= high) or (open_low and value == low):
        lower = f"greater than {low}" if open_low else f"at least {low}"
        upper = "" if high == float("inf") else f" and at most {high}"
        raise ConfigError(f"--{name}={value}: must be {lower}{upper}")
