"""Finds segments in a collection of videos and audio, by video or by audio.

  python tools/search.py index FOLDER --model=DIR --index=INDEX
  python tools/search.py query --index=INDEX --video=X (or --audio=Y, or --image=Z) --top_k=10

DIR is the --output of tools/export.py, and INDEX is a folder that the first command makes. The same
index command again adds what is new, and goes on where it was stopped. Exit status:
0 done, 2 an error, 130 interrupted.
"""

import os
import pathlib
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Errors reach Python anyway.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands
from actcl_tf.search import request

_INDEX = flags.DEFINE_string("index", "", "The index: a folder; index makes it if it is not there.")
_MODEL = flags.DEFINE_string(
    "model", "", "Folder of the exported model; query knows where it was when the index was made."
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 0, "Files that are read at a time; 0: one a core.", lower_bound=0
)
_TIMEOUT = flags.DEFINE_float(
    "clip_timeout", 120.0, "Seconds that a window may take; then its file is given up.", 0.1
)
field_flags.define(request.Request)


def _index(arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise config.ConfigError(
            f"index {' '.join(arguments)}: must name one folder: index FOLDER --model=DIR"
        )
    if not _MODEL.value:
        raise config.ConfigError("--model=: must name the folder of an exported model")
    tensorflow_log.import_tensorflow()

    from actcl_tf.search import encoding, indexing, texts

    model = encoding.Encoder(_MODEL.value)
    summary = indexing.index_folder(
        arguments[0], model, _INDEX.value, num_workers=_NUM_WORKERS.value, timeout=_TIMEOUT.value
    )
    print(texts.summary_text(summary))
    command = commands.tool("search.py", "query", f"--index={_INDEX.value}", "--audio=FILE")
    print(f"Next: {command}")


def _query(arguments: list[str]) -> None:
    if arguments:
        raise config.ConfigError(f"query: unexpected argument {arguments[0]}")
    wanted = field_flags.read(request.Request)
    tensorflow_log.import_tensorflow()

    from actcl_tf.search import answer, page, texts

    found = answer.search(wanted, _INDEX.value, _MODEL.value, timeout=_TIMEOUT.value)
    print(f"{texts.text_table(found.hits)}\n\n{found.about}", flush=True)
    path = pathlib.Path(wanted.output or f"{_INDEX.value.rstrip('/')}.html")
    page.write_page(
        path,
        found.query,
        found.hits,
        about=found.about,
        seconds=found.seconds,
        timeout=_TIMEOUT.value,
    )
    print(f"To look at and listen to: {path}")


_COMMANDS = {"index": _index, "query": _query}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """Indexes or searches; returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # Ends the workers as Ctrl-C does.
    try:
        command = _COMMANDS.get(argv[1] if len(argv) > 1 else "")
        if command is None:
            given = f", got {argv[1]}" if len(argv) > 1 else ""
            raise config.ConfigError(f"the first argument must be index or query{given}")
        if not _INDEX.value:
            raise config.ConfigError("--index=: must name the index")
        command(argv[2:])
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; the same index command goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    field_flags.run(main)
