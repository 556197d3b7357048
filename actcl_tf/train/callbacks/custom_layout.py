"""The charts that TensorBoard's custom scalars put first: the six that tell how training goes."""

import re

import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2, summary

from actcl_tf.train.model import scalar_names as names

_ANY = "[^/]+"
# Title -> patterns of the scalars in it.
_CHARTS = {
    "Loss": (re.escape(names.LOSS),),
    "Mutual information bound (nats)": (f"{names.BOUND}/{_ANY}",),
    "Own key first among the negatives (top-1)": (f"{names.TOP1}/{_ANY}",),
    "Held-out clips: partner found first (R@1)": (names.evaluation(f"retrieval/{_ANY}/r1"),),
    "Cosine with the own key, and with negatives": (
        f"{names.POSITIVE}/{_ANY}",
        f"{names.NEGATIVE}/{_ANY}",
    ),
    "Clips a second": (re.escape(names.CLIPS_PER_SECOND),),
}


def layout() -> layout_pb2.Layout:
    """The six charts."""
    found = layout_pb2.Layout()
    category = found.category.add(title="How training goes")
    for title, patterns in _CHARTS.items():
        chart = category.chart.add(title=title)
        chart.multiline.tag.extend(f"^{pattern}$" for pattern in patterns)
    return found


def write(writer: tf.summary.SummaryWriter) -> None:
    """Writes the layout among a run's summaries."""
    with writer.as_default(step=0):
        tf.summary.experimental.write_raw_pb(summary.pb(layout()).SerializeToString())
