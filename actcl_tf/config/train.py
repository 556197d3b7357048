"""How a run goes."""

import dataclasses

from actcl_tf.config.fields import SCHEDULES, check_allowed, check_range, field

OPTIMIZERS = ("adam", "adamw", "sgd", "lamb")
STRATEGIES = ("auto", "one_device", "mirrored")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, on what, and where to."""

    run_dir: str = field("runs/pretrain", "Folder of checkpoints, logs and results.")
    steps: int = field(1000, "Training steps.")
    batch_size: int = field(128, "Clips a step, over all replicas (M).")
    seed: int = field(0, "Seed of every random draw.")
    strategy: str = field("auto", "Distribution strategy.", STRATEGIES)
    precision: str = field("auto", "Precision of the encoders' arithmetic.", PRECISIONS)
    deterministic: bool = field(False, "Bit-for-bit repeatable, somewhat slower.")
    optimizer: str = field("adam", "Optimizer.", OPTIMIZERS)
    learning_rate: float = field(1e-3, "Peak learning rate.")
    learning_rate_schedule: str = field("cosine", "Course after warm-up.", SCHEDULES)
    warmup_steps: int = field(500, "Steps of linear warm-up.")
    weight_decay: float = field(1e-5, "Weight decay; none on norms and biases.")
    clip_norm: float = field(0.0, "Largest global norm of the gradient; 0: no clipping.")
    save_every: int = field(500, "Steps between checkpoints.")
    keep: int = field(3, "Checkpoints kept, besides the best.")
    log_every: int = field(20, "Steps between records of the scalars.")
    diagnostics_every: int = field(
        100, "Steps between figures of what the dictionaries are like; 0: none."
    )
    summary_every: int = field(300, "Steps between pictures and histograms in TensorBoard.")
    eval_every: int = field(0, "Steps between evaluations; 0: at the end only.")
    eval_windows: int = field(
        2, "Windows of --num_frames spread over a held-out clip; their scores are averaged."
    )
    probe_pattern: str = field(
        "",
        "Regular expression on file names whose named groups are labels to probe, for recordings "
        "whose names say what is in them.",
    )

    def __post_init__(self) -> None:
        check_allowed(self)
        for name in ("steps", "batch_size", "save_every", "keep", "log_every", "summary_every"):
            check_range(self, name, 1)
        check_range(self, "eval_windows", 1, 100)
        for name in ("warmup_steps", "weight_decay", "clip_norm", "seed", "eval_every"):
            check_range(self, name, 0)
        check_range(self, "diagnostics_every", 0)
        check_range(self, "learning_rate", 0.0, open_low=True)
