"""Which clips are trained on, and what is done to them."""

import dataclasses
import re

from actcl_tf.config.fields import ConfigError, check_allowed, check_range, field

INPUTS = ("records", "media")
CROPS = ("resized", "fixed")
AUGMENT_ON = ("auto", "host", "device")
ON_BAD_RECORD = ("fail", "skip")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which clips, which part of them, and how they are augmented."""

    data_dir: str = field("", "Folder of prepared data; empty: the built-in data set is made.")
    input: str = field(
        "records",
        "What --data_dir holds: records, prepared by tools/prepare_data.py; or media, the videos "
        "themselves, which are read through once to find their clips.",
        INPUTS,
    )
    num_workers: int = field(0, "--input=media: processes that decode videos; 0: one a core.")
    clip_timeout: float = field(
        120.0, "--input=media: seconds that a clip may take to decode; then its video is bad."
    )
    on_bad_record: str = field(
        "fail",
        "What to do with a training clip that cannot be read or decoded: fail (end the run and "
        "name it) or skip (leave it out, name and count it).",
        ON_BAD_RECORD,
    )
    train_split: str = field("train", "Split (subfolder of --data_dir) to train on.")
    eval_split: str = field("test", "Split to evaluate on; empty: no evaluation.")
    num_frames: int = field(16, "Frames of a training clip (T).")
    frame_stride: int = field(1, "Step between these frames, in stored frames.")
    image_size: int = field(112, "Height and width of the training crop, in pixels.")
    region: str = field(
        "0,0,1,1",
        "Part of the frames to look at: top,left,bottom,right as shares of height and width.",
    )
    shuffle_buffer: int = field(2048, "Raw records held by the shuffle buffer.")
    crop: str = field(
        "resized",
        "Training crop: resized (a window of any size and shape, resized to --image_size) or fixed "
        "(a window of --image_size pixels as stored; nothing is resized).",
        CROPS,
    )
    min_crop_area: float = field(
        0.4, "--crop=resized: smallest share of the frame that the crop covers."
    )
    flip: bool = field(True, "Mirror half of the clips from left to right.")
    data_service: str = field(
        "",
        "grpc://host:port of tools/data_service.py, which makes the training clips on other "
        "machines, in no repeatable order; empty: made here.",
    )
    data_service_job: str = field(
        "", "Trainers with the same name here share the clips; a new name for each start."
    )
    augment_on: str = field(
        "auto",
        "Where colours, blur, flips and noise are applied: host (the input pipeline), device "
        "(first thing in the training step, on all clips at once), or auto (on the device where "
        "it is a GPU or TPU). All give the same clips.",
        AUGMENT_ON,
    )
    color_jitter: float = field(0.5, "Strength of the colour jitter, 0 (none) to 1.")
    gray_probability: float = field(0.2, "Share of clips turned to grey.")
    blur_probability: float = field(0.2, "Share of clips blurred.")
    audio_gain_db: float = field(6.0, "Waveform gain is drawn from +- this many dB.")
    audio_noise: float = field(0.005, "Largest standard deviation of the noise added to audio.")
    time_mask: float = field(0.15, "Longest time mask, as a share of the spectrogram's frames.")
    frequency_mask: float = field(0.15, "Widest frequency mask, as a share of the mel bands.")

    def __post_init__(self) -> None:
        check_allowed(self)
        for name in ("num_frames", "frame_stride", "shuffle_buffer"):
            check_range(self, name, 1)
        check_range(self, "image_size", 16)
        check_range(self, "num_workers", 0)
        check_range(self, "clip_timeout", 0.0, open_low=True)
        _ = self.region_box  # Checked here, before any work.
        if self.data_service and not re.fullmatch(r"grpc://[^/\s]+:\d+", self.data_service):
            raise ConfigError(
                f"--data_service={self.data_service}: must be grpc://host:port, or empty"
            )
        check_range(self, "min_crop_area", 0.0, 1.0, open_low=True)
        for name in ("color_jitter", "gray_probability", "blur_probability"):
            check_range(self, name, 0.0, 1.0)
        for name in ("time_mask", "frequency_mask"):
            check_range(self, name, 0.0, 0.9)
        check_range(self, "audio_gain_db", 0.0)
        check_range(self, "audio_noise", 0.0, 1.0)

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
