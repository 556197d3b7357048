"""What a training run measured, in the format of `tools/evaluate.py`."""

import re

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import clip_table
from actcl_tf.evaluate.features import encoders
from actcl_tf.evaluate.metrics import retrieval
from actcl_tf.evaluate.protocols import retrieval_protocol
from actcl_tf.evaluate.results import results
from actcl_tf.train.runs import run_folder

Scores = dict[str, float]

_PROBE = ("low", "high", "chance", "c", "num_train", "num_test", "windows_in_order")


def build_result(
    configuration: config.PretrainConfig,
    facts: run_folder.DataFacts,
    scores: dict[str, Scores],
) -> results.Result:
    """The result of a run that has ended.

    Args:
      configuration: of the run, with an --eval_split.
      facts: of its data.
      scores: features ("initialised", "trained") to what `monitor.Evaluator` measured of them; {}
        where it measured nothing.

    Raises:
      records.DataError, errors.CheckpointError: the data or the checkpoint is gone.
    """
    data, train = configuration.data, configuration.train
    rows = [row for name, found in scores.items() for row in measurements(found, name)]
    num_test = rows[0].folds[0].num_test if rows else 0
    return results.Result(
        name=train.run_dir.rstrip("/").rpartition("/")[2],
        checkpoint=encoders.open_checkpoint(train.run_dir, "latest").facts(),
        data={
            "path": data.data_dir,
            "digest": clip_table.fingerprint(data.data_dir, [data.train_split, data.eval_split]),
            "num_clips": facts.num_clips + num_test,
            "streams": "both",
        },
        classes={row.label: list(facts.classes) for row in rows if row.label == clip_table.LABEL},
        flags={
            key: value for part in configuration.to_dict().values() for key, value in part.items()
        },
        versions=results.versions(records.TOOL_VERSION),
        seeds=[train.seed],
        seconds={},
        measurements=rows,
    )


def measurements(scores: Scores, features: str) -> list[results.Measurement]:
    """Scores of `monitor.Evaluator` as rows of the table.

    Args:
      scores: name to number.
      features: initialised or trained.
    """
    rows = []
    if "retrieval/num_clips" in scores:
        num = int(scores["retrieval/num_clips"])
        chance = retrieval.chance(num)._asdict()
        names = retrieval_protocol.telling_scores(num)
        for direction in retrieval_protocol.ACROSS:
            values = {name: scores[f"retrieval/{direction}/{name}"] for name in names}
            fold = results.Fold("test", 0, num, values)
            parts = (retrieval_protocol.RETRIEVAL, features, direction, "", "", "")
            rows.append(_row(parts, fold, {name: chance[name] for name in names}, {}))
    for name in scores:
        found = re.fullmatch(r"probe/(video|audio)/(.*)/accuracy", name)
        if found:
            prefix = name.rpartition("/")[0]
            of = {key: scores[f"{prefix}/{key}"] for key in _PROBE}
            chosen = {"c": of["c"], "windows_in_order": bool(of["windows_in_order"])}
            sizes = (int(of["num_train"]), int(of["num_test"]))
            fold = results.Fold("test", *sizes, {"top1": scores[name]}, chosen)
            parts = ("linear", features, found[1], "standardise", found[2], "")
            interval = {"top1": (of["low"], of["high"])}
            rows.append(_row(parts, fold, {"top1": of["chance"]}, interval))
    return rows


def _row(
    parts: tuple[str, ...],
    fold: results.Fold,
    chance: Scores,
    intervals: dict[str, tuple[float, float]],
) -> results.Measurement:
    return results.Measurement(
        results.name_of(*parts),
        *parts,
        folds=[fold],
        summary=results.summarise([fold], intervals),
        chance=chance,
        confusion=None,
        per_class=[],
        seconds=0.0,
    )
