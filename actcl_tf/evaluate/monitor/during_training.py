"""What measures the encoders of a run while it trains, built from its configuration."""

from collections.abc import Callable
from typing import NamedTuple

from actcl_tf import config
from actcl_tf.data.input import pipeline, skip_ledger
from actcl_tf.evaluate.monitor import monitor, projector, quantities
from actcl_tf.train.callbacks import scalar_log
from actcl_tf.train.runs import run_folder


class Evaluation(NamedTuple):
    """What measures the encoders on held-out clips, and what shows these in TensorBoard."""

    evaluate: monitor.Evaluator | None = None
    publish: Callable[[int], None] | None = None


def build(configuration: config.PretrainConfig, facts: run_folder.DataFacts) -> Evaluation:
    """The evaluation of a run; nothing without --eval_split.

    Args:
      configuration: of the run.
      facts: of its data.

    Raises:
      records.DataError: the clips cannot be used.
      config.ConfigError: --quantities cannot be read.
      probes.ProbeError: --probe_pattern says nothing of their names.
    """
    data, train = configuration.data, configuration.train
    if not data.eval_split:
        return Evaluation()

    def leaves_out(split: str) -> skip_ledger.SkipLedger | None:
        """Probes may learn from fewer clips; what is measured must be whole."""
        is_wanted = data.on_bad_record == "skip" and split == data.train_split
        return skip_ledger.SkipLedger(tell=False) if is_wanted else None

    datasets = [
        pipeline.build_eval_dataset(
            data,
            split=split,
            batch_size=min(train.batch_size, 32),
            num_windows=train.eval_windows,
            skipping=leaves_out(split),
        )
        for split in (data.train_split, data.eval_split)
    ]
    shown = projector.build_projector(
        configuration, scalar_log.logdir(train.run_dir), facts.classes
    )
    evaluator = monitor.Evaluator(
        *datasets,
        probe_pattern=train.probe_pattern,
        known=quantities.Quantities(train.quantities) if train.quantities else None,
        classes=facts.classes,
        seed=train.seed,
        observe=shown.observe,
    )
    return Evaluation(evaluator, shown.write)
