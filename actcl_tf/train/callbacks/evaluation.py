"""Evaluation during training, and the choice of the best checkpoint by it."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from actcl_tf.train.callbacks import scalar_log, step_callback
from actcl_tf.train.model import pretrain_model
from actcl_tf.train.model import scalar_names as names
from actcl_tf.train.placement import workers as workers_lib
from actcl_tf.train.runs import checkpoints

Evaluate = Callable[[tf.keras.Model, tf.keras.Model], dict[str, float]]


class Evaluation(step_callback.StepCallback):
    """Evaluates the query towers every few steps and keeps the best checkpoint."""

    def __init__(
        self,
        evaluate: Evaluate,
        every: int,
        log: scalar_log.ScalarLog,
        manager: checkpoints.Manager,
        publish: Callable[[int], None] | None = None,
        workers: workers_lib.Workers | None = None,
        towers: Callable[[], dict[str, tf.keras.Model]] | None = None,
    ):
        """Takes what to call and where to write.

        Args:
          evaluate: (video tower, audio tower) -> name to number.
          every: steps between evaluations; 0 for none during training.
          log: scalars go here, under "eval/".
          manager: the best checkpoint is kept here.
          publish: called with the step after each evaluation, to show more than numbers.
          workers: the processes that train together; None for this one alone.
          towers: gives the query towers to evaluate, called on all workers; None: the model's own.
        """
        super().__init__()
        self._evaluate = evaluate
        self._every = every
        self._log = log
        self._manager = manager
        self._publish = publish
        self._workers = workers or workers_lib.Workers()
        self._towers = towers
        self._evaluated: tuple[int, dict[str, float]] = (-1, {})

    def on_step(self, logs: dict | None) -> None:
        """Evaluates if its turn has come."""
        if self._every and self.step % self._every == 0:
            self.run(self.model)

    def run(self, model: pretrain_model.PretrainModel) -> dict[str, float]:
        """Evaluates a model now, logs the numbers and saves the checkpoint if it is the best.

        Of several workers only the chief evaluates, and the others get no scores.
        """
        started = time.perf_counter()
        step = int(model.step.numpy())
        if step == self._evaluated[0]:
            return self._evaluated[1]
        towers = model.query_towers if self._towers is None else self._towers()
        scores, best = {}, False
        if self._workers.is_chief:
            scores = self._evaluate(towers["video"], towers["audio"])
            self._log.write_anew(step, {names.evaluation(k): v for k, v in scores.items()})
            best = self._manager.is_best(selection_score(scores))
        if self._workers.any(best):
            self._manager.save_best(selection_score(scores) if scores else 0.0)
        if self._publish is not None and self._workers.is_chief:
            self._publish(step)
        self._log.pause(time.perf_counter() - started)
        self._evaluated = (step, scores)
        return scores


def selection_score(scores: dict[str, float]) -> float:
    """What the best checkpoint is chosen by: mean reciprocal rank of cross-modal retrieval."""
    ranks = [value for name, value in scores.items() if name.endswith("mean_reciprocal_rank")]
    if not ranks:
        raise ValueError(f"no mean_reciprocal_rank among the scores: {sorted(scores)}")
    return float(np.mean(ranks))
