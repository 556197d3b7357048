"""The contact sheets of the clips that a sampler picks most often and least often."""

import pathlib

import numpy as np
import tensorflow as tf

from actcl_tf.inspection import clips, contact_sheet, findings, numbers, pages, picks

_CLIPS_A_SHEET = 12


def add(
    context: pages.Context,
    parts: list[findings.DictionaryFindings],
    counts: dict[str, picks.PickCounts],
) -> list[findings.DictionaryFindings]:
    """Adds the sheets of what is picked most and least; reads all clips in one go.

    Args:
      context: of the inspection.
      parts: findings of the dictionaries.
      counts: modality -> counts of repeated sampling; empty without pools.

    Returns:
      The findings, with the sheets among their pictures.
    """
    sheets = {}
    for part in parts:
        if part.sampling is None:
            continue
        pool = context.state.dictionaries[part.modality].pool
        chosen = picks.most_and_least(
            counts[part.modality].counts, np.flatnonzero(pool.ids >= 0), _CLIPS_A_SHEET, context.rng
        )
        for name, slots in zip(("most", "least"), chosen, strict=True):
            known = [slot for slot in slots if int(pool.ids[slot]) in context.places]
            if known:
                sheets[part.modality, name] = known
    pools = {m: d.pool for m, d in context.state.dictionaries.items()}
    wanted = {int(pools[m].ids[slot]) for (m, _), slots in sheets.items() for slot in slots}
    shown = clips.read({clip_id: context.places[clip_id] for clip_id in wanted}) if wanted else {}
    captions = {"most": "Picked most often", "least": "Picked least often, or never"}
    pictures = {part.modality: list(part.pictures) for part in parts}
    for (modality, name), slots in sheets.items():
        cells = []
        for slot in slots:
            clip_id = int(pools[modality].ids[slot])
            label = numbers.class_name(context.places[clip_id].label, context.classes)
            times = counts[modality].counts[slot]
            cells.append(
                contact_sheet.Cell(
                    frame=shown[clip_id].frame,
                    spectrogram=_spectrogram(context, shown[clip_id].waveform),
                    title=label or pathlib.PurePath(shown[clip_id].filename).name,
                    note=f"picked {times} of {counts[modality].draws}",
                )
            )
        path = contact_sheet.draw(context.output / f"picked_{name}_{modality}.png", cells)
        pictures[modality].append((captions[name], path))
    return [part._replace(pictures=pictures[part.modality]) for part in parts]


def _spectrogram(context: pages.Context, waveform: np.ndarray) -> np.ndarray:
    """[F, R] float32, as the audio encoder gets it."""
    frontend = context.state.run.audio_tower.frontend
    return tf.cast(frontend(waveform[np.newaxis])[0], tf.float32).numpy()
