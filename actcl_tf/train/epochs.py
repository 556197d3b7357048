"""How a run's steps are cut into the epochs of Keras' `fit`, wherever it starts and ends."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class FitPart:
    """Arguments of one call of `fit`.

    Attributes:
      start: the first step's number.
      initial_epoch: epochs before it.
      epochs: epochs after it, counted from the start of the run.
      steps_per_epoch: steps of each of its epochs.
    """

    start: int
    initial_epoch: int
    epochs: int
    steps_per_epoch: int


def fit_parts(
    start: int, last: int, steps_per_epoch: int, steps_per_execution: int = 1
) -> list[FitPart]:
    """Cuts steps [start, last) into calls of `fit` with equally long epochs each.

    Args:
      start: steps done.
      last: step to end at.
      steps_per_epoch: steps of a whole epoch, a multiple of those of an execution.
      steps_per_execution: steps that the device takes at once.

    Returns:
      What is left of a begun execution, so that the others begin where they always do; the rest
      of a begun epoch, whole epochs, and the begun last one; each only if there is any.
    """
    parts = []
    step = start
    while step < last:
        epoch, offset = divmod(step, steps_per_epoch)
        whole = (last - step) // steps_per_epoch
        begun = step % steps_per_execution
        if begun or offset or not whole:
            left = steps_per_execution - begun if begun else steps_per_epoch - offset
            steps = min(left, last - step)
            parts.append(FitPart(step, epoch, epoch + 1, steps))
            step += steps
        else:
            parts.append(FitPart(step, epoch, epoch + whole, steps_per_epoch))
            step += whole * steps_per_epoch
    return parts
