"""The two towers: frontend, backbone and projection head for video and for audio."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import audio_encoders, frontends, heads, video_encoders


class TowerOutput(NamedTuple):
    """What a tower gives for a batch.

    Attributes:
      features: [B, d_b] float32, output of the backbone: what an application uses.
      hidden: [B, d] float32, input of the last linear layer (h of the sampler).
      embedding: [B, D] float32, unit vectors: queries or keys.
    """

    features: tf.Tensor
    hidden: tf.Tensor
    embedding: tf.Tensor


class Tower(tf.keras.Model):
    """Raw input -> frontend -> backbone -> head.

    Attributes:
      frontend: raw input to what the backbone takes; no weights.
      backbone: the encoder that is kept after pretraining.
      head: `heads.ProjectionHead`.
    """

    def __init__(
        self,
        frontend: tf.keras.layers.Layer,
        backbone: tf.keras.Model,
        head: heads.ProjectionHead,
        name: str,
    ) -> None:
        # float32 by name: under a mixed policy Keras would cast a waveform to half precision on
        # its way in. Backbones follow the global policy, frontends and heads know better.
        super().__init__(name=name, dtype="float32")
        self.frontend = frontend
        self.backbone = backbone
        self.head = head

    # AutoGraph has nothing to convert in our layers, and seconds to look for it.
    @tf.autograph.experimental.do_not_convert
    def call(
        self,
        inputs: tf.Tensor,
        seeds: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> TowerOutput:
        """Encodes a batch.

        Args:
          inputs: uint8 [B, T, H, W, 3] frames, or float32 [B, S] waveforms in [-1, 1].
          seeds: int32 [B, 2], one stateless seed a clip, for the masks on spectrograms; None: no
            masks.
          training: whether to mask, and to use the statistics of the batch in normalisations.

        Returns:
          TowerOutput of float32 tensors, whatever the precision of the backbone.
        """
        encoded = self.backbone(
            self.frontend(inputs, seeds=seeds, training=training), training=training
        )
        projected = self.head(encoded, training=training)
        return TowerOutput(features=encoded, hidden=projected.hidden, embedding=projected.embedding)


def build_towers(
    model: config.ModelConfig,
    data: config.DataConfig,
    *,
    sample_rate: int,
    num_audio_samples: int,
) -> tuple[Tower, Tower]:
    """Builds both towers with their weights, in the precision of the global Keras policy.

    Two calls with the same arguments give towers whose weights stand in the same order.

    Args:
      model: which encoders and heads.
      data: size of the clips, and the masks of the audio frontend.
      sample_rate: of the waveforms, in Hz.
      num_audio_samples: S, samples of a training clip's waveform.

    Returns:
      (video tower, audio tower). Clips of another length or size can be given to them later.
    """
    video = Tower(
        frontends.VideoFrontend(),
        video_encoders.build_video_encoder(
            model.video_encoder, model.video_width, model.video_strides
        ),
        heads.ProjectionHead(model.head, model.hidden_size, model.embedding_size),
        name="video_tower",
    )
    audio = Tower(
        frontends.AudioFrontend(sample_rate, model.mel_bands, data.time_mask, data.frequency_mask),
        audio_encoders.build_audio_encoder(model.audio_encoder, model.audio_width),
        heads.ProjectionHead(model.head, model.hidden_size, model.embedding_size),
        name="audio_tower",
    )
    # Symbolic calls make the weights without any arithmetic.
    size = data.image_size
    video(tf.keras.Input([data.num_frames, size, size, 3], dtype=tf.uint8))
    audio(tf.keras.Input([num_audio_samples], dtype=tf.float32))
    return video, audio
