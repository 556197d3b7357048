"""The page of a result: whole, alone, and playable."""

import html.parser

import numpy as np

from actcl_tf.evaluate.results import result_page
from actcl_tf.reporting import playable
from tests import made_results as made


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href", "poster")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(path):
    reader = _Reader()
    reader.feed(path.read_text())
    assert not reader.open
    assert all(source.startswith("data:") for source in reader.sources)
    return reader


def test_everything_is_in_one_file(tmp_path):
    rng = np.random.default_rng(0)
    clip = playable.Clip(
        "query <x>", None, None, 10.0, rng.uniform(-1, 1, 8000).astype(np.float32), 8000
    )
    neighbours = result_page.Neighbours("audio", clip, [clip._replace(is_right=True)])
    rows = [made.measurement(), made.measurement("log_mel", 0.3)]
    rows += [made.measurement(subset=f"shots={n}") for n in (1, 5)]
    path = result_page.write(tmp_path, made.result(*rows), [neighbours])
    reader = _read(path)
    kinds = {source.split(";")[0] for source in reader.sources}
    assert kinds == {"data:image/png", "data:audio/wav"}
    text = " ".join(reader.text)
    for expected in (
        "runs/a, step 7",
        "digest c1",
        "digest d1",
        "Low-shot",
        "dog|hound",
        "owl <b>",
    ):
        assert expected in text, expected
    assert "✓ query <x>" in text
    # The better of two rows of one modality is open, the other folded.
    page = path.read_text()
    assert page.index("<h2>linear/audio/trained/l2</h2>") > 0
    assert "<summary>linear/audio/log_mel/l2</summary>" in page
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_result_without_classes_or_checkpoint(tmp_path):
    row = made.measurement()
    bare = type(row)(**{**row.__dict__, "confusion": None, "per_class": []})
    reader = _read(result_page.write(tmp_path, made.result(bare, checkpoint=None)))
    assert "Encoders:" not in " ".join(reader.text)
