"""Where the frames and the audio of a clip come from: its record, or its video.

Both kinds of source parse records, and give the same of the same clip.
"""

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sampling, media_reader
from actcl_tf.data.input.clip_spec import ClipSpec
from actcl_tf.data.media.decoder_messages import SegmentRequest
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.data.records import records, references

Clip = dict[str, tf.Tensor]
FramesAndAudio = tuple[tf.Tensor, tf.Tensor]


class StoredClips:
    """Clips whose frames and audio are in their records.

    Attributes:
      num_parallel_calls: clips worth working on side by side.
      num_threads: threads that this takes; 0: as many as usual.
    """

    num_parallel_calls, num_threads = tf.data.AUTOTUNE, 0

    def __init__(self, manifest: records.Manifest):
        """Takes the manifest of the split."""
        self._manifest = manifest

    def parse(self, record: tf.Tensor) -> Clip:
        """What a record [] string says of a clip.

        Returns:
          dict with `clip_id`, `label`, `filename` as of `records.parse_example`, `num_frames` []
          int32, and what `cut` and `whole` need.
        """
        clip = records.parse_example(record, self._manifest)
        return {**clip, "num_frames": tf.size(clip["frames_jpeg"])}

    def cut(self, clip: Clip, start: tf.Tensor, spec: ClipSpec) -> FramesAndAudio:
        """One span of a clip.

        Args:
          clip: of `parse`.
          start: [] int32, first frame.
          spec: how much.

        Returns:
          Frames [T] string, still encoded, and samples [S] float32; S is 0 where the span has none.
        """
        indices = clip_sampling.frame_indices(start, spec.num_frames, spec.frame_stride)
        frames_jpeg, waveform = tf.gather(clip["frames_jpeg"], indices), clip["waveform"]
        if not spec.samples:
            return frames_jpeg, waveform[:0]
        first = clip_sampling.audio_starts(
            start, tf.size(waveform), spec.samples, spec.frame_rate, spec.sample_rate
        )
        samples = tf.ensure_shape(waveform[first : first + spec.samples], [spec.samples])
        return frames_jpeg, samples

    def whole(self, clip: Clip) -> FramesAndAudio:
        """All of a clip of `parse`: frames [T] string and samples [S] float32."""
        return clip["frames_jpeg"], clip["waveform"]


class LoopedClips(StoredClips):
    """Stored clips, of which those shorter than a span are repeated from their start to fill it."""

    def __init__(self, manifest: records.Manifest, spec: ClipSpec):
        """Takes the manifest of the split, and how much of a clip is used."""
        super().__init__(manifest)
        self._spec = spec

    def parse(self, record: tf.Tensor) -> Clip:
        """See `StoredClips.parse`; the clip has a span at least."""
        clip, spec = super().parse(record), self._spec
        frames_jpeg, waveform = clip["frames_jpeg"], clip["waveform"]
        if spec.num_frames:
            repeats = _repeats(spec.frames, tf.size(frames_jpeg))
            clip["frames_jpeg"] = tf.tile(frames_jpeg, [repeats])
            # Once more: its length, rounded to samples, is rounded as often as it is repeated.
            clip["waveform"] = tf.tile(waveform, [tf.where(repeats > 1, repeats + 1, 1)])
        else:
            clip["waveform"] = tf.tile(waveform, [_repeats(spec.samples, tf.size(waveform))])
        return {**clip, "num_frames": tf.size(clip["frames_jpeg"])}


def _repeats(wanted: int, there: tf.Tensor) -> tf.Tensor:
    return (wanted + there - 1) // tf.maximum(there, 1)


class ClipsInVideos:
    """Clips that are read out of their videos when they are wanted.

    Attributes:
      num_parallel_calls: clips worth working on side by side.
      num_threads: threads that this takes, some of which wait for a process.
    """

    def __init__(self, manifest: records.Manifest, reader: media_reader.MediaReader):
        """Takes the manifest of the split, and who reads."""
        self._manifest, self._reader = manifest, reader
        self.num_threads = self.num_parallel_calls = 2 * reader.num_workers

    def parse(self, record: tf.Tensor) -> Clip:
        """See `StoredClips.parse`."""
        return references.parse(record)

    def cut(self, clip: Clip, start: tf.Tensor, spec: ClipSpec) -> FramesAndAudio:
        """See `StoredClips.cut`."""
        first = clip_sampling.audio_starts(
            start, self._num_samples(clip), spec.samples, spec.frame_rate, spec.sample_rate
        )
        frames, samples = self._read(
            clip,
            first_frame=start,
            num_frames=spec.num_frames,
            frame_stride=spec.frame_stride,
            first_sample=first,
            num_samples=spec.samples,
        )
        return tf.ensure_shape(frames, [spec.num_frames]), tf.ensure_shape(samples, [spec.samples])

    def whole(self, clip: Clip) -> FramesAndAudio:
        """See `StoredClips.whole`."""
        frames, samples = self._read(
            clip,
            first_frame=0,
            num_frames=clip["num_frames"],
            frame_stride=1,
            first_sample=0,
            num_samples=self._num_samples(clip),
        )
        return tf.ensure_shape(frames, [None]), tf.ensure_shape(samples, [None])

    def _num_samples(self, clip: Clip) -> tf.Tensor:
        seconds = tf.cast(clip["num_frames"], tf.float64) / self._manifest.frame_rate
        return tf.cast(tf.floor(seconds * self._manifest.sample_rate + 0.5), tf.int32)

    def _read(self, clip: Clip, **numbers: int | tf.Tensor) -> FramesAndAudio:
        """Reads a part of a clip; `numbers` are the fields of `SegmentRequest` that tell it."""
        values = {**numbers, "has_jumps": clip["has_jumps"]}
        return tf.numpy_function(
            lambda path, start, *given: self._read_now(
                path, start, **dict(zip(values, given, strict=True))
            ),
            [clip["path"], clip["start"], *values.values()],
            [tf.string, tf.float32],
        )

    def _read_now(
        self, path: bytes | np.ndarray, start: float, **numbers: int
    ) -> tuple[np.ndarray, np.ndarray]:
        path = path if isinstance(path, bytes) else path.item()  # An array where it runs at once.
        request = SegmentRequest(
            path=path.decode("utf-8", "surrogateescape"),
            start=float(start),
            **{name: int(number) for name, number in numbers.items()},
        )
        read = self._reader.read(request)
        return np.array(read.frames_jpeg, object), read.waveform.astype(np.float32, copy=False)


Source = StoredClips | LoopedClips | ClipsInVideos


def build_source(config: DataConfig, manifest: records.Manifest) -> Source:
    """The source of a split's clips.

    Args:
      config: data section of the configuration.
      manifest: of the split.

    Raises:
      records.DataError: --input says something else than the split holds.
    """
    if manifest.is_index != (config.input == "media"):
        held = "media" if manifest.is_index else "records"
        raise records.DataError(
            f"--input={config.input}: {config.data_dir}/{manifest.split} holds {held}"
        )
    return of_split(manifest, config.num_workers, config.clip_timeout)


def of_split(
    manifest: records.Manifest, num_workers: int = 0, clip_timeout: float = DataConfig.clip_timeout
) -> Source:
    """The source of a split's clips, whichever it holds.

    Args:
      manifest: of the split.
      num_workers: processes that decode videos; 0: one a core.
      clip_timeout: seconds that a clip may take to decode.
    """
    if not manifest.is_index:
        return StoredClips(manifest)
    options = ReadOptions(
        frame_rate=manifest.frame_rate,
        sample_rate=int(manifest.sample_rate),
        short_side=manifest.settings["short_side"],
        jpeg_quality=manifest.settings["jpeg_quality"],
    )
    reader = media_reader.shared(options, num_workers, clip_timeout)
    return ClipsInVideos(manifest, reader)
