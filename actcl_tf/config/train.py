"""How a run goes."""

import dataclasses

from actcl_tf.config.fields import SCHEDULES, ConfigError, check_allowed, check_range, field

OPTIMIZERS = ("adam", "adamw", "sgd", "lamb")
LOCAL_STRATEGIES = ("auto", "one_device", "mirrored")
STRATEGIES = (*LOCAL_STRATEGIES, "multi_worker", "tpu")
CLUSTERS = ("auto", "tf_config", "slurm")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, on what, and where to."""

    run_dir: str = field("runs/pretrain", "Folder of checkpoints, logs and results.")
    steps: int = field(1000, "Training steps.")
    batch_size: int = field(128, "Clips a step, over all replicas (M).")
    seed: int = field(0, "Seed of every random draw.")
    init_from: str = field(
        "",
        "Weights that the video encoder starts from: a file that torchvision publishes for its "
        "r3d_18, r2plus1d_18 or mc3_18 (needs torch); empty: random ones.",
    )
    strategy: str = field(
        "auto",
        "Where the model runs: on one device, on all GPUs of this machine (mirrored), on several "
        "machines (multi_worker) or on a TPU; auto: on what is there.",
        STRATEGIES,
    )
    cluster: str = field(
        "auto", "What names the machines of --strategy=multi_worker; auto: what is set.", CLUSTERS
    )
    tpu: str = field("", "Name or grpc:// address of the TPU of --strategy=tpu; empty: this host.")
    worker_timeout: float = field(
        60.0, "Seconds of silence of a worker of --strategy=multi_worker that end the others."
    )
    accumulate_steps: int = field(
        1,
        "Parts that each replica encodes its clips in, one after the other, to save memory; "
        "negatives, loss and optimizer are those of the whole batch.",
    )
    sync_batch_norm: bool = field(
        False, "Normalise by the statistics of all replicas' clips together."
    )
    shuffle_batch_norm: bool = field(
        False,
        "Make keys of clips that are shuffled among replicas, so that a query and its own key "
        "share no statistics.",
    )
    check_sync_every: int = field(
        500, "Steps between checks that all replicas hold the same values; 0: none."
    )
    steps_per_execution: int = field(
        1,
        "Steps that the device takes before Python is asked again: more than one suits TPUs and "
        "small models; steps between anything must be multiples.",
    )
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
    summary_every: int = field(
        300, "Steps between pictures and histograms in TensorBoard; 0: none."
    )
    profile_steps: str = field(
        "", "First and last step to profile for TensorBoard, such as 100,105; empty: none."
    )
    eval_every: int = field(0, "Steps between evaluations; 0: at the end only.")
    eval_initialised: bool = field(True, "Also measure the encoders before the first step.")
    eval_windows: int = field(
        2, "Windows of --num_frames spread over a held-out clip; their scores are averaged."
    )
    probe_pattern: str = field(
        "",
        "Regular expression on file names whose named groups are labels to probe, for recordings "
        "whose names say what is in them.",
    )
    quantities: str = field(
        "",
        "CSV file of numbers known of each clip: column path, and a column each, video/NAME or "
        "audio/NAME for one encoder. How well a regression reads them from the features is "
        "measured.",
    )

    def __post_init__(self) -> None:
        check_allowed(self)
        for name in ("steps", "batch_size", "save_every", "keep", "log_every"):
            check_range(self, name, 1)
        check_range(self, "eval_windows", 1, 100)
        for name in ("warmup_steps", "weight_decay", "clip_norm", "seed", "eval_every"):
            check_range(self, name, 0)
        for name in ("diagnostics_every", "summary_every", "check_sync_every"):
            check_range(self, name, 0)
        check_range(self, "accumulate_steps", 1)
        self._check_executions()
        self._check_batch_norm()
        check_range(self, "learning_rate", 0.0, open_low=True)
        check_range(self, "worker_timeout", 1.0)
        _ = self.profile_range  # Checked here, before any work.

    def _check_executions(self) -> None:
        check_range(self, "steps_per_execution", 1)
        for field_ in dataclasses.fields(self):
            every = getattr(self, field_.name)
            if field_.name.endswith("_every") and every % self.steps_per_execution:
                raise ConfigError(
                    f"--{field_.name}={every}: must be a multiple of --steps_per_execution="
                    f"{self.steps_per_execution}"
                )

    def _check_batch_norm(self) -> None:
        if self.batch_size % self.accumulate_steps:
            raise ConfigError(
                f"--accumulate_steps={self.accumulate_steps}: must divide --batch_size="
                f"{self.batch_size}"
            )
        if not self.sync_batch_norm:
            return
        if self.shuffle_batch_norm:
            raise ConfigError(
                "--shuffle_batch_norm: changes nothing with --sync_batch_norm; choose one of them"
            )
        if self.accumulate_steps > 1:
            raise ConfigError(
                f"--sync_batch_norm: with --accumulate_steps={self.accumulate_steps}, each part is "
                "normalised by itself; choose one of them"
            )

    @property
    def profile_range(self) -> tuple[int, int] | None:
        """`profile_steps` as numbers; None for none."""
        if not self.profile_steps:
            return None
        try:
            first, last = (int(part) for part in self.profile_steps.split(","))
        except ValueError:
            first, last = 0, -1
        if not 1 <= first <= last <= self.steps:
            raise ConfigError(
                f"--profile_steps={self.profile_steps}: must be two steps, first <= last, from 1 "
                f"to --steps={self.steps}, such as 100,105"
            )
        return first, last
