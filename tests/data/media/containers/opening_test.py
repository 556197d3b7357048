import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.media.containers import media, opening
from actcl_tf.storage import remote_files
from tests import media_reading
from tests.media_files import tone, write_clip, write_media

CHANGES = {"short_side": 48, "clip_seconds": 1.0, "jpeg_quality": 90}
read = functools.partial(media_reading.read, **CHANGES)


@pytest.fixture
def in_memory():
    """Puts files on a file system that the operating system does not know."""
    folder = "ram://media"

    def put(path, content):
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(f"{folder}/{path}", "wb") as file:
            file.write(content)
        return f"{folder}/{path}"

    yield put
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


def same(pieces, others):
    assert [(p.start, p.end) for p in pieces] == [(p.start, p.end) for p in others]
    for piece, other in zip(pieces, others, strict=True):
        assert piece.frames_jpeg == other.frames_jpeg
        np.testing.assert_array_equal(piece.waveform, other.waveform)


@pytest.mark.parametrize(
    "suffix, options", [(".mp4", {}), (".mp4", {"movflags": "faststart"}), (".mkv", {})]
)
@pytest.mark.parametrize("span", [{}, {"start": 6.0, "end": 8.0}])
def test_a_remote_file_is_read_as_a_local_one(tmp_path, in_memory, suffix, options, span):
    noise = np.random.default_rng(0).integers(0, 255, (200, 48, 64, 3), np.uint8)
    path = write_media(
        tmp_path / f"a{suffix}", frames=list(noise), sounds=[tone(8)], options=options
    )
    assert path.stat().st_size > opening._REMOTE_BUFFER  # It is read in several pieces.
    local = read(path, **span)
    assert len(local) == (2 if span else 8)
    same(read(in_memory("ä b.bin", path.read_bytes()), **span), local)
    same(read(f"file://{path}", **span), local)


def test_remote_sound(tmp_path, in_memory):
    path = write_media(tmp_path / "a.flac", sounds=[tone(2)], sound_codec="flac")
    remote = in_memory("a.flac", path.read_bytes())
    pieces = read(remote, streams="audio")
    np.testing.assert_array_equal(
        np.concatenate([piece.waveform for piece in pieces]),
        np.concatenate([piece.waveform for piece in read(path, streams="audio")]),
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_metadata_in_an_odd_encoding_are_no_damage(tmp_path, in_memory, suffix):
    path = write_clip(tmp_path / f"a{suffix}", 1.0)
    whole = read(path)
    name = b"L\xe9\xff\xfe"  # Latin-1 and worse, in place of the muxer's and the codec's names.
    odd = path.read_bytes().replace(b"Lavf", name).replace(b"VideoHandler", b"Vid\xe9oHandler")
    path.write_bytes(odd)
    with opening.open_container(path) as container:
        texts = {**container.metadata, **container.streams[0].metadata}
    assert odd.count(name) and not any("Lavf" in text for text in texts.values())
    assert any(text.startswith("L") for text in texts.values())
    same(read(path), whole)
    same(read(in_memory("a", odd)), whole)


def reason_of(path):
    with pytest.raises(media.MediaError) as error:
        read(path)
    return error.value.reason


def test_remote_files_that_give_nothing(tmp_path, in_memory):
    whole = write_clip(tmp_path / "a.mp4", 2.0).read_bytes()
    assert reason_of(in_memory("a.mp4", b"")) == "empty"
    assert reason_of(in_memory("b.mp4", b"no video" * 1000)) == "damaged"
    assert reason_of(in_memory("c.mp4", whole[: len(whole) // 2])) == "damaged"
    assert reason_of("ram://media/missing.mp4") == "missing"
    assert reason_of(f"file://{tmp_path}/missing.mp4") == "missing"


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(media.MediaError, match="it is a folder") as error:
        opening.open_container(tmp_path)
    assert error.value.reason == "missing"


def test_other_schemes_are_not_for_ffmpeg(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4", 1.0)
    for scheme in ("http", "https", "ftp", "concat", "subfile,,start,0,end,0,,"):
        assert reason_of(f"{scheme}://{tmp_path}/a.mp4") == "missing"
    # Without ://, it is the name of a file, whatever FFmpeg makes of it.
    monkeypatch.chdir(tmp_path)
    assert reason_of("concat:a.mp4") == "missing"
    assert reason_of("a\0.mp4") == "missing"


def test_seeking_beyond_the_end_reads_nothing(in_memory):
    file = remote_files.RemoteFile(in_memory("a", b"0123456789"))
    assert (file.size, file.read(4), file.tell()) == (10, b"0123", 4)
    assert (file.seek(20), file.read(4), file.tell()) == (20, b"", 20)
    assert (file.seek(-3, os.SEEK_END), file.read(100), file.read(1)) == (7, b"789", b"")
    assert (file.seek(2), file.seek(1, os.SEEK_CUR), file.read(2)) == (2, 3, b"34")


def test_local_files_are_read_without_tensorflow(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 1.0, levels=(90,))
    options = media_reading.OPTIONS._replace(**CHANGES)
    code = (
        "import sys\n"
        "from actcl_tf.data.media import clip_cutting, clip_filters, read_options\n"
        f"clips = list(clip_cutting.read_clips({str(path)!r}, read_options.{options!r}))\n"
        "print(len(clips), clip_filters.fault(clips[0], ('still',)))\n"
        "print(sorted({'tensorflow', 'tensorflow_io'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 still", "[]"]
