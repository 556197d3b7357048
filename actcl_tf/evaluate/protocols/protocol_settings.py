"""What protocols on frozen features leave open: one frozen dataclass, checked beforehand."""

import dataclasses
import math

from actcl_tf import config
from actcl_tf.config import fields


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a protocol leaves open; each field with a help text can be a flag."""

    # 20 neighbours at 0.07 are what self-supervised work has settled on for such votes: DINO (Caron
    # et al. 2021) tried 10, 20, 100 and 200 and found 20 best; 0.07 is from Wu et al. 2018.
    knn_k: int = config.field(20, "Protocol knn: number of nearest training clips that vote.")
    knn_temperature: float = config.field(
        0.07, "Protocol knn: a neighbour's vote weighs exp(cosine / this)."
    )
    c_grid: tuple[float, ...] = config.field(
        (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
        "Protocols linear and svm: inverse strengths of the regularisation to choose from.",
    )
    c_folds: int = config.field(
        3, "Protocols linear and svm: parts of the training clips held out in turn to choose it."
    )
    max_iterations: int = config.field(
        1000,
        "Protocol linear: most iterations of the optimiser in one fit; svm, whose iterations are "
        "each a small optimisation, makes a tenth of them.",
    )

    def __post_init__(self) -> None:
        for name, lowest in (("knn_k", 1), ("c_folds", 2), ("max_iterations", 1)):
            fields.check_range(self, name, lowest)
        if not _positive(self.knn_temperature):
            raise config.ConfigError(
                f"--knn_temperature={self.knn_temperature}: must be greater than 0 and finite"
            )
        if not self.c_grid or not all(map(_positive, self.c_grid)):
            raise config.ConfigError(
                f"--c_grid={','.join(map(str, self.c_grid))}: must be one or more numbers, each "
                "greater than 0 and finite"
            )


def _positive(value: float) -> bool:
    return 0 < value < math.inf
