#!/bin/sh
# Prints the path of a Python that can hold this project's environment: 3.10 or 3.11, with venv and
# ensurepip. $PYTHON is tried first. Where there is none, uv fetches one: the uv that is here ($UV),
# or one that another Python 3 of this machine installs for a moment. Says what was found, what it
# does and, where nothing helps, what to do.
set -u

# Prints the interpreter's path where it fits, else what is wrong with it (and fails).
check='
import sys
version = "Python " + ".".join(map(str, sys.version_info[:3]))
if not (3, 10) <= sys.version_info[:2] <= (3, 11):
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
others=""
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.10 python3 python \
    python3.14 python3.13 python3.12; do
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
    "Python "*) others="$others $candidate" ;;
    *) answer="does not run: $(printf '%s\n' "$answer" | sed '/^[[:space:]]*$/d' | head -n 1)" ;;
    esac
    found="$found
  $(command -v "$candidate"): $answer"
done

printf '%s\n' >&2 \
    "needed: CPython 3.10 or 3.11 with the modules venv and ensurepip" \
    "found:${found:-
  none of python3.11, python3.10, python3, python}"

# Sets $uv to the command, or $why to the reason for there being none.
folder=""
trap '[ -z "$folder" ] || rm -rf "$folder"' EXIT
uv=${UV:-uv}
why="there is neither uv nor a Python 3 with venv and ensurepip to install it with"
if ! command -v "$uv" >/dev/null 2>&1; then
    uv=""
    for python in $others; do
        "$python" -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 8)' \
            >/dev/null 2>&1 || continue
        folder=$(mktemp -d) || break
        echo "installing uv for a moment, with $python" >&2
        if said=$("$python" -m venv "$folder" 2>&1) \
            && said=$("$folder/bin/python" -m pip --disable-pip-version-check install \
                --quiet --retries 1 uv 2>&1); then
            uv=$folder/bin/uv
        else
            why="uv cannot be installed: $(printf '%s\n' "$said" | sed -n '${s/^ERROR: //;p;}')"
        fi
        break
    done
fi

if [ -n "$uv" ]; then
    echo "fetching CPython 3.11 with uv" >&2
    if said=$("$uv" python install 3.11 2>&1) \
        && said=$("$uv" python find --managed-python 3.11 2>&1) \
        && said=$("$said" -c "$check" 2>&1); then
        printf '%s\n' "$said"
        exit 0
    fi
    # The first line says what failed, the last why.
    said=$(printf '%s\n' "$said" | sed -e '/^[[:space:]]*$/d' -e 's/^ *[a-zA-Z ]*: //')
    what=$(printf '%s\n' "$said" | sed -n 1p)
    last=$(printf '%s\n' "$said" | sed -n '$p')
    why="uv cannot fetch one: $what"
    [ "$last" = "$what" ] || why="$why: $last"
fi

echo "error: no usable Python found, and $why; to do: install Python 3.11 (on Debian and Ubuntu" \
    "python3.11-venv), or name one: make PYTHON=/path/to/python3.11" >&2
exit 1
