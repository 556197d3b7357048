"""Tables in each of their forms."""

import csv

from actcl_tf.reporting import tables

TABLE = tables.Table(["", "score"], [["long name", "1"], ["a|b\\", "22.0"]], "about <it>")


def test_text_has_its_columns_below_each_other():
    assert tables.to_text(TABLE) == "           score\nlong name  1\na|b\\       22.0"
    assert tables.to_text(TABLE, [1]) == "           score\nlong name      1\na|b\\        22.0"


def test_text_without_rows_is_its_heads():
    assert tables.to_text(tables.Table(["a", "b"], [])) == "a  b"


def test_markdown_escapes_bars_and_marks_rows():
    assert tables.to_markdown(TABLE, [1]).splitlines() == [
        "|  | score |",
        "| --- | --- |",
        "| long name | 1 |",
        "| **a\\|b\\\\** | **22.0** |",
    ]


def test_csv_is_read_back():
    text = tables.to_csv(["a", "b"], [["x,y", 1.5], ['"', ""]])
    assert [*csv.reader(text.splitlines())] == [["a", "b"], ["x,y", "1.5"], ['"', ""]]


def test_html_escapes_cells_and_title():
    page = tables.to_html(TABLE._replace(rows=[["<b>", "&"]]))
    assert "<td>&lt;b&gt;</td><td>&amp;</td>" in page
    assert "<caption>about &lt;it&gt;</caption>" in page
    assert "<caption>" not in tables.to_html(TABLE._replace(title=""))
