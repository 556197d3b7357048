"""A whole evaluation, from the plan to the result."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from actcl_tf.console import bars
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import splits
from actcl_tf.evaluate.features import feature_sets
from actcl_tf.evaluate.protocols import context, finetune_protocol, neighbours, protocols
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
      classifiers.ProtocolError: nothing can be learned from the training clips of a fold.
      errors.Interrupted: a signal came during fine-tuning; the state was saved.
    """
    settings = plan.settings
    clock = {"start": time.perf_counter()}
    found = context.find(plan)
    clock["reading labels"] = time.perf_counter()
    # The training of fine-tuning has bars of its own, and no features.
    trains = settings.protocol == finetune_protocol.FINETUNE
    sets = []
    if not trains:
        sets = feature_sets.make(
            found.inputs,
            plan.checkpoint,
            mel_bands=plan.run.model.mel_bands,
            precision=plan.precision,
            cache_dir=plan.cache_dir,
            say=say,
        )
        clock["features"] = time.perf_counter()
    measurements = []
    with bars.Bar(desc="measuring", unit="row", disable=trains) as bar:
        for row in protocols.PROTOCOLS[settings.protocol](found, sets):
            measurements.append(row)
            bar.set_postfix_str(row.name)
            bar.update()
    clock["measuring"] = time.perf_counter()
    ends = list(clock.items())
    seconds = {name: end - start for (_, start), (name, end) in itertools.pairwise(ends)}
    return Evaluated(_result(found, measurements, seconds), _neighbours(found, sets))


def _neighbours(
    found: context.Context, sets: Sequence[feature_sets.FeatureSet]
) -> list[result_page.Neighbours]:
    """Of test clips of the first fold, by the first features."""
    if not sets or not found.targets:
        return []
    targets = found.targets[0]
    fold = splits.labelled(found.folds[:1], targets)[0]
    return neighbours.find(
        sets[0],
        found.inputs.table,
        fold,
        targets=targets,
        settings=found.plan.settings,
        data_dir=found.inputs.data.data_dir,
    )


def _warnings(found: context.Context) -> list[str]:
    """What is odd about the clips of the folds and of the training sets that are drawn."""
    lines = []
    for targets in found.targets:
        folds = splits.labelled(found.folds, targets)
        subsets = list(splits.subsets(folds, targets, found.filenames, found.plan.settings))
        lines += splits.warnings(folds, targets, subsets)
    return lines


def _result(
    found: context.Context, measurements: list[results.Measurement], seconds: dict[str, float]
) -> results.Result:
    plan, table = found.plan, found.inputs.table
    return results.Result(
        name=plan.name,
        checkpoint=None if plan.checkpoint is None else plan.checkpoint.facts(),
        data={
            "path": found.inputs.data.data_dir,
            "digest": table.digest,
            "num_clips": len(table.clip_ids),
            "streams": table.manifest.streams,
        },
        classes={targets.name: list(targets.classes) for targets in found.targets},
        flags=plan.flags,
        versions=results.versions(records.TOOL_VERSION),
        seeds=[plan.settings.seed],
        seconds={name: round(value, 3) for name, value in seconds.items()},
        measurements=measurements,
        warnings=_warnings(found),
    )
