"""An index on disk: what counts after appends, kills, damage and other models."""

import contextlib
import dataclasses
import errno
import fcntl
import os
import pathlib
import resource
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from actcl_tf.search import store
from actcl_tf.search.segments import AUDIO, VIDEO, Segment
from actcl_tf.search.store import Entry, Facts
from actcl_tf.search.store_writing import Writer
from actcl_tf.storage.errors import DataError

FACTS = Facts(digest="0123456789abcdef", model="/models/m", embedding_size=3, window_seconds=0.5)


def entry(name, kinds="b", root="/videos"):
    """A file with one segment a letter: p video, s audio, b both."""
    held = (Segment(i * 0.5, kind in "pb", kind in "sb") for i, kind in enumerate(kinds))
    return Entry(root, name, 10, 1_700_000_000_123_456_789, tuple(held), {})


def rows(of, value):
    return {
        modality: np.full([of.num_rows(modality), 3], value + sign, np.float32)
        for modality, sign in ((VIDEO, 0.0), (AUDIO, 0.5))
    }


def write(folder, entries, facts=FACTS):
    with Writer(folder, facts) as writer:
        for value, each in enumerate(entries):
            writer.append(each, rows(each, value))
        writer.commit()


def part(folder, name):
    (found,) = pathlib.Path(folder).glob(f"{name}.*")
    return found


def change(folder, statement):
    """What somebody else does to the database."""
    with contextlib.closing(sqlite3.connect(folder / store.INDEX)) as database, database:
        database.executescript(statement)


ENTRIES = [entry("a.mp4", "bps"), entry("b/ö \ud800\n.mp4", "s"), entry("c.mp4", "")]


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / "x", ENTRIES)
    content = store.load(tmp_path / "x")
    assert (content.facts, content.entries) == (FACTS, ENTRIES)
    assert content.vectors[VIDEO].tolist() == [[0] * 3] * 2
    assert content.vectors[AUDIO].tolist() == [[0.5] * 3] * 2 + [[1.5] * 3]


def test_an_empty_index_and_later_additions(tmp_path):
    write(tmp_path, [])
    assert store.load(tmp_path).vectors[VIDEO].shape == (0, 3)
    for each in ENTRIES:
        with Writer(tmp_path, FACTS) as writer:
            writer.append(each, rows(each, 7))
            writer.commit()
    assert store.load(tmp_path).entries == ENTRIES


def test_what_is_not_committed_does_not_count_and_is_overwritten(tmp_path):
    write(tmp_path, ENTRIES[:1])
    with Writer(tmp_path, FACTS) as writer:  # Ends without a commit, as a killed one does.
        writer.append(entry("lost.mp4", "bbbb"), rows(entry("lost.mp4", "bbbb"), 5))
    assert store.load(tmp_path).entries == ENTRIES[:1]
    (tmp_path / "audio.7.vectors").write_bytes(b"of a killed rewriting")
    (tmp_path / ".index.sqlite.0123.tmp").write_bytes(b"{")
    (tmp_path / "notes.jsonl").write_text("the user's own")
    with Writer(tmp_path, FACTS) as writer:
        assert list(writer.entries) == ["/videos/a.mp4"]
        writer.append(ENTRIES[1], rows(ENTRIES[1], 1))
        writer.commit()
    content = store.load(tmp_path)
    assert content.entries == ENTRIES[:2]
    assert content.vectors[AUDIO].tolist() == [[0.5] * 3] * 2 + [[1.5] * 3]
    names = {path.name for path in tmp_path.iterdir()}
    assert "notes.jsonl" in names
    assert not names & {"audio.7.vectors", ".index.sqlite.0123.tmp"}


def test_dropped_files_are_gone_with_their_rows(tmp_path):
    write(tmp_path, [entry("a", "bp"), entry("b", "bb"), entry("c", "sb"), entry("d", "")])
    with Writer(tmp_path, FACTS) as writer:
        writer.drop({"/videos/b", "/videos/d"})
        writer.append(entry("e"), rows(entry("e"), 9))
        writer.commit()
    content = store.load(tmp_path)
    assert [each.name for each in content.entries] == ["a", "c", "e"]
    assert content.vectors[VIDEO][:, 0].tolist() == [0, 0, 2, 9]
    assert content.vectors[AUDIO][:, 0].tolist() == [0.5, 2.5, 2.5, 9.5]
    assert len(list(tmp_path.iterdir())) == 4  # The old files and nothing else went.


def test_a_mapped_index_outlives_its_rewriting(tmp_path):
    write(tmp_path, [entry("a"), entry("b")])
    before = store.load(tmp_path)
    with Writer(tmp_path, FACTS) as writer:
        writer.drop({"/videos/a"})
    assert before.vectors[VIDEO][:, 0].tolist() == [0, 1]


def damage_cut(path):
    os.truncate(path, path.stat().st_size - 1)


def damage_flip(path):
    """Turns a bit of a name of a file, or of a vector."""
    data = bytearray(path.read_bytes())
    data[data.find(b"a.mp4") if b"a.mp4" in data else len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_half(path):
    os.truncate(path, path.stat().st_size // 2)


def damage_text(path):
    path.write_text("no index" * 1000)


@pytest.mark.parametrize(
    "name, damage, expected",
    [
        ("video", damage_cut, r"video.*is damaged \(it has 23 bytes, and 2 rows of 3"),
        ("video", damage_flip, r"is damaged \(what it holds of 'a.mp4' is not"),
        ("video", pathlib.Path.unlink, "video.*cannot be read"),
        ("audio", damage_cut, r"audio.*is damaged \(it has 35 bytes, and 3 rows of 3"),
        ("audio", damage_flip, r"is damaged \(what it holds of 'a.mp4' is not"),
        ("audio", pathlib.Path.unlink, "audio.*cannot be read"),
        ("index", damage_half, r"index\.sqlite is damaged \("),
        ("index", damage_flip, r"is damaged \(what it holds of '`.mp4' is not"),
        ("index", damage_text, r"index\.sqlite is damaged \("),
    ],
)
def test_damage_is_refused_by_name(tmp_path, name, damage, expected):
    write(tmp_path, ENTRIES)
    damage(part(tmp_path, name))
    for act in (lambda: store.load(tmp_path), lambda: Writer(tmp_path, FACTS).__enter__()):
        with pytest.raises(DataError, match=expected) as caught:
            act()
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "statement, expected",
    [
        ("PRAGMA user_version = 9", "is of version 9, and this program reads 2"),
        ("DROP TABLE segments", "is damaged"),
        ("DELETE FROM made_with", "is damaged"),
        ("UPDATE made_with SET embedding_size = 4", "2 rows of 4 numbers"),
        ("UPDATE made_with SET embedding_size = 2", "what it holds of 'a.mp4'"),
        ("UPDATE made_with SET embedding_size = 0", "must be possible ones"),
        ("UPDATE made_with SET window_seconds = 'x'", "is damaged"),
        ("UPDATE made_with SET matrices = '../1'", "is damaged"),
        ("UPDATE files SET size = size + 1", "what it holds of 'a.mp4'"),
        ("UPDATE files SET name = NULL", "is no name"),
        ("UPDATE files SET left_out = '{'", "is damaged"),
        ("DELETE FROM files WHERE id = 2", "unknown files"),
        ("UPDATE segments SET start = -1.0", "is no segment"),
        ("UPDATE segments SET has_audio = 2", "is no segment"),
        ("UPDATE segments SET start = start + 1", "what it holds of 'a.mp4'"),
        ("DELETE FROM segments WHERE file = 2", "what it holds of"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, statement, expected):
    write(tmp_path, ENTRIES)
    change(tmp_path, statement)
    with pytest.raises(DataError, match=expected):
        store.load(tmp_path)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no index"):
        store.load(tmp_path)


def test_another_model_is_refused(tmp_path):
    write(tmp_path, ENTRIES)
    other = dataclasses.replace(FACTS, digest="f" * 16, model="/models/other")
    with pytest.raises(DataError, match=r"0123456789abcdef .*/models/other is ffffffffffffffff"):
        write(tmp_path, [], other)
    assert store.load(tmp_path).entries == ENTRIES


def test_a_kill_at_the_very_beginning_does_no_harm(tmp_path):
    write(tmp_path, ENTRIES)
    (tmp_path / store.INDEX).unlink()
    write(tmp_path, ENTRIES[:1])
    assert store.load(tmp_path).entries == ENTRIES[:1]


def test_one_writer_at_a_time(tmp_path):
    with Writer(tmp_path, FACTS), pytest.raises(DataError, match="another program writes it"):
        write(tmp_path, [])
    write(tmp_path, ENTRIES)


def test_a_file_system_without_locks(tmp_path, monkeypatch, capfd):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    refused = pytest.raises(DataError, match=r"another program writes it now \(process \d+ on ")
    for _ in range(2):
        with Writer(tmp_path, FACTS), refused, Writer(tmp_path, FACTS):
            pass
    assert f"--index={tmp_path}: its file system has no locks" in capfd.readouterr().err


def test_folders_of_other_things_are_left_alone(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds no index.sqlite but other files"):
        write(tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "film.mp4", [])
    with pytest.raises(DataError, match="a folder of this machine"):
        write("gs://a/b", [])


def test_vectors_must_fit_the_segments(tmp_path):
    with Writer(tmp_path, FACTS) as writer, pytest.raises(ValueError, match=r"must be \(2, 3\)"):
        writer.append(entry("a", "bp"), rows(entry("a", "b"), 0))


FILL = """
import resource, sys
from tests.search import store_test
from actcl_tf.storage.files import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
big = store_test.entry("big.mp4", "b" * 1000)
try:
    with store_test.Writer(sys.argv[1], store_test.FACTS) as writer:
        writer.append(big, store_test.rows(big, 0))
        writer.commit()
except DataError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("most", [4000, 20000])  # Too small for a matrix, for the database.
def test_a_full_disk_leaves_the_old_whole(tmp_path, most):
    write(tmp_path, ENTRIES)
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path), str(most)],
        cwd=pathlib.Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "refused: " in done.stderr and "cannot be written" in done.stderr, done.stderr
    assert store.load(tmp_path).entries == ENTRIES
    write(tmp_path, [entry("d")])
    assert len(store.load(tmp_path).entries) == 4
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
