"""One clip as it is measured: all its windows, without augmentation (PARSE, SAMPLE, DECODE)."""

import dataclasses

import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sampling, clip_sources, clip_spec
from actcl_tf.data.input.transforms import resampling, video_ops

Clip = dict[str, tf.Tensor]
CROPS = (1, 3)


@dataclasses.dataclass(frozen=True)
class EvaluationClips:
    """Makes evaluation clips of records.

    Attributes:
      config: data section of the configuration.
      source: where frames and audio come from.
      spec: what a window covers.
      num_windows: evenly spread windows of each clip.
      crops: 1 for the central square of the frames, or 3 for squares at both ends and in the middle
        of their longer side.
    """

    config: DataConfig
    source: clip_sources.Source
    spec: clip_spec.ClipSpec
    num_windows: int
    crops: int = 1

    def __post_init__(self) -> None:
        if self.num_windows < 1:
            raise ValueError(f"num_windows must be at least 1, got {self.num_windows}")
        if self.crops not in CROPS:
            raise ValueError(f"crops must be 1 or 3, got {self.crops}")

    # AutoGraph has nothing to convert here, and seconds to look for it.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, epoch: tf.Tensor, record: tf.Tensor) -> Clip:
        """All windows of one clip; no frame is decoded twice.

        Args:
          epoch: [] int64; a clip is the same in all.
          record: [] string.

        Returns:
          `clip_id` and `label` [] int64, `filename` [] string; `video` [W * crops, T, H, W, 3]
          uint8, the crops of a window side by side, unless audio is used alone; `audio` [W, S]
          float32, unless the video is used alone.
        """
        del epoch
        clip = self.source.parse(record)
        made = {name: clip[name] for name in ("clip_id", "label", "filename")}
        spec = self.spec
        if not spec.num_frames:
            waveform = clip["waveform"]
            first = clip_sampling.window_starts(
                tf.size(waveform), spec.samples, self.num_windows, clip_sampling.AUDIO_TOO_SHORT
            )
            return {**made, "audio": self._audio(waveform, first)}
        frames_jpeg, waveform = self.source.whole(clip)
        starts = clip_sampling.window_starts(tf.size(frames_jpeg), spec.frames, self.num_windows)
        made["video"] = self._video(frames_jpeg, starts)
        if spec.samples:
            first = clip_sampling.audio_starts(
                starts, tf.size(waveform), spec.samples, spec.frame_rate, spec.sample_rate
            )
            made["audio"] = self._audio(waveform, first)
        return made

    def _video(self, frames_jpeg: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
        config, spec = self.config, self.spec
        indices = clip_sampling.frame_indices(starts, spec.num_frames, spec.frame_stride)
        used, places = tf.unique(tf.reshape(indices, [-1]))
        frames_jpeg = tf.gather(frames_jpeg, used)
        region = video_ops.region_of(video_ops.clip_size(frames_jpeg), config.region_box)
        boxes = [video_ops.central_box(region)] if self.crops == 1 else video_ops.end_boxes(region)
        side = config.image_size
        shape = [self.num_windows, 1, spec.num_frames, side, side, 3]
        windows = []
        for crop in video_ops.decode_boxes(frames_jpeg, boxes, side):
            frames = video_ops.to_uint8(resampling.resize(crop, side))
            windows.append(tf.reshape(tf.gather(frames, places), shape))
        return tf.reshape(tf.concat(windows, 1), [self.num_windows * self.crops, *shape[2:]])

    def _audio(self, waveform: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        samples = clip_sampling.frame_indices(first, self.spec.samples, 1)
        return tf.gather(waveform, samples)
