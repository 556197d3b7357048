"""What is to be known of one dictionary: its figures, its pictures, and what could not be shown."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from actcl_tf.data.records import records
from actcl_tf.inspection import (
    clips,
    dictionary_state,
    figures,
    findings,
    numbers,
    picks,
    projection,
)


class Context(NamedTuple):
    """What the parts of an inspection share.

    Attributes:
      state: what the checkpoint holds.
      places: clip id -> where the clip is stored.
      output: folder that is there.
      rng: draws samples.
    """

    state: dictionary_state.RunState
    places: dict[int, clips.Place]
    output: pathlib.Path
    rng: np.random.Generator

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes; none if the data has no labels."""
        return self.state.run.data_facts.classes

    def labels(self, ids: np.ndarray) -> np.ndarray:
        """[n] int64, index of each clip's class; -1 where it is not known."""
        found = [self.places[i].label if i in self.places else records.NO_LABEL for i in ids]
        return np.array(found, np.int64)


def describe(
    context: Context, modality: str, counts: picks.PickCounts | None
) -> findings.DictionaryFindings:
    """Figures and pictures of one dictionary, but for its contact sheets.

    Args:
      context: of the inspection.
      modality: of the dictionary's keys.
      counts: of repeated sampling, or None without a pool.
    """
    state = context.state.dictionaries[modality]
    sets = {"dictionary": state.dictionary.held()}
    if state.pool is not None:
        sets["pool"] = pool = state.pool.held()
        size = min(len(sets["dictionary"].ids), len(pool.ids))
        chosen = np.sort(context.rng.choice(len(pool.ids), size, replace=False))
        sets["pool sample"] = dictionary_state.KeyTable(pool.ids[chosen], pool.keys[chosen])
    labels = {name: context.labels(table.ids) for name, table in sets.items()}
    cosines = {n: numbers.pairwise_cosines(table.keys, context.rng) for n, table in sets.items()}
    described = {
        name: numbers.describe(table.ids, table.keys, labels[name], cosines[name])
        for name, table in sets.items()
    }
    notes, pictures, shares = [], [], {}
    if not len(sets["dictionary"].ids):
        notes.append("The dictionary is still empty.")
    if max(map(len, (table.ids for table in sets.values()))) > numbers.MAX_PAIRED_KEYS:
        notes.append(f"Cosines are of pairs within {numbers.MAX_PAIRED_KEYS} keys drawn uniformly.")
    sampling = None
    if counts is not None and len(sets["pool"].ids):
        held = counts.counts[state.pool.ids >= 0]
        sampling = findings.sampling_of(held, counts.draws, counts.batches)
    if any(each.categories for each in described.values()):
        shares = {n: numbers.class_shares(each, len(context.classes)) for n, each in labels.items()}
        shares.pop("pool sample", None)
        if sampling:
            picked = np.repeat(state.pool.ids, counts.counts)
            shares["picks"] = numbers.class_shares(context.labels(picked), len(context.classes))
        path = context.output / f"categories_{modality}.png"
        figures.draw_categories(
            path, context.classes, shares["dictionary"], shares.get("pool"), shares.get("picks")
        )
        diamonds = "; diamonds: of all picks of repeated sampling" if sampling else ""
        pictures.append((f"Categories: shares of the keys{diamonds}", path))
    else:
        notes.append("The data has no labels: categories are not shown, and maps have no colours.")
    cosines = {name: values for name, values in cosines.items() if len(values)}
    if cosines:
        path = context.output / f"similarity_{modality}.png"
        figures.draw_similarities(path, cosines)
        pictures.append(("Similarity: cosines of all pairs of keys", path))
    pictures += _draw_map(context, modality, sets, labels, counts)
    named = {
        name: {c: float(s) for c, s in zip(context.classes, each, strict=True)}
        for name, each in shares.items()
    }
    return findings.DictionaryFindings(
        modality=modality,
        serves=state.serves,
        figures=described,
        sampling=sampling,
        shares=named,
        notes=notes,
        pictures=pictures,
    )


def _draw_map(
    context: Context,
    modality: str,
    sets: dict[str, dictionary_state.KeyTable],
    labels: dict[str, np.ndarray],
    counts: picks.PickCounts | None,
) -> list[tuple[str, pathlib.Path]]:
    """The map of dictionary and pool, if there is something to map."""
    half = projection.MAX_POINTS // 2
    names = [name for name in ("pool", "dictionary") if name in sets]
    keys, shown_labels, in_dictionary, picked = [], [], [], []
    for name in names:
        size = len(sets[name].ids)
        first = np.zeros(size, bool)
        if name == "pool" and counts is not None:
            slots = context.state.dictionaries[modality].pool.ids >= 0
            first = np.isin(np.flatnonzero(slots), counts.first)
        rows = projection.at_most(size, half, context.rng, np.flatnonzero(first))
        keys.append(sets[name].keys[rows])
        shown_labels.append(labels[name][rows])
        in_dictionary.append(np.full(len(rows), name == "dictionary"))
        picked.append(first[rows])
    points = projection.to_plane(np.concatenate(keys))
    if points is None:
        return []
    path = context.output / f"map_{modality}.png"
    figures.draw_map(
        path,
        points,
        *map(np.concatenate, (shown_labels, in_dictionary, picked)),
        context.classes,
    )
    return [("Map: neighbours are alike (t-SNE)", path)]
