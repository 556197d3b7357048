"""How clips are stored, and who does the work: the settings of a preparation."""

import dataclasses
import re

from actcl_tf import config
from actcl_tf.data.media import clip_filters
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.read_options import ReadOptions

RUNNERS = ("local", "dask", "beam")


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """How clips are stored; each field with a help text is one flag of `tools/prepare_data.py`.

    Attributes:
      is_index: whether only is stored where the clips are in their videos.
    """

    frame_rate: float = config.field(12.5, "Frames a second of the stored clips.")
    sample_rate: int = config.field(16000, "Samples a second of the stored audio, mono.")
    short_side: int = config.field(
        128, "Short side of the frames, pixels; smaller videos keep theirs."
    )
    clip_seconds: float = config.field(
        10.0, "Length of a clip; longer videos are cut into several."
    )
    min_seconds: float = config.field(1.0, "Shortest clip that is kept.")
    jpeg_quality: int = config.field(90, "Quality of the JPEG frames, 1 to 95.")
    streams: str = config.field(
        "auto",
        "What a clip must have and keeps: both (video and audio), video (the video alone) or "
        "audio (the audio alone). auto: what the data set is used for; both for videos of one's "
        "own, video for ucf101 and hmdb51, audio for esc50.",
    )
    filters: str = config.field(
        "silent",
        "What is left out besides what cannot be used, separated by commas: "
        + "; ".join(f"{name} ({text})" for name, text in clip_filters.FILTERS.items())
        + ". Empty for none.",
    )
    silence_db: float = config.field(
        -50.0,
        "--filters=silent leaves a clip out if even its loudest 0.1 s is quieter than this (RMS, "
        "dB below full scale). Digital silence, a peak below -80 dB, is always left out.",
    )
    clips_per_shard: int = config.field(
        128, "Videos, or lines of the list, per shard; long videos give more clips each."
    )
    seed: int = config.field(0, "Seed of the order of the clips and of the draw of the test split.")
    is_index: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frame_rate", 0.1, 240),
            ("sample_rate", 1000, 192000),
            ("short_side", 16, 4096),
            ("clip_seconds", 0.04, 3600),
            ("min_seconds", 0.04, 3600),
            ("jpeg_quality", 1, 95),
            ("silence_db", -120, 0),
            ("clips_per_shard", 1, 10**6),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise config.ConfigError(f"--{name}={value}: must be in [{low}, {high}]")
        if self.min_seconds > self.clip_seconds:
            raise config.ConfigError(
                f"--min_seconds={self.min_seconds}: must be at most --clip_seconds="
                f"{self.clip_seconds}"
            )
        allowed = ("auto", *media.STREAMS)
        if self.streams not in allowed:
            raise config.ConfigError(
                f"--streams={self.streams}: must be one of {', '.join(allowed)}"
            )
        for name in self.filter_names:
            if name not in clip_filters.FILTERS:
                raise config.ConfigError(
                    f"--filters={self.filters}: must be some of {', '.join(clip_filters.FILTERS)}, "
                    "separated by commas"
                )
            if self.is_index and name != "silent":
                raise config.ConfigError(
                    f"--filters={self.filters}: needs prepared records; only silent goes without"
                )

    @property
    def filter_names(self) -> tuple[str, ...]:
        """The filters, one by one."""
        return tuple(name.strip() for name in self.filters.split(",") if name.strip())

    @property
    def read_options(self) -> ReadOptions:
        """What the decoder is to do with every video."""
        return ReadOptions(
            frame_rate=self.frame_rate,
            sample_rate=self.sample_rate,
            short_side=self.short_side,
            jpeg_quality=None if self.is_index else self.jpeg_quality,
            clip_seconds=self.clip_seconds,
            min_seconds=self.min_seconds,
            silence_db=self.silence_db if "silent" in self.filter_names else None,
            streams=self.streams,
            filters=self.filter_names,
        )


@dataclasses.dataclass(frozen=True)
class Execution:
    """Who does the work, and when it is given up; nothing of this changes what comes out.

    Each field with a help text is one flag of `tools/prepare_data.py`.

    Attributes:
      pipeline_args: Beam's own options.
      progress: whether to show a progress bar.
    """

    runner: str = config.field(
        "local",
        "Who does the work: local, processes of this machine; dask, a Dask cluster; or beam, "
        "Apache Beam, whose own options follow after --.",
    )
    num_workers: int = config.field(0, "Local processes; 0: one a core.")
    dask_scheduler: str = config.field(
        "",
        "With --runner=dask: address of the cluster's scheduler, such as tcp://HOST:8786. Empty: "
        "a cluster of --num_workers processes of this machine.",
    )
    clip_timeout: float = config.field(
        120.0, "Seconds that a clip may take; then its video is given up and counted."
    )
    max_failures: str = config.field(
        "",
        "How much may be left out, for any reason: 12 (videos and spans), or 5% of the videos. "
        "Beyond, the work stops with exit status 3. Empty: any number.",
    )
    pipeline_args: tuple[str, ...] = ()
    progress: bool = True

    def __post_init__(self) -> None:
        if self.runner not in RUNNERS:
            raise config.ConfigError(f"--runner={self.runner}: must be one of {', '.join(RUNNERS)}")
        if self.num_workers < 0:
            raise config.ConfigError(f"--num_workers={self.num_workers}: must be at least 0")
        if self.dask_scheduler and self.runner != "dask":
            raise config.ConfigError(f"--dask_scheduler={self.dask_scheduler}: needs --runner=dask")
        if self.dask_scheduler and not re.fullmatch(r"\w+://.+:\d+/?", self.dask_scheduler):
            raise config.ConfigError(
                f"--dask_scheduler={self.dask_scheduler}: must be an address such as "
                "tcp://HOST:8786"
            )
        if not self.clip_timeout > 0:
            raise config.ConfigError(f"--clip_timeout={self.clip_timeout}: must be above 0")
        if self.pipeline_args and self.runner != "beam":
            raise config.ConfigError(
                f"{self.pipeline_args[0]}: Beam's options, after --, need --runner=beam"
            )
        self.failure_limit(0)

    def failure_limit(self, num_videos: int) -> float | None:
        """The largest number of failures that will do among so many videos; None: any."""
        if not self.max_failures:
            return None
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", self.max_failures)
        if match is None or float(match[2] or 0) > 100:
            raise config.ConfigError(
                f"--max_failures={self.max_failures}: must be a number such as 12, or a share of "
                "the videos such as 5%"
            )
        return float(match[1]) if match[1] else float(match[2]) / 100 * num_videos
