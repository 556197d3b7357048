#!/bin/sh
# Prints the path of a Python that can hold this project's environment: 3.9 to 3.11, with venv and
# ensurepip. $PYTHON is tried first. Where there is none, says what was found and what is needed.
set -u

# Prints the interpreter's path where it fits, else what is wrong with it (and fails).
check='
import sys
version = "Python " + ".".join(map(str, sys.version_info[:3]))
if not (3, 9) <= sys.version_info[:2] <= (3, 11):
    sys.exit(version)
if sys.implementation.name != "cpython":
    sys.exit(version + ", but " + sys.implementation.name)
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit(version + ", but without the module " + str(error.name))
print(sys.executable)
'

found=""
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.10 python3.9 python3 python; do
    if ! command -v "$candidate" >/dev/null 2>&1; then
        if [ "$candidate" = "${PYTHON:-}" ]; then
            found="$found
  $candidate (from \$PYTHON): no such command"
        fi
        continue
    fi
    if answer=$("$candidate" -c "$check" 2>&1); then
        if [ -n "${PYTHON:-}" ] && [ "$candidate" != "$PYTHON" ]; then
            printf 'warning: $PYTHON cannot be used; taking %s instead%s\n' "$answer" "$found" >&2
        fi
        printf '%s\n' "$answer"
        exit 0
    fi
    # A start script without its interpreter, or a Python 2, says more than a version number.
    case $answer in
    "Python "*) ;;
    *) answer="does not run: $(printf '%s\n' "$answer" | sed '/^[[:space:]]*$/d' | head -n 1)" ;;
    esac
    found="$found
  $(command -v "$candidate"): $answer"
done

printf '%s\n' >&2 \
    "error: no usable Python found" \
    "needed: CPython 3.9, 3.10 or 3.11 with the modules venv and ensurepip" \
    "found:${found:-
  none of python3.11, python3.10, python3.9, python3, python}" \
    "to do: install one (on Debian and Ubuntu with its python3.X-venv package), or name one:" \
    "  make PYTHON=/path/to/python3.11"
exit 1
