"""How encoders are fine-tuned with labels."""

import dataclasses

from actcl_tf.config.fields import ConfigError, check_allowed, check_range, field
from actcl_tf.config.train import OPTIMIZERS

NUM_STAGES = 5  # Of an encoder, at most: its stem and four stages.


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """How long, how fast and what of the encoders is trained with a classifier on top."""

    epochs: int = field(30, "Protocol finetune: times that each training clip is seen.")
    batch_size: int = field(
        32, "Protocol finetune: clips a step, over all replicas; at most the training clips."
    )
    from_scratch: bool = field(
        False, "Protocol finetune: encoders begin with fresh weights; the row to compare with."
    )
    freeze: int = field(
        0,
        "Protocol finetune: lowest stages of each encoder that stay as they are, of 5: the stem "
        "and four stages.",
    )
    learning_rate: float = field(1e-3, "Protocol finetune: peak learning rate, of the classifier.")
    layer_decay: float = field(
        0.7,
        "Protocol finetune: factor of the learning rate from each stage to the one below; 1: all "
        "alike, as it is from scratch.",
    )
    optimizer: str = field("adamw", "Protocol finetune: optimizer.", OPTIMIZERS)
    weight_decay: float = field(0.05, "Protocol finetune: weight decay; none on norms and biases.")
    warmup_epochs: int = field(2, "Protocol finetune: epochs of linear warm-up; a cosine follows.")
    label_smoothing: float = field(
        0.1, "Protocol finetune: share of each target that is spread over all classes."
    )
    dropout: float = field(0.3, "Protocol finetune: share of the features dropped in training.")
    clip_norm: float = field(
        1.0, "Protocol finetune: largest global norm of the gradient; 0: no clipping."
    )
    save_every: int = field(200, "Protocol finetune: steps between checkpoints.")
    log_every: int = field(10, "Protocol finetune: steps between records of the scalars.")

    def __post_init__(self) -> None:
        check_allowed(self)
        for name in ("epochs", "batch_size", "save_every", "log_every"):
            check_range(self, name, 1)
        for name in ("weight_decay", "warmup_epochs", "clip_norm"):
            check_range(self, name, 0)
        check_range(self, "freeze", 0, NUM_STAGES)
        check_range(self, "learning_rate", 0.0, open_low=True)
        check_range(self, "layer_decay", 0.0, 1.0, open_low=True)
        for name in ("label_smoothing", "dropout"):
            check_range(self, name, 0.0, 0.99)
        if self.from_scratch and self.freeze:
            raise ConfigError(f"--freeze={self.freeze}: fresh weights of --from_scratch must move")
