"""The report as one HTML file that needs nothing beside it."""

import base64
import html
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from actcl_tf.reporting import playable
from actcl_tf.reporting.tables import Table, to_html
from actcl_tf.storage import files

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1080px; padding: 16px; background: #fff; color: #1c1c1c;
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 0.4rem; }
p, li { max-width: 46rem; }
p, h1, h2, summary, figcaption { overflow-wrap: anywhere; }
.table { overflow-x: auto; margin-bottom: 16px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 8px 0; }
th, td { padding: 4px 10px; border-bottom: 1px solid #ddd; text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 400; }
.pictures { display: grid; gap: 24px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); }
figure { margin: 0; }
img { width: 100%; height: auto; max-width: 832px; }
figcaption { font-weight: 600; }
code { overflow-wrap: anywhere; }
td.best { font-weight: 700; }
.clips { display: flex; flex-wrap: wrap; gap: 12px; margin: 12px 0 28px; }
.clip { box-sizing: border-box; width: 152px; padding: 6px; border: 2px solid #999;
  border-radius: 6px; }
.clip.right { border-color: #1a7f37; } .clip.wrong { border-color: #b3261e; }
.clip.query { background: #f2f4f7; }
.clip figcaption { font-weight: 400; font-size: 0.8rem; line-height: 1.25; }
.clip video, .clip audio { width: 100%; } .clip img { margin-top: 4px; }
"""


class Section(NamedTuple):
    """A part of the report.

    Attributes:
      title: its heading.
      paragraphs: what to know.
      tables: figures.
      pictures: caption and path of each PNG file.
      clips: rows of clips that can be played.
      folded: whether it is shown only when it is clicked on.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[tuple[str, pathlib.Path]] = ()
    clips: Sequence[Sequence[playable.Clip]] = ()
    folded: bool = False


def write(path: pathlib.Path, title: str, sections: list[Section]) -> None:
    """Writes the report, whole or not at all, with the pictures inside.

    Args:
      path: of the HTML file.
      title: of the page.
      sections: parts, in order.
    """
    body = "\n".join(_section(section) for section in sections)
    files.write_atomically(
        path,
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n",
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"] if section.title else []
    parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.paragraphs]
    parts += [to_html(table) for table in section.tables]
    if section.pictures:
        pictures = "\n".join(_picture(*picture) for picture in section.pictures)
        parts.append(f'<div class="pictures">\n{pictures}\n</div>')
    parts += [_clips(row) for row in section.clips]
    if section.folded:
        title = html.escape(section.title)
        return "\n".join([f"<details><summary>{title}</summary>", *parts[1:], "</details>"])
    return "\n".join(parts)


def _clips(row: Sequence[playable.Clip]) -> str:
    shown = "\n".join(map(playable.to_html, row))
    return f'<div class="clips">\n{shown}\n</div>'


def _picture(caption: str, path: pathlib.Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    text = html.escape(caption)
    return (
        f"<figure>\n<figcaption>{text}</figcaption>\n"
        f'<img src="data:image/png;base64,{data}" alt="{text}" loading="lazy">\n</figure>'
    )
