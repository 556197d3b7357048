"""A whole evaluation, from the plan to the result."""

import platform
import time
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

import numpy as np
import sklearn
import tensorflow as tf

from actcl_tf.console import bars
from actcl_tf.data.records import records
from actcl_tf.evaluate import context, feature_sets, gallery, tuned
from actcl_tf.evaluate.clips import splits
from actcl_tf.evaluate.features import windows
from actcl_tf.evaluate.protocols import frozen, searches
from actcl_tf.evaluate.results import result_page, results

Plan = context.Plan


class Evaluated(NamedTuple):
    """What an evaluation found.

    Attributes:
      result: all numbers.
      neighbours: some test clips with the training clips that are most like them.
    """

    result: results.Result
    neighbours: list[result_page.Neighbours]


def run(plan: Plan, say: Callable[[str], None] = print) -> Evaluated:
    """Measures what the plan asks for.

    Args:
      plan: what is to be measured, how and on what.
      say: takes lines for the console.

    Raises:
      config.ConfigError, records.DataError, errors.CheckpointError: something is wrong that
        the user can mend.
      protocols.ProtocolError: nothing can be learned from the training clips of a fold.
      errors.Interrupted: a signal came during fine-tuning; the state was saved.
    """
    clock = {"start": time.perf_counter()}
    found = context.find(plan)
    clock["reading labels"] = time.perf_counter()
    sets = []
    if plan.settings.protocol == tuned.FINETUNE:
        # Its training has bars of its own.
        measurements = list(tuned.rows(found))
    else:
        sets = feature_sets.make(found, say)
        clock["features"] = time.perf_counter()
        measurements = []
        with bars.Bar(desc="measuring", unit="row") as bar:
            for row in _frozen_rows(found, sets):
                measurements.append(row)
                bar.set_postfix_str(row.name)
                bar.update()
    clock["measuring"] = time.perf_counter()
    ends = list(clock.items())
    seconds = {name: end - start for (_, start), (name, end) in zip(ends, ends[1:])}
    return Evaluated(_result(found, measurements, seconds), _neighbours(found, sets))


def _frozen_rows(
    found: context.Context, sets: Sequence[frozen.Frozen]
) -> Iterator[results.Measurement]:
    """Every set of features by every modality, label and size of training set."""
    plan, names = found.plan, found.table.filenames
    settings = plan.settings
    is_retrieval = settings.protocol == searches.RETRIEVAL
    for each in sets:
        modalities = [
            modality
            for modality in found.modalities
            if all(stream in each.arrays for stream in windows.modalities_of(modality))
        ]
        measurer = frozen.Measurer(each, names, settings, plan.protocol_settings)
        for targets in found.targets:
            folds = splits.labelled(found.folds, targets)
            subsets = list(splits.subsets(folds, targets, names, settings))
            for modality in modalities:
                if is_retrieval:
                    yield searches.within(each, modality, targets, folds, names, settings)
                    continue
                for subset in subsets:
                    yield measurer.measure(modality, targets, subset)
        embeddings = [f"{stream}_embedding" in each.arrays for stream in windows.MODALITIES]
        if is_retrieval and all(embeddings):
            yield from searches.across(each, found.folds, names, settings)


def _neighbours(
    found: context.Context, sets: Sequence[frozen.Frozen]
) -> list[result_page.Neighbours]:
    """Of test clips of the first fold, by the first features."""
    if not sets or not found.targets:
        return []
    targets = found.targets[0]
    fold = splits.labelled(found.folds[:1], targets)[0]
    return gallery.find(
        sets[0], found.table, fold, targets, found.plan.settings, found.data.data_dir
    )


def _warnings(found: context.Context) -> list[str]:
    """What is odd about the clips of the folds and of the training sets that are drawn."""
    lines = []
    for targets in found.targets:
        folds = splits.labelled(found.folds, targets)
        subsets = list(splits.subsets(folds, targets, found.table.filenames, found.plan.settings))
        lines += splits.warnings(folds, targets, subsets)
    return lines


def _result(
    found: context.Context, measurements: list[results.Measurement], seconds: dict[str, float]
) -> results.Result:
    plan, table = found.plan, found.table
    return results.Result(
        name=plan.name,
        checkpoint=None if plan.checkpoint is None else plan.checkpoint.facts(),
        data={
            "path": found.data.data_dir,
            "digest": table.digest,
            "num_clips": len(table.clip_ids),
            "streams": table.manifest.streams,
        },
        classes={targets.name: list(targets.classes) for targets in found.targets},
        flags=plan.flags,
        versions={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "actcl_tf": records.TOOL_VERSION,
        },
        seeds=[plan.settings.seed],
        seconds={name: round(value, 3) for name, value in seconds.items()},
        measurements=measurements,
        warnings=_warnings(found),
    )
