"""Tables of text: for the terminal, in Markdown, as comma-separated values and in HTML."""

import csv
import html
import io
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple


class Table(NamedTuple):
    """Cells of text.

    Attributes:
      heads: of the columns.
      rows: as many cells each.
      title: what they are about; may be empty.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


def to_text(table: Table, numbers: Collection[int] = ()) -> str:
    """A table for the terminal, in columns.

    Args:
      table: without line breaks in its cells.
      numbers: columns that end below each other.
    """
    lines = [table.heads, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    forms = [f"{'>' if place in numbers else '<'}{width}" for place, width in enumerate(widths)]
    return "\n".join("  ".join(map(format, line, forms)).rstrip() for line in lines)


def to_markdown(table: Table, bold: Collection[int] = ()) -> str:
    """A table in Markdown, some rows of it bold."""
    lines = [table.heads, ["---"] * len(table.heads)]
    for place, row in enumerate(table.rows):
        cells = [cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row]
        lines.append([f"**{cell}**" for cell in cells] if place in bold else cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def to_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([heads, *rows])
    return buffer.getvalue()


def to_html(table: Table) -> str:
    """A table as part of a page."""
    head = "".join(f"<th>{html.escape(head)}</th>" for head in table.heads)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    caption = f"<caption>{html.escape(table.title)}</caption>\n" if table.title else ""
    return f'<div class="table"><table>\n{caption}<tr>{head}</tr>\n{rows}\n</table></div>'
