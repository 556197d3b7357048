"""How encoders are measured."""

import dataclasses
import math

from actcl_tf.config.fields import ConfigError, check_allowed, check_range, field

PROTOCOLS = ("linear", "svm", "knn", "retrieval", "finetune")
MODALITIES = ("video", "audio", "both", "late_fusion")
PREPROCESSINGS = ("none", "l2", "standardise")
WINDOWS = ("scores", "mean", "concatenate")
SHORT_CLIPS = ("refuse", "loop")
BASELINES = ("initialised", "random", "log_mel")


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, by which protocol, on which clips."""

    protocol: str = field(
        "linear",
        "How encoders are measured: linear (logistic regression on frozen features), svm (one "
        "linear support vector machine a class), knn (vote of the nearest training clips), "
        "retrieval (test clips search training clips of their class, and audio and video each "
        "other), finetune (the whole encoder is trained).",
        PROTOCOLS,
    )
    modality: tuple[str, ...] = field(
        (),
        "What of the clips is measured: video, audio, both (side by side: features joined, or "
        "trained jointly) and late_fusion (the mean of their scores); empty: what the data has.",
        MODALITIES,
        items=str,
    )
    preprocessing: str = field(
        "standardise",
        "What is done to features: none, l2 (length 1) or standardise (mean 0 and deviation 1 on "
        "the training clips).",
        PREPROCESSINGS,
    )
    clips: int = field(10, "Windows spread evenly over each clip, the first to the last possible.")
    crops: int = field(
        1, "Crops of each window's video: 1 (the central square) or 3 (both ends too)."
    )
    windows: str = field(
        "scores",
        "What becomes of the windows: scores (each is classified, and a clip's scores averaged; "
        "retrieval takes the mean), mean (features are averaged) or concatenate (features are "
        "joined in order, for labels that have their place in time).",
        WINDOWS,
    )
    short_clips: str = field(
        "refuse",
        "What becomes of clips shorter than a window: refuse (an error) or loop (they are repeated "
        "from their start until they fill it).",
        SHORT_CLIPS,
    )
    audio_window: float = field(
        0.0, "Seconds of a window where audio is measured alone; 0: as in pretraining."
    )
    baselines: tuple[str, ...] = field(
        (),
        "What to measure beside the trained encoders: initialised (the same before training), "
        "random (numbers that know nothing), log_mel (mean and deviation of each band of the "
        "spectrogram).",
        BASELINES,
        items=str,
    )
    label_pattern: str = field(
        "",
        "Regular expression on file names whose named groups are the labels to predict; empty: "
        "the labels of the data.",
    )
    train_split: str = field("train", "Split to learn from; all if there are folds in it.")
    test_split: str = field("test", "Split to measure on.")
    folds: tuple[int, ...] = field(
        (), "Which folds of data prepared with --fold=all, from 1; empty: each of them.", items=int
    )
    train_fraction: tuple[float, ...] = field(
        (), "Shares of the training videos of each class to learn from, one row each.", items=float
    )
    shots: tuple[int, ...] = field(
        (), "Numbers of training videos of each class to learn from, one row each.", items=int
    )
    draws: int = field(5, "How often --train_fraction and --shots are drawn.")
    seed: int = field(0, "Seed of all draws of the evaluation.")
    encoding_batch_size: int = field(16, "Clips that are encoded at a time.")
    neighbours: int = field(6, "Test clips whose nearest neighbours the report shows.")

    def __post_init__(self) -> None:
        check_allowed(self)
        for name, low, high in (
            ("clips", 1, 1000),
            ("audio_window", 0, math.inf),
            ("draws", 1, 1000),
            ("seed", 0, 2**31 - 1),
            ("encoding_batch_size", 1, math.inf),
            ("neighbours", 0, 100),
        ):
            check_range(self, name, low, high)
        if self.crops not in (1, 3):
            raise ConfigError(f"--crops={self.crops}: must be 1 or 3")
        for name in ("modality", "baselines", "folds", "train_fraction", "shots"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                shown = ",".join(map(str, values))
                raise ConfigError(f"--{name}={shown}: must not name anything twice")
        for value in self.train_fraction:
            if not 0 < value <= 1:
                raise ConfigError(f"--train_fraction={value}: must be greater than 0 and at most 1")
        for name in ("shots", "folds"):
            for value in getattr(self, name):
                if value < 1:
                    raise ConfigError(f"--{name}={value}: must be at least 1")
        if self.train_split == self.test_split:
            raise ConfigError(
                f"--test_split={self.test_split}: must not be the split to learn from"
            )
        self._check_protocol()

    def _check_protocol(self) -> None:
        if self.protocol == "retrieval":
            for name in ("train_fraction", "shots"):
                if getattr(self, name):
                    raise ConfigError(f"--{name}: has no meaning with --protocol=retrieval")
            if "late_fusion" in self.modality:
                raise ConfigError(
                    "--modality=late_fusion: has no meaning with --protocol=retrieval"
                )
        if self.protocol == "finetune" and self.baselines:
            raise ConfigError(
                f"--baselines={','.join(self.baselines)}: are features, and --protocol=finetune "
                "has none; compare with a run of --from_scratch"
            )
