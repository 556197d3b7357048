#!/bin/sh
# Prints the path of a CPython that can hold this project's environment, with venv and ensurepip:
#   find_python.sh         of version 3.10 or 3.11, for the pinned stack. Where there is none, uv
#                          fetches one: the uv that is here ($UV), or one that another Python 3 of
#                          this machine installs for a moment. Where it cannot, 3.13 or 3.12.
#   find_python.sh newest  of version 3.13 or 3.12, for the newest stack; else uv fetches one.
# $PYTHON is tried first, of any of these versions. Says what was found, what it does and, where
# nothing helps, what to do.
set -u

if [ "${1:-}" = newest ]; then
    wanted=12-13
    names="python3.13 python3.12 python3 python python3.14 python3.11 python3.10"
    fetch=3.13
    needed="CPython 3.12 or 3.13"
else
    wanted=10-11
    names="python3.11 python3.10 python3 python python3.14 python3.13 python3.12"
    fetch=3.11
    needed="CPython 3.10 or 3.11 (or else 3.12 or 3.13)"
fi

# Prints the interpreter's path where its version is in a range, such as 10-11, else what is wrong
# with it (and fails).
check='
import sys
version = "Python " + ".".join(map(str, sys.version_info[:3]))
lowest, highest = sys.argv[1].split("-")
if not (3, int(lowest)) <= sys.version_info[:2] <= (3, int(highest)):
    sys.exit(version)
if sys.implementation.name != "cpython":
    sys.exit(version + ", but " + sys.implementation.name)
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit(version + ", but without the module " + str(error.name))
print(sys.executable)
'

# Sets $answer to the path of the first command of $2 and up whose version is in the range $1.
found=""
others=""
take() {
    range=$1
    shift
    for candidate; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        answer=$("$candidate" -c "$check" "$range" 2>&1) && return
        # A start script without its interpreter, or a Python 2, says more than a version number.
        case $answer in
        "Python "*) others="$others $candidate" ;;
        *) answer="does not run: $(printf '%s\n' "$answer" | sed '/^[[:space:]]*$/d;q')" ;;
        esac
        found="$found
  $(command -v "$candidate"): $answer"
    done
    return 1
}

if [ -n "${PYTHON:-}" ]; then
    if take "${wanted%-*}-13" "$PYTHON"; then
        printf '%s\n' "$answer"
        exit 0
    fi
    command -v "$PYTHON" >/dev/null 2>&1 || found="
  $PYTHON (from \$PYTHON): no such command"
fi
of_variable=$found
if take $wanted $names; then
    [ -z "${PYTHON:-}" ] || printf 'warning: $PYTHON cannot be used; taking %s instead%s\n' \
        "$answer" "$of_variable" >&2
    printf '%s\n' "$answer"
    exit 0
fi

printf '%s\n' >&2 "needed: $needed with the modules venv and ensurepip" \
    "found:${found:-
  none of python3.13, python3.12, python3.11, python3.10, python3, python}"

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
    echo "fetching CPython $fetch with uv" >&2
    if said=$("$uv" python install $fetch 2>&1) \
        && said=$("$uv" python find --managed-python $fetch 2>&1) \
        && said=$("$said" -c "$check" $wanted 2>&1); then
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

if [ $wanted = 10-11 ] && take 12-13 python3.13 python3.12 python3 python; then
    echo "taking $answer, with the newest TensorFlow: $why" >&2
    printf '%s\n' "$answer"
    exit 0
fi

echo "error: no usable Python found, and $why; to do: install Python $fetch (on Debian and Ubuntu" \
    "python$fetch-venv), or name one: make PYTHON=/path/to/python$fetch" >&2
exit 1
