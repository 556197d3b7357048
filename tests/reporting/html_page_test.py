"""Pages show names that strangers chose as text: no element, attribute or link comes of them."""

import html.parser

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.reporting import html_page, playable, tables

NAMES = [
    "<script>alert(1)</script>&\"'.mp4",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></table><svg onload=alert(1)>",
    "<!-- ]]> -->",
    "javascript:alert(1)",
    "&lt;b&gt; &#60;i&#62;",
    "",
]


class Parsed(html.parser.HTMLParser):
    """Elements with their attributes, and the text, of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.elements, self.text, self.comments = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.comments.append(data)


def page_of(folder, name: str) -> Parsed:
    """A page with a name in every place that takes a text."""
    picture = folder / "picture.png"
    picture.write_bytes(tf.io.encode_png(np.zeros((2, 2, 3), np.uint8)).numpy())
    silent = playable.Clip(name, True, None, 10.0, None, 8000)
    heard = playable.Clip(name, None, None, 10.0, np.zeros(800, np.float32), 8000)
    parts = {
        "paragraphs": [name],
        "tables": [tables.Table([name, name], [[name, name]], name)],
        "pictures": [(name, picture)],
        "clips": [[silent, heard]],
    }
    sections = [html_page.Section(name, **parts), html_page.Section(name, folded=True, **parts)]
    html_page.write(folder / "page.html", name, sections)
    return Parsed((folder / "page.html").read_text("utf-8"))


def shape(page: Parsed) -> list:
    """Elements and attribute names of a page, without the values."""
    return [(tag, sorted(attributes)) for tag, attributes in page.elements]


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_names_are_shown_as_text(tmp_path, name):
    plain, page = page_of(tmp_path, "plain"), page_of(tmp_path, name)
    assert shape(page) == shape(plain)
    assert not page.comments
    # Of a section: heading, paragraph, five in the table, captions of picture and clips.
    assert sum(name in text for text in page.text) == 2 + 2 * 10
    assert [about["alt"] for tag, about in page.elements if tag == "img"].count(name) == 2


@pytest.mark.parametrize("name", NAMES)
def test_pages_load_and_run_nothing(tmp_path, name):
    for tag, attributes in page_of(tmp_path, name).elements:
        assert tag not in ("script", "a", "iframe", "object", "embed", "link", "base", "form")
        assert not any(attribute.startswith("on") for attribute in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("poster", "data:").startswith("data:")
