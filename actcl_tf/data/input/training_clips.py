"""One training clip, in the phases PARSE, SAMPLE, DECODE and AUGMENT.

Sampling comes before decoding, so that only what is used is decoded; every draw is a function of
(seed, stream, epoch, clip id).
"""

import dataclasses
import functools

import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sampling, clip_sources, clip_spec, slots
from actcl_tf.data.input.transforms import (
    audio_ops,
    batch_augmentation,
    video_augmentation,
    video_ops,
)
from actcl_tf.data.records import clip_order, records, shards

Clip = dict[str, tf.Tensor]
# Streams of random draws have nothing to do with each other; this one is of training itself.
TRAIN_STREAM = 0
_PREFIXES = ("", "key_")  # Of the names of what each view gives.


@dataclasses.dataclass(frozen=True)
class TrainingClips:
    """Makes training clips of records.

    Attributes:
      config: data section of the configuration.
      source: where frames and audio come from.
      spec: how much of a clip is used.
      seed: of the run.
      views: 1, or 2 for a second augmentation of the same span.
    """

    config: DataConfig
    source: clip_sources.Source
    spec: clip_spec.ClipSpec
    seed: int
    views: int = 1

    # AutoGraph has nothing to convert here, and seconds to look for it.
    @tf.autograph.experimental.do_not_convert
    def __call__(
        self, epoch: tf.Tensor, record: tf.Tensor, stream: int | tf.Tensor = TRAIN_STREAM
    ) -> Clip:
        """A training clip: all phases.

        Args:
          epoch: [] int64.
          record: [] string.
          stream: [] int64; streams of different numbers have unrelated draws.

        Returns:
          `clip_id` and `label` [] int64; `seed` [2] int32; for each view, the second one with the
          prefix `key_`: `video` [T, H, W, 3] uint8 and `audio` [S] float32, as far as the span has
          them, and with --augment_on=device `augmentation_seeds` [2, 2] int32.
        """
        return self.augment(self.decode(self.sample(epoch, record, stream)))

    @functools.cached_property
    def traced(self) -> tf.types.experimental.ConcreteFunction:
        """`__call__` as a graph, which all data sets share: tracing takes a second or two."""
        number = tf.TensorSpec([], tf.int64)
        return tf.function(self.__call__, autograph=False).get_concrete_function(
            number, tf.TensorSpec([], tf.string), number
        )

    def slots(
        self, manifest: records.Manifest, paths: list[str], stream: int = TRAIN_STREAM
    ) -> slots.Slots:
        """The clips of a split that `shards.open_split` gave, in the order of their stream."""
        traced = self.traced

        @tf.autograph.experimental.do_not_convert
        def make_clip(epoch: tf.Tensor, record: tf.Tensor) -> Clip:
            return traced(epoch, record, tf.constant(stream, tf.int64))

        order = clip_order.build_order(
            manifest,
            paths,
            seed=self.seed,
            stream=stream,
            shuffle_buffer=self.config.shuffle_buffer,
        )
        return slots.Slots(order, make_clip, manifest.is_index)

    def sample(
        self, epoch: tf.Tensor, record: tf.Tensor, stream: int | tf.Tensor = TRAIN_STREAM
    ) -> Clip:
        """PARSE and SAMPLE: what a record says, and the span that is used, still encoded."""
        clip, spec = self.source.parse(record), self.spec
        seeds = _clip_seeds(self.seed, stream, epoch, clip["clip_id"])
        sampled = {
            "clip_id": clip["clip_id"],
            "label": clip["label"],
            "seed": seeds[0],
            "view_seeds": tf.reshape(seeds[2:], [2, 3, 2]),  # Of each: crop, looks, audio.
        }
        if spec.num_frames:
            start = clip_sampling.random_start(clip["num_frames"], spec.frames, seeds[1])
            sampled["frames_jpeg"], waveform = self.source.cut(clip, start, spec)
        else:
            waveform = clip["waveform"]
            start = clip_sampling.random_start(
                tf.size(waveform), spec.samples, seeds[1], clip_sampling.AUDIO_TOO_SHORT
            )
            waveform = tf.ensure_shape(waveform[start : start + spec.samples], [spec.samples])
        if spec.samples:
            sampled["waveform"] = waveform
        return sampled

    def decode(self, sampled: Clip) -> Clip:
        """DECODE: the window of each view, of the size that is trained on, instead of the JPEGs."""
        config, clip = self.config, dict(sampled)
        frames_jpeg = clip.pop("frames_jpeg", None)
        if frames_jpeg is None:
            return clip
        region = video_ops.region_of(video_ops.clip_size(frames_jpeg), config.region_box)
        boxes = [self._box(region, clip["view_seeds"][view, 0]) for view in range(self.views)]
        is_resized = config.crop == "resized"
        target = config.image_size if is_resized else None
        crops = video_ops.decode_boxes(frames_jpeg, boxes, target)
        for prefix, crop in zip(_PREFIXES, crops, strict=False):
            frames = video_ops.fit(crop, config.image_size, is_resized=is_resized)
            if config.augment_on == "device":
                frames = video_ops.to_uint8(frames)
            clip[prefix + "frames"] = frames
        return clip

    def augment(self, decoded: Clip) -> Clip:
        """AUGMENT: colours, blur, flips and noise, or the seeds for the device to do it."""
        config, clip = self.config, dict(decoded)
        view_seeds, waveform = clip.pop("view_seeds"), clip.pop("waveform", None)
        on_device = config.augment_on == "device"
        for view, prefix in enumerate(_PREFIXES[: self.views]):
            frames = clip.pop(prefix + "frames", None)
            if on_device:
                clip[prefix + batch_augmentation.SEEDS] = view_seeds[view, 1:]
            if frames is not None:
                seed = view_seeds[view, 1]
                clip[prefix + "video"] = frames if on_device else self._augment_video(frames, seed)
            if waveform is not None:
                seed = view_seeds[view, 2]
                heard = waveform if on_device else self._augment_audio(waveform, seed)
                clip[prefix + "audio"] = heard
        return clip

    def _augment_video(self, frames: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        strengths = video_augmentation.build_strengths(self.config)
        return video_augmentation.augment(frames, seed, strengths)

    def _augment_audio(self, waveform: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        config = self.config
        return audio_ops.augment(
            waveform, seed, gain_db=config.audio_gain_db, noise=config.audio_noise
        )

    def _box(self, region: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self.config.crop == "fixed":
            return video_ops.fixed_box(region, self.config.image_size, seed)
        return video_ops.random_box(region, self.config.min_crop_area, seed)


def build_training_clips(
    config: DataConfig,
    manifest: records.Manifest,
    *,
    seed: int,
    views: int = 1,
) -> TrainingClips:
    """What makes training clips of the records of a split.

    Raises:
      records.DataError: the split does not hold what --input says, or a clip shorter than the span.
    """
    return TrainingClips(
        config=config,
        source=clip_sources.build_source(config, manifest),
        spec=clip_spec.build_clip_spec(config, manifest),
        seed=seed,
        views=views,
    )


def open_training_clips(config: DataConfig, *, seed: int, views: int) -> TrainingClips:
    """What makes the training clips of a run, for `pipeline.build_train_dataset`.

    Raises:
      records.DataError: as `pipeline.build_train_dataset`.
    """
    manifest, _ = shards.open_split(
        config.data_dir, config.train_split, allow_index=True, check_shards=False
    )
    return build_training_clips(config, manifest, seed=seed, views=views)


def _clip_seeds(
    seed: int, stream: int | tf.Tensor, epoch: tf.Tensor, clip_id: tf.Tensor
) -> tf.Tensor:
    """Stateless seeds of one clip in one epoch: [8, 2] int32."""
    key = tf.random.fold_in(clip_order.epoch_seed(seed, stream, epoch), clip_id)
    return tf.random.stateless_uniform([8, 2], key, None, None, tf.int32)
