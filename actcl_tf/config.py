"""The configuration of a run: frozen dataclasses, checked before any work starts.

Each field is one flag of `tools/train.py`, with the same name; its help text is in the field's
metadata, so that a flag, its default and its meaning are written down once, here.
"""

import dataclasses
import json
import re
from typing import Any, Optional

VIDEO_ENCODERS = (
    "resnet3d_10",
    "resnet3d_18",
    "resnet3d_34",
    "resnet3d_50",
    "r2plus1d_18",
    "r2plus1d_34",
    "mc3_18",
)
AUDIO_ENCODERS = ("resnet2d_10", "resnet2d_18", "resnet2d_34", "resnet2d_50", "resnet1d_18")
HEADS = ("linear", "mlp")
NEGATIVES = ("active", "random", "hardest", "moco", "in_batch")
SAMPLED_NEGATIVES = ("active", "random", "hardest")
CONTRASTS = ("cross_modal", "within_modal", "joint")
POOLS = ("stream", "epoch")
GRADIENT_SPACES = ("last_layer", "embedding")
GRADIENT_ENCODERS = ("key", "query")
SEEDINGS = ("blocked", "plain", "greedy", "afkmc2", "two_level")
FIRST_PICKS = ("uniform", "largest_norm")
KEY_STATISTICS = ("batch", "moving")
CROPS = ("resized", "fixed")
AUGMENT_ON = ("host", "device")
OPTIMIZERS = ("adam", "adamw", "sgd", "lamb")
SCHEDULES = ("constant", "cosine")
STRATEGIES = ("auto", "one_device", "mirrored")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


class ConfigError(ValueError):
    """A wrong flag value; the message names the flag, the value and what is allowed."""


def _field(default: Any, help_text: str, allowed: Optional[tuple] = None) -> Any:
    metadata = {"help": help_text}
    if allowed is not None:
        metadata["allowed"] = allowed
    return dataclasses.field(default=default, metadata=metadata)


def _check_allowed(section: Any) -> None:
    """Checks every field that has a list of allowed values."""
    for field in dataclasses.fields(section):
        allowed = field.metadata.get("allowed")
        value = getattr(section, field.name)
        if allowed and value not in allowed:
            raise ConfigError(f"--{field.name}={value}: must be one of {', '.join(allowed)}")


def _check_range(
    section: Any, name: str, low: float, high: float = float("inf"), *, open_low: bool = False
) -> None:
    """Checks low <= value <= high (or low < value)."""
    value = getattr(section, name)
    if not (low <= value <= high) or (open_low and value == low):
        lower = f"greater than {low}" if open_low else f"at least {low}"
        upper = "" if high == float("inf") else f" and at most {high}"
        raise ConfigError(f"--{name}={value}: must be {lower}{upper}")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which clips, which part of them, and how they are augmented."""

    data_dir: str = _field("", "Folder of prepared data; empty: the built-in data set is made.")
    train_split: str = _field("train", "Split (subfolder of --data_dir) to train on.")
    eval_split: str = _field("test", "Split to evaluate on; empty: no evaluation.")
    num_frames: int = _field(16, "Frames of a training clip (T).")
    frame_stride: int = _field(1, "Step between these frames, in stored frames.")
    image_size: int = _field(112, "Height and width of the training crop, in pixels.")
    region: str = _field(
        "0,0,1,1",
        "Part of the frames to look at: top,left,bottom,right as shares of height and width.",
    )
    shuffle_buffer: int = _field(2048, "Raw records held by the shuffle buffer.")
    crop: str = _field(
        "resized",
        "Training crop: resized (a window of any size and shape, resized to --image_size) or fixed "
        "(a window of --image_size pixels as stored; nothing is resized).",
        CROPS,
    )
    min_crop_area: float = _field(
        0.4, "--crop=resized: smallest share of the frame that the crop covers."
    )
    flip: bool = _field(True, "Mirror half of the clips from left to right.")
    data_service: str = _field(
        "",
        "grpc://host:port of tools/data_service.py, which makes the training clips on other "
        "machines, in no repeatable order; empty: made here.",
    )
    data_service_job: str = _field(
        "", "Trainers with the same name here share the clips; a new name for each start."
    )
    augment_on: str = _field(
        "host",
        "Where colours, blur, flips and noise are applied: host (the input pipeline) or device "
        "(first thing in the training step, on all clips at once). Both give the same clips.",
        AUGMENT_ON,
    )
    color_jitter: float = _field(0.5, "Strength of the colour jitter, 0 (none) to 1.")
    gray_probability: float = _field(0.2, "Share of clips turned to grey.")
    blur_probability: float = _field(0.2, "Share of clips blurred.")
    audio_gain_db: float = _field(6.0, "Waveform gain is drawn from +- this many dB.")
    audio_noise: float = _field(0.005, "Largest standard deviation of the noise added to sound.")
    time_mask: float = _field(0.15, "Longest time mask, as a share of the spectrogram's frames.")
    frequency_mask: float = _field(0.15, "Widest frequency mask, as a share of the mel bands.")

    def __post_init__(self) -> None:
        _check_allowed(self)
        for name in ("num_frames", "frame_stride", "shuffle_buffer"):
            _check_range(self, name, 1)
        _check_range(self, "image_size", 16)
        _ = self.region_box  # Checked here, before any work.
        if self.data_service and not re.fullmatch(r"grpc://[^/\s]+:\d+", self.data_service):
            raise ConfigError(
                f"--data_service={self.data_service}: must be grpc://host:port, or empty"
            )
        _check_range(self, "min_crop_area", 0.0, 1.0, open_low=True)
        for name in ("color_jitter", "gray_probability", "blur_probability"):
            _check_range(self, name, 0.0, 1.0)
        for name in ("time_mask", "frequency_mask"):
            _check_range(self, name, 0.0, 0.9)
        _check_range(self, "audio_gain_db", 0.0)
        _check_range(self, "audio_noise", 0.0, 1.0)

    @property
    def region_box(self) -> tuple[float, float, float, float]:
        """`region` as numbers: top, left, bottom, right, shares of the frame's height and width."""
        try:
            top, left, bottom, right = (float(part) for part in self.region.split(","))
        except ValueError:
            top = left = bottom = right = -1.0
        if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
            raise ConfigError(
                f"--region={self.region}: must be four numbers top,left,bottom,right with "
                "0 <= top < bottom <= 1 and 0 <= left < right <= 1"
            )
        return top, left, bottom, right


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The two towers: frontend, backbone and projection head each."""

    video_encoder: str = _field("resnet3d_18", "Video backbone.", VIDEO_ENCODERS)
    video_width: float = _field(1.0, "Multiplier of the video backbone's channels.")
    audio_encoder: str = _field("resnet2d_18", "Audio backbone.", AUDIO_ENCODERS)
    audio_width: float = _field(1.0, "Multiplier of the audio backbone's channels.")
    mel_bands: int = _field(80, "Bands of the log-mel spectrogram (R).")
    head: str = _field("mlp", "Projection head.", HEADS)
    hidden_size: int = _field(512, "Width of the MLP head's hidden layer (d).")
    embedding_size: int = _field(128, "Size of keys and queries (D).")

    def __post_init__(self) -> None:
        _check_allowed(self)
        for name in ("video_width", "audio_width"):
            _check_range(self, name, 0.0, 8.0, open_low=True)
        _check_range(self, "mel_bands", 8, 512)
        _check_range(self, "hidden_size", 1)
        _check_range(self, "embedding_size", 2)


@dataclasses.dataclass(frozen=True)
class ContrastConfig:
    """Where the negatives come from and what is contrasted with what."""

    negatives: str = _field("active", "How negatives are chosen.", NEGATIVES)
    contrast: str = _field("cross_modal", "What is contrasted with what.", CONTRASTS)
    pool: str = _field(
        "stream", "Candidates: the last keys seen, or random clips redrawn each epoch.", POOLS
    )
    dictionary_size: int = _field(3840, "Keys in each dictionary (K).")
    pool_size: int = _field(38400, "Candidate keys in each pool (N).")
    temperature: float = _field(0.7, "Temperature of the softmax (tau).")
    key_momentum: float = _field(0.999, "Momentum of the key encoders (m).")
    key_momentum_schedule: str = _field(
        "constant", "constant, or cosine: from --key_momentum to 1 over the run.", SCHEDULES
    )
    key_statistics: str = _field(
        "batch",
        "Statistics of the key encoders' batch normalisation: of the batch, or moving averages "
        "that follow by momentum. In small batches a query and its key would know each "
        "other by the batch they share: use moving, or larger batches.",
        KEY_STATISTICS,
    )
    gradient_space: str = _field(
        "last_layer", "Gradient embedding: of the last layer, or of its output.", GRADIENT_SPACES
    )
    gradient_encoder: str = _field(
        "key", "Whose last layer the candidates are seen through.", GRADIENT_ENCODERS
    )

    seeding: str = _field(
        "blocked",
        "How active sampling seeds: exactly (blocked; plain is the same law, slowly), with local "
        "trials (greedy), by Markov chains (afkmc2), or on parts of the pool (two_level).",
        SEEDINGS,
    )
    first_pick: str = _field(
        "uniform", "First pick of active sampling: any candidate, or the longest.", FIRST_PICKS
    )
    chain_length: int = _field(200, "Steps of each Markov chain of --seeding=afkmc2.")
    seeding_shards: int = _field(8, "Parts of the pool for --seeding=two_level.")

    def __post_init__(self) -> None:
        _check_allowed(self)
        _check_range(self, "dictionary_size", 1)
        _check_range(self, "pool_size", 1)
        _check_range(self, "chain_length", 1)
        parts = self.pool_size if self.seeding == "two_level" else float("inf")
        _check_range(self, "seeding_shards", 1, parts)
        _check_range(self, "temperature", 0.0, open_low=True)
        _check_range(self, "key_momentum", 0.0, 1.0)

    @property
    def uses_dictionary(self) -> bool:
        """Whether negatives are kept from one step to the next."""
        return self.negatives != "in_batch"

    @property
    def uses_pool(self) -> bool:
        """Whether negatives are picked out of a pool of candidates."""
        return self.negatives in SAMPLED_NEGATIVES

    @property
    def num_views(self) -> int:
        """Augmented views of each clip that a step needs: 1 or 2."""
        return 1 if self.contrast == "cross_modal" else 2


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, on what, and where to."""

    run_dir: str = _field("runs/pretrain", "Folder of checkpoints, logs and results.")
    steps: int = _field(1000, "Training steps.")
    batch_size: int = _field(128, "Clips a step, over all replicas (M).")
    seed: int = _field(0, "Seed of every random draw.")
    strategy: str = _field("auto", "Distribution strategy.", STRATEGIES)
    precision: str = _field("auto", "Precision of the encoders' arithmetic.", PRECISIONS)
    deterministic: bool = _field(False, "Bit-for-bit repeatable, somewhat slower.")
    optimizer: str = _field("adam", "Optimizer.", OPTIMIZERS)
    learning_rate: float = _field(1e-3, "Peak learning rate.")
    learning_rate_schedule: str = _field("cosine", "Course after warm-up.", SCHEDULES)
    warmup_steps: int = _field(500, "Steps of linear warm-up.")
    weight_decay: float = _field(1e-5, "Weight decay; none on norms and biases.")
    clip_norm: float = _field(0.0, "Largest global norm of the gradient; 0: no clipping.")
    save_every: int = _field(500, "Steps between checkpoints.")
    keep: int = _field(3, "Checkpoints kept, besides the best.")
    log_every: int = _field(20, "Steps between records of the scalars.")
    diagnostics_every: int = _field(
        100, "Steps between figures of what the dictionaries are like; 0: none."
    )
    summary_every: int = _field(300, "Steps between pictures and histograms in TensorBoard.")
    eval_every: int = _field(0, "Steps between evaluations; 0: at the end only.")
    eval_windows: int = _field(
        2, "Windows of --num_frames spread over a held-out clip; their scores are averaged."
    )
    probe_pattern: str = _field(
        "",
        "Regular expression on file names whose named groups are labels to probe, for recordings "
        "whose names say what is in them.",
    )

    def __post_init__(self) -> None:
        _check_allowed(self)
        for name in ("steps", "batch_size", "save_every", "keep", "log_every", "summary_every"):
            _check_range(self, name, 1)
        _check_range(self, "eval_windows", 1, 100)
        for name in ("warmup_steps", "weight_decay", "clip_norm", "seed", "eval_every"):
            _check_range(self, name, 0)
        _check_range(self, "diagnostics_every", 0)
        _check_range(self, "learning_rate", 0.0, open_low=True)


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """A whole run; contradictions between the sections are found here."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    contrast: ContrastConfig = dataclasses.field(default_factory=ContrastConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        batch, contrast = self.train.batch_size, self.contrast
        if self.data.data_service and self.train.deterministic:
            raise ConfigError(
                "--deterministic=True: clips of a --data_service come in no repeatable order; use "
                "one of the two"
            )
        if contrast.uses_dictionary and contrast.dictionary_size < batch:
            raise ConfigError(
                f"--dictionary_size={contrast.dictionary_size}: must be at least "
                f"--batch_size={batch}, so that the keys of one step fit"
            )
        if contrast.uses_pool and contrast.pool_size < contrast.dictionary_size + batch:
            raise ConfigError(
                f"--dictionary_size={contrast.dictionary_size}: larger than --pool_size="
                f"{contrast.pool_size} can fill; the pool must hold at least dictionary_size + "
                f"batch_size = {contrast.dictionary_size + batch} keys"
            )
        if contrast.negatives == "in_batch" and batch < 2:
            raise ConfigError("--batch_size=1: --negatives=in_batch needs at least 2 clips a step")

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The sections and their values, ready for JSON."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """The configuration as indented JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


SECTIONS = {
    "data": DataConfig,
    "model": ModelConfig,
    "contrast": ContrastConfig,
    "train": TrainConfig,
}


def from_flat(values: dict[str, Any]) -> PretrainConfig:
    """Builds a configuration from flag names and values.

    Args:
      values: field name to value, over all sections; missing fields take their defaults.

    Raises:
      ConfigError: a value is not allowed, values contradict, or a name is no field.
    """
    known = {field.name for cls in SECTIONS.values() for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"no such setting: {', '.join(unknown)}")
    sections = {}
    for name, cls in SECTIONS.items():
        names = [field.name for field in dataclasses.fields(cls)]
        sections[name] = cls(**{key: values[key] for key in names if key in values})
    return PretrainConfig(**sections)


def from_dict(sections: dict[str, dict[str, Any]]) -> PretrainConfig:
    """Builds a configuration from what `PretrainConfig.to_dict` gave."""
    return from_flat({key: value for part in sections.values() for key, value in part.items()})
