"""Labels that stand in the names of files, found by a pattern with named groups."""

import re
from collections.abc import Sequence

from actcl_tf import config

# The probe of the classes that the data came with.
LABEL = "label"


def compile_pattern(pattern: str, flag: str = "probe_pattern") -> re.Pattern[str] | None:
    """Compiles a pattern of file names, so that a mistake in it is found before any work.

    Args:
      pattern: regular expression with named groups, or empty for none.
      flag: what it was given by, for errors.

    Raises:
      config.ConfigError: not a regular expression, or one without named groups.
    """
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise config.ConfigError(
            f"--{flag}={pattern}: must be a regular expression: {error}"
        ) from error
    if not compiled.groupindex or LABEL in compiled.groupindex:
        raise config.ConfigError(
            f"--{flag}={pattern}: must have named groups, (?P<name>...), one for each label "
            f"to probe, and none named '{LABEL}'"
        )
    return compiled


def labels_from_names(
    pattern: "re.Pattern[str]", filenames: Sequence[str], flag: str = "probe_pattern"
) -> dict[str, list[str]]:
    """Reads labels off file names.

    Args:
      pattern: of `compile_pattern`; must describe the whole base name, with its extension or
        without.
      filenames: n names or paths of files.
      flag: what the pattern was given by, for errors.

    Returns:
      Group name to its n labels.

    Raises:
      config.ConfigError: a name does not match; the message names it.
    """
    labels = {group: [] for group in pattern.groupindex}
    for filename in filenames:
        name = re.split(r"[/\\]", filename)[-1]
        match = pattern.fullmatch(name) or pattern.fullmatch(re.sub(r"\.[^.]*$", "", name))
        if match is None or None in match.groupdict().values():
            raise config.ConfigError(
                f"--{flag}={pattern.pattern}: the file name {filename!r} does not match; "
                "the pattern must describe every base name, with its extension or without, as a "
                "whole, each named group included"
            )
        for group, value in match.groupdict().items():
            labels[group].append(value)
    return labels
