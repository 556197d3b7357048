"""How findings are told."""

import json

import numpy as np
import pytest

from actcl_tf.inspection import findings, numbers
from actcl_tf.reporting import html_page, tables

FIGURES = numbers.Figures(256, 0.995, 16, 0.1234, 0.9, 42.25)
NOTHING = numbers.Figures(0, None, None, None, None, None)


def found(**changes):
    values = {
        "modality": "audio",
        "serves": "video",
        "figures": {"dictionary": FIGURES, "pool": FIGURES, "pool sample": NOTHING},
        "sampling": findings.Sampling(50, 768, 64.0, 19, 9.9, 16, 8),
        "shares": {"dictionary": {"bell": 1.0}},
        "notes": [],
        "pictures": [],
    }
    one = findings.DictionaryFindings(**{**values, **changes})
    return findings.Findings("runs/mine", 1100, "active", [one], [])


def test_sampling_by_hand():
    # Of 4 candidates 2 are picked each time: each is missed in both draws once in four times.
    made = findings.sampling_of(np.array([0, 1, 1, 2]), 2, 1)
    assert made == findings.Sampling(2, 4, 2.0, 1, pytest.approx(1.0), 2, 1)
    assert findings.sampling_of(np.array([3]), 3, 3).never_if_uniform == 0.0


def test_the_console_table_is_narrow_and_complete():
    text = findings.console_table(found())
    assert max(map(len, text.splitlines())) <= 80
    words = [line.split() for line in text.splitlines()]
    assert ["keys", "256", "256", "0"] in words
    assert ["effective", "rank", "42.2", "42.2", "-"] in words
    assert "Audio keys, serving video queries" in text
    assert "50 draws: 19 of 768 candidates never picked (9.9 if uniform)" in text


def test_the_report_says_what_the_counts_are_of(tmp_path):
    findings.write(found(), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "repeated sampling from the pool of this checkpoint: 50 draws, the first 8 with" in page
    assert "<td>0.123</td>" in page and "<td>-</td>" in page
    result = json.loads((tmp_path / "inspection.json").read_text())
    audio = result["dictionaries"]["audio"]
    assert audio["figures"]["dictionary"]["effective_rank"] == 42.25
    assert audio["figures"]["pool sample"]["cosine_mean"] is None
    assert audio["sampling"]["never"] == 19


def test_without_a_pool_nothing_is_said_of_sampling(tmp_path):
    findings.write(found(figures={"dictionary": FIGURES}, sampling=None), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "there is no sampling from a pool" in page
    assert "repeated sampling" not in page


def test_the_page_is_whole_and_its_words_are_escaped(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    table = tables.Table(["", "a&b"], [["row", "1"]], "in <numbers>")
    section = html_page.Section("S", ["1 < 2"], [table], [('"quoted"', tmp_path / "a.png")])
    html_page.write(tmp_path / "page.html", "T", [section])
    page = (tmp_path / "page.html").read_text()
    for expected in (
        "1 &lt; 2",
        "in &lt;numbers&gt;",
        "<th>a&amp;b</th>",
        'src="data:image/png;base64,iVBORw=="',
        'alt="&quot;quoted&quot;"',
        'name="viewport" content="width=device-width',
    ):
        assert expected in page
    assert "http" not in page
