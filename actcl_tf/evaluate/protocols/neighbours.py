"""Test clips with the training clips that are most like them, ready to be looked at and played."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import clip_choice, clip_sources
from actcl_tf.data.records import records, shards
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import feature_sets, windows
from actcl_tf.evaluate.metrics import class_retrieval
from actcl_tf.evaluate.protocols import retrieval_protocol
from actcl_tf.evaluate.results import result_page
from actcl_tf.reporting import playable

_NEAREST = 4
_MOST_SECONDS = 4.0  # Of a clip that is shown.


def find(
    features: feature_sets.FeatureSet,
    table: clip_table.ClipTable,
    fold: splits.Fold,
    targets: clip_table.Targets,
    settings: config.EvaluationConfig,
    data_dir: str,
) -> list[result_page.Neighbours]:
    """Nearest neighbours of some test clips, by each stream that there are features of.

    Args:
      features: of all clips of the table.
      table: of the clips.
      fold: its test clips search its training clips.
      targets: classes, for captions and for what is right; one a clip.
      settings: of the evaluation; `neighbours` test clips are shown, spread evenly.
      data_dir: folder of the records.

    Raises:
      records.DataError: the records cannot be read.
    """
    count = min(settings.neighbours, len(fold.test))
    if not count or targets.values.ndim == 2:
        return []
    places = np.unique(np.linspace(0, len(fold.test) - 1, count).round().astype(int))
    some = fold._replace(test=fold.test[places])
    found = {}
    for stream in windows.MODALITIES:
        if stream in features.arrays:
            train_x, test_x = retrieval_protocol.search_rows(features, stream, some, settings)
            labels = [targets.values[rows] for rows in (some.train, some.test)]
            nearest = class_retrieval.by_label(
                test_x, labels[1], train_x, labels[0], num_nearest=_NEAREST
            ).nearest
            found[stream] = some.train[nearest]
    wanted = np.unique(np.concatenate([some.test, *(rows.ravel() for rows in found.values())]))
    media = _read(data_dir, table, wanted)

    def shown(row: int, query: int) -> playable.Clip:
        label = targets.values[row]
        is_right = None if row == query else bool(label == targets.values[query])
        caption = f"{targets.classes[label]} ({table.filenames[row].rsplit('/', 1)[-1]})"
        return media[row]._replace(caption=caption, is_right=is_right)

    return [
        result_page.Neighbours(stream, shown(query, query), [shown(row, query) for row in nearest])
        for stream, rows in found.items()
        for query, nearest in zip(some.test, rows, strict=True)
    ]


def _read(data_dir: str, table: clip_table.ClipTable, rows: np.ndarray) -> dict[int, playable.Clip]:
    """Row of the table -> what is seen and heard of the middle of its clip."""
    row_of = dict(zip(table.clip_ids[rows].tolist(), rows.tolist(), strict=True))
    of_split = np.array(table.splits)
    media = {}
    for split in table.manifests:
        wanted = table.clip_ids[rows[of_split[rows] == split]]
        if not len(wanted):
            continue
        manifest, paths = shards.open_split(data_dir, split)
        source = clip_sources.StoredClips(manifest)
        chosen = clip_choice.ClipChoice(wanted, source)
        for record in _only(paths, chosen):
            clip = records.parse_example(record, manifest)
            media[row_of[int(clip["clip_id"])]] = _middle(clip, manifest)
    return media


def _only(paths: Sequence[str], chosen: clip_choice.ClipChoice) -> Iterable[tf.Tensor]:
    return tf.data.TFRecordDataset(list(paths)).filter(lambda record: chosen.row_of(record) >= 0)


def _middle(clip: dict[str, tf.Tensor], manifest: records.Manifest) -> playable.Clip:
    """The middle of a clip, at most a few seconds, without a caption."""
    jpegs, waveform = clip["frames_jpeg"].numpy(), clip["waveform"].numpy()
    frame_rate, sample_rate = manifest.frame_rate, round(manifest.sample_rate)
    frames = None
    if len(jpegs):
        most = max(1, int(_MOST_SECONDS * frame_rate))
        first = max(0, (len(jpegs) - most) // 2)
        frames = np.stack(
            [tf.io.decode_jpeg(jpeg, channels=3).numpy() for jpeg in jpegs[first : first + most]]
        )
        start = records.num_samples(first, frame_rate, sample_rate)
        waveform = waveform[start : start + records.num_samples(most, frame_rate, sample_rate)]
    else:
        most = int(_MOST_SECONDS * sample_rate)
        start = max(0, (len(waveform) - most) // 2)
        waveform = waveform[start : start + most]
    heard = waveform if len(waveform) else None
    return playable.Clip(
        caption="",
        is_right=None,
        frames=frames,
        frame_rate=frame_rate,
        waveform=heard,
        sample_rate=sample_rate,
    )
