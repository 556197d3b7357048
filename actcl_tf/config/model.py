"""The two towers."""

import dataclasses

from actcl_tf.config.fields import ConfigError, check_allowed, check_range, field

VIDEO_ENCODERS = (
    "resnet3d_6",
    "resnet3d_10",
    "resnet3d_18",
    "resnet3d_34",
    "resnet3d_50",
    "r2plus1d_18",
    "r2plus1d_34",
    "mc3_18",
)
# Those whose stem ends in a pooling, of stride 2 in time, height and width.
POOLED_VIDEO_ENCODERS = ("resnet3d_50",)
# Those that torchvision publishes weights for, and what it calls them.
PUBLISHED_VIDEO_ENCODERS = {
    "resnet3d_18": "r3d_18",
    "r2plus1d_18": "r2plus1d_18",
    "mc3_18": "mc3_18",
}
VIDEO_STRIDES = ("published", "early")
AUDIO_ENCODERS = (
    "resnet2d_6",
    "resnet2d_10",
    "resnet2d_18",
    "resnet2d_34",
    "resnet2d_50",
    "resnet1d_18",
)
HEADS = ("linear", "mlp")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The two towers: frontend, backbone and projection head each."""

    video_encoder: str = field("resnet3d_18", "Video backbone.", VIDEO_ENCODERS)
    video_width: float = field(1.0, "Multiplier of the video backbone's channels.")
    video_strides: str = field(
        "published",
        "Strides of the video backbone. early: the first layer halves height and width once more, "
        "and time instead of the stages, so that all later layers cost a fraction.",
        VIDEO_STRIDES,
    )
    audio_encoder: str = field("resnet2d_18", "Audio backbone.", AUDIO_ENCODERS)
    audio_width: float = field(1.0, "Multiplier of the audio backbone's channels.")
    mel_bands: int = field(80, "Bands of the log-mel spectrogram (R).")
    head: str = field("mlp", "Projection head.", HEADS)
    hidden_size: int = field(512, "Width of the MLP head's hidden layer (d).")
    embedding_size: int = field(128, "Size of keys and queries (D).")

    def __post_init__(self) -> None:
        check_allowed(self)
        if self.video_strides == "early" and self.video_encoder in POOLED_VIDEO_ENCODERS:
            raise ConfigError(
                f"--video_strides=early: the stem of --video_encoder={self.video_encoder} ends in "
                "a pooling of the same strides; leave it at published"
            )
        for name in ("video_width", "audio_width"):
            check_range(self, name, 0.0, 8.0, open_low=True)
        check_range(self, "mel_bands", 8, 512)
        check_range(self, "hidden_size", 1)
        check_range(self, "embedding_size", 2)
