"""Folders of real media files, indexed and brought up to date."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.media import clip_cutting
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.search import encoding, indexing, store, texts
from actcl_tf.storage.errors import DataError
from tests import media_files, rounding
from tests.permissions import NOBODY, closed, unprivileged


@pytest.fixture(scope="module")
def encoder(exported_model):
    return encoding.Encoder(str(exported_model))


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Files of every kind, made once; two seconds of each that is good."""
    folder = tmp_path_factory.mktemp("media")
    tone = media_files.tone
    media_files.write_clip(folder / "both.mp4")
    media_files.write_clip(folder / "other.mp4", 1.5, levels=(10, 120, 250))
    media_files.write_clip(folder / "seen.mp4", sounds=())
    media_files.write_clip(folder / "silent.mp4", sounds=[np.zeros([32000], np.float32)])
    half = np.concatenate([tone(1.0), np.zeros([16000], np.float32)])
    media_files.write_clip(folder / "half.mp4", sounds=[half])
    media_files.write_media(folder / "heard.wav", sounds=[tone(2.0)], sound_codec="pcm_s16le")
    media_files.write_clip(folder / "short.mp4", 0.3)
    (folder / "broken.mp4").write_bytes(b"\x00\x01 no film" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "notes.txt").write_text("no medium")
    return folder


def index(folder, encoder, path, **options):
    return indexing.index_folder(str(folder), encoder, str(path), progress=False, **options)


def shown(entry):
    """Segments as text: start, p video, s audio."""
    return " ".join(f"{m.start:.2f}{'p' * m.has_video}{'s' * m.has_audio}" for m in entry.segments)


@pytest.fixture(scope="module")
def indexed(media, encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("indexed") / "index"
    return path, index(media, encoder, path, num_workers=2)


def test_each_file_gives_what_it_has(indexed):
    path, summary = indexed
    content = store.load(path)
    found = {entry.name: shown(entry) for entry in content.entries}
    assert found == {
        # Windows of 0.64 seconds, and the last one moved back to the end.
        "both.mp4": "0.00ps 0.64ps 1.28ps 1.36ps",
        "seen.mp4": "0.00p 0.64p 1.28p 1.36p",
        "silent.mp4": "0.00p 0.64p 1.28p 1.36p",
        "half.mp4": "0.00ps 0.64ps 1.28p 1.36p",
        "other.mp4": "0.00ps 0.64ps 0.88ps",
        "heard.wav": "0.00s 0.64s 1.28s 1.36s",
        "short.mp4": "",
        "broken.mp4": "",
        "empty.mp4": "",
    }
    assert summary.windows == sum(map(len, content.vectors.values())) == 32
    for vectors in content.vectors.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    text = texts.summary_text(summary)
    assert "Files: 9 new." in text
    assert "23 segments of 6 files: 19 with video, 13 with audio" in text
    assert "windows of audio: " in text and "silent" in text
    assert "short.mp4: what can be used of it lasts less than" in text
    assert "broken.mp4: it cannot be decoded, or decodes with errors" in text
    assert "empty.mp4: the file has no bytes" in text


def test_vectors_are_those_of_the_saved_model(indexed, media, exported_model):
    content = store.load(indexed[0])
    model = tf.saved_model.load(str(exported_model / "pair" / "1"))
    (found,) = [rows for entry, rows in content.by_entry() if entry.name == "both.mp4"]
    clips = list(
        clip_cutting.read_clips(
            str(media / "both.mp4"), ReadOptions(12.5, 16000, 46, 90, 0.64, 0.64)
        )
    )
    assert len(clips) == 3
    for number, clip in enumerate(clips):
        jpegs = tf.constant([clip.frames_jpeg])
        seen = model.signatures["video_jpeg"](video_jpeg=jpegs)["embedding"][0]
        rounding.assert_close(found["video"][number], seen)
        heard = model.signatures["audio"](audio=tf.constant(clip.waveform[None]))["embedding"][0]
        rounding.assert_close(found["audio"][number], heard)


def copied(media, folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(media / name, folder / name)
    return folder


def test_an_index_is_brought_up_to_date(media, encoder, tmp_path):
    folder = copied(media, tmp_path / "a", "both.mp4", "heard.wav", "seen.mp4", "broken.mp4")
    path = tmp_path / "index"
    assert index(folder, encoder, path).windows == 16
    again = index(folder, encoder, path)
    assert (again.windows, again.added, again.changed, again.vanished) == (0, [], [], [])
    assert "Files: nothing new." in texts.summary_text(again)

    before = {e.name: e for e in store.load(path).entries}
    (folder / "heard.wav").unlink()
    shutil.copy(media / "other.mp4", folder / "seen.mp4")
    shutil.copy(media / "half.mp4", folder / "new.mp4")
    news = index(folder, encoder, path)
    assert [os.path.basename(p) for p in news.added] == ["new.mp4"]
    assert [os.path.basename(p) for p in news.changed] == ["seen.mp4"]
    assert [os.path.basename(p) for p in news.vanished] == ["heard.wav"]
    assert news.windows == 6 + 6
    content = store.load(path)
    found = {entry.name: entry for entry in content.entries}
    assert set(found) == {"both.mp4", "broken.mp4", "seen.mp4", "new.mp4"}
    assert found["both.mp4"] == before["both.mp4"]
    assert shown(found["seen.mp4"]) == "0.00ps 0.64ps 0.88ps"

    fresh = tmp_path / "fresh"
    index(folder, encoder, fresh)
    for each, other in zip(by_file(content), by_file(store.load(fresh)), strict=True):
        assert each[0] == other[0]
        rounding.assert_close(each[1], other[1])


def by_file(content):
    """(name, vectors of all its windows), by name: an index has files as they were finished."""
    found = [(entry.name, np.concatenate([*rows.values()])) for entry, rows in content.by_entry()]
    return sorted(found, key=lambda each: each[0])


def test_folders_share_an_index(media, encoder, tmp_path):
    path = tmp_path / "index"
    one = copied(media, tmp_path / "one", "both.mp4")
    two = copied(media, tmp_path / "one more", "heard.wav")  # Its name begins as the other's does.
    index(one, encoder, path)
    summary = index(two, encoder, path)
    assert (summary.vanished, len(summary.entries)) == ([], 2)
    (one / "both.mp4").unlink()
    copied(media, one, "seen.mp4")
    index(one, encoder, path)
    assert sorted(entry.name for entry in store.load(path).entries) == ["heard.wav", "seen.mp4"]


def test_a_folder_without_media_is_an_error_and_drops_nothing(media, encoder, tmp_path):
    folder, path = copied(media, tmp_path / "a", "both.mp4"), tmp_path / "index"
    index(folder, encoder, path)
    (folder / "both.mp4").unlink()  # As of a drive that is not mounted.
    with pytest.raises(DataError, match="no video or audio in it"):
        index(folder, encoder, path)
    with pytest.raises(DataError, match="there is no such folder"):
        index(folder / "none", encoder, path)
    assert len(store.load(path).entries) == 1


def test_what_is_in_a_folder_that_cannot_be_listed_stays(media, encoder, tmp_path):
    folder, path = copied(media, tmp_path / "a", "both.mp4", "heard.wav"), tmp_path / "index"
    copied(media, folder / "shut", "seen.mp4")
    (folder / "notes.txt").write_text("x")
    index(folder, encoder, path)
    (folder / "heard.wav").unlink()
    for each in (path, *path.iterdir()):
        os.chown(each, NOBODY, -1)
    with closed(folder / "shut"), unprivileged(tmp_path):
        summary = index(folder, encoder, path)
    assert summary.vanished == [str(folder / "heard.wav")]
    assert sorted(entry.name for entry in store.load(path).entries) == ["both.mp4", "shut/seen.mp4"]
    text = texts.summary_text(summary)
    assert "error: shut/ cannot be listed (Permission denied): nothing in it was taken." in text
    assert "Not taken: 1 .txt (notes.txt)." in text


def test_a_failure_in_the_middle_keeps_what_was_finished(media, encoder, tmp_path, monkeypatch):
    folder = copied(media, tmp_path / "a", "both.mp4", "other.mp4")
    for number in range(20):
        shutil.copy(media / "both.mp4", folder / f"z{number:02d}.mp4")
    path, calls, videos = tmp_path / "index", [], encoder.videos

    def failing(windows):
        calls.append(len(windows))
        if len(calls) == 3:
            raise DataError("out of order")
        return videos(windows)

    monkeypatch.setattr(encoder, "videos", failing)
    with pytest.raises(DataError, match="out of order"):
        index(folder, encoder, path, num_workers=1)
    kept = len(store.load(path).entries)
    assert 0 < kept < 22
    monkeypatch.undo()
    assert len(index(folder, encoder, path).added) == 22 - kept
