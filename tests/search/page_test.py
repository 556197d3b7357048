"""What was found, on pages and in tables, for files of anybody's names."""

import base64
import io
import re

import av
import numpy as np
import pytest

from actcl_tf.search import page, texts
from actcl_tf.search.collection import Hit
from actcl_tf.search.query import Query
from actcl_tf.storage.errors import DataError
from tests import media_files

EVIL = "<script>alert(1)</script>\n\x1b[31m&\ud800.mp4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    media_files.write_clip(folder / "both.mp4", 4.0, levels=(30,))
    media_files.write_clip(folder / "seen.mp4", 4.0, sounds=())
    media_files.write_media(
        folder / "heard.wav", sounds=[media_files.tone(4.0)], sound_codec="pcm_s16le"
    )
    late = np.concatenate([np.zeros([40000], np.float32), media_files.tone(1.5)])
    media_files.write_clip(folder / "late.mp4", 4.0, sounds=[late])
    return folder


def hit(folder, name, start=1.5, score=0.5, modality="video"):
    return Hit(str(folder / name), name, start, score, modality)


def write(folder, query, hits, tmp_path, seconds=0.64):
    path = tmp_path / "found.html"
    page.write_page(path, query, hits, about="9 segments.", seconds=seconds)
    return path.read_text()


def decoded(text, kind):
    """Seconds and streams of the media of a kind in a page."""
    found = []
    for data in re.findall(rf'"data:{kind};base64,([^"]+)"', text):
        with av.open(io.BytesIO(base64.b64decode(data))) as container:
            found.append((container.duration / av.time_base, len(container.streams)))
    return found


def test_a_page_plays_query_and_hits(folder, tmp_path):
    query = Query(str(folder / "both.mp4"), "audio", 2.0, np.zeros(3))
    hits = [hit(folder, "both.mp4"), hit(folder, "seen.mp4"), hit(folder, "heard.wav")]
    text = write(folder, query, hits, tmp_path)
    videos, audio = decoded(text, "video/mp4"), decoded(text, "audio/wav")
    # Two seconds, though a segment lasts less.
    assert [round(seconds) for seconds, _ in videos] == [2, 2, 2]
    assert [round(seconds, 2) for seconds, _ in audio] == [2.0]
    assert "A segment lasts 0.64 seconds and is played with what is around it." in text
    assert "1. both.mp4 0:01.5 · 0.500 by video" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)  # Nothing beside it is needed.


def test_a_long_segment_is_played_as_it_is(folder, tmp_path):
    query = Query(str(folder / "both.mp4"), "video", 0.0, np.zeros(3))
    text = write(folder, query, [hit(folder, "both.mp4", 0.5)], tmp_path, seconds=3.0)
    assert [round(seconds) for seconds, _ in decoded(text, "video/mp4")] == [3, 3]
    assert "around" not in text


def test_an_image_is_shown(folder, tmp_path):
    still = np.full([40, 60, 3], 200, np.uint8)
    text = write(folder, Query("a.png", "video", None, np.zeros(3), still), [], tmp_path)
    assert len(decoded(text, "video/mp4")) == 1
    assert "a.png" in text


def test_what_is_gone_or_damaged_is_told(folder, tmp_path):
    (folder / "bad.mp4").write_bytes(b"no film")
    query = Query(str(folder / "gone.mp4"), "video", 1.0, np.zeros(3))
    text = write(folder, query, [hit(folder, "bad.mp4"), hit(folder, "gone.mp4")], tmp_path)
    assert text.count("cannot be played (missing)") == 2
    assert text.count("cannot be played (damaged)") == 1


def test_names_can_do_no_harm(folder, tmp_path):
    hits = [hit(folder, EVIL)]
    query = Query(EVIL, "video", 1.0, np.zeros(3))
    text = write(folder, query, hits, tmp_path)
    shown = "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd\ufffd[31m&amp;\ufffd.mp4"
    assert text.count(shown) == 3  # Of the query, of the hit, in the table.
    assert "<script" not in text
    table = texts.text_table(hits)
    assert table.isprintable() or table.replace("\n", "").isprintable()
    assert len(table.splitlines()) == 2


@pytest.mark.parametrize(
    "seconds, expected",
    [(0, "0:00.0"), (9.96, "0:10.0"), (59.94, "0:59.9"), (59.96, "1:00.0"), (3725.2, "62:05.2")],
)
def test_times_are_minutes_and_seconds(seconds, expected):
    assert texts.time_text(seconds) == expected


def test_the_table_is_aligned():
    hits = [
        Hit("/a", "a.mp4", 3.0, 0.91234, "audio"),
        Hit("/b", "long/b.mp4", 700.0, -0.1, "video"),
    ]
    assert texts.text_table(hits).splitlines() == [
        "   file           time   score  by",
        "1  a.mp4        0:03.0   0.912  audio",
        "2  long/b.mp4  11:40.0  -0.100  video",
    ]
    assert texts.text_table([]) == "Nothing found: the index holds no such segment."


def test_a_page_that_cannot_be_written_is_an_error(folder, tmp_path):
    query = Query("a.png", "video", None, np.zeros(3), np.zeros([8, 8, 3], np.uint8))
    with pytest.raises(DataError, match=r"nowhere/p\.html cannot be written"):
        page.write_page(tmp_path / "nowhere" / "p.html", query, [], about="", seconds=1.0)
