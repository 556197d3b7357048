"""What an indexing or a search came to, as people read it."""

import collections
from collections.abc import Sequence

from actcl_tf.data.catalogs import walking
from actcl_tf.data.media.containers import media
from actcl_tf.reporting import tables
from actcl_tf.search.collection import Hit
from actcl_tf.search.indexing import Summary
from actcl_tf.search.segments import MODALITIES
from actcl_tf.search.store import Entry

_SHOWN = 10  # Files that a summary names.


def text_table(hits: Sequence[Hit]) -> str:
    """The table for the terminal."""
    if not hits:
        return "Nothing found: the index holds no such segment."
    return tables.to_text(table(hits), numbers=(2, 3))


def time_text(seconds: float) -> str:
    """Minutes and seconds, such as 12:03.4."""
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def printable(name: str) -> str:
    """A name without what would break a line, steer a terminal or be no text at all."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)


def table(hits: Sequence[Hit]) -> tables.Table:
    """The hits, one a row: rank, file, time, score and what the score is of."""
    rows = [
        [
            str(rank),
            printable(hit.name),
            time_text(hit.start),
            f"{hit.score:.3f}",
            hit.modality,
        ]
        for rank, hit in enumerate(hits, 1)
    ]
    return tables.Table(["", "file", "time", "score", "by"], rows)


def summary_text(summary: Summary) -> str:
    """What an indexing did, what the index holds, and what was left out of it."""
    news = [
        f"{count} {word}"
        for count, word in (
            (len(summary.added), "new"),
            (len(summary.changed), "changed"),
            (len(summary.vanished), "vanished"),
        )
        if count
    ]
    lines = [f"Files: {', '.join(news) or 'nothing new'}."]
    if summary.windows:
        rate = summary.windows / max(summary.seconds, 1e-3)
        lines.append(
            f"Encoded {summary.windows} windows in {summary.seconds:.1f} s, {rate:.0f} a second."
        )
    lines += [*walking.unlisted_lines(summary.found), *walking.ignored_lines(summary.found)]
    used = [entry for entry in summary.entries if entry.segments]
    counts = [sum(entry.num_rows(modality) for entry in used) for modality in MODALITIES]
    lines.append(
        f"The index holds {sum(len(entry.segments) for entry in used)} segments of {len(used)} "
        f"files: {counts[0]} with video, {counts[1]} with audio."
    )
    for modality in MODALITIES:
        reasons: collections.Counter = collections.Counter()
        for entry in used:
            reasons.update(entry.left_out.get(modality, {}))
        # A file of audio alone lacks no video.
        told = [f"{count} {reason}" for reason, count in reasons.items() if "no_" not in reason]
        if told:
            lines.append(f"Left out of files, windows of {modality}: {', '.join(told)}.")
    unused = [entry for entry in summary.entries if not entry.segments]
    if unused:
        lines.append(f"Files that give nothing: {len(unused)}.")
        lines += [f"  {printable(entry.name)}: {_why(entry)}" for entry in unused[:_SHOWN]]
        lines += ["  ..."] if len(unused) > _SHOWN else []
    return "\n".join(lines)


def _why(entry: Entry) -> str:
    """Why a file gives nothing."""
    reasons = [reason for modality in MODALITIES for reason in entry.left_out.get(modality, {})]
    told = [reason for reason in reasons if reason not in ("no_video", "no_audio")] or reasons
    return " and ".join(dict.fromkeys(media.REASONS[reason] for reason in told))
