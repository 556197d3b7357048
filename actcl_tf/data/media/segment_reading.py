"""A segment of a clip, read out of its video: only what is used is decoded.

The clip was found by `clip_cutting`, so where it begins is known to be good. The very frames and
samples come out that `clip_cutting` would have stored; only half a minute and more into a video,
where reading begins at a key frame before the part, resampling may shift the audio by less than a
sample.
"""

from collections.abc import Callable

import av
import av.logging

from actcl_tf.data.media.audio_sampler import AudioSampler
from actcl_tf.data.media.containers import media, parts
from actcl_tf.data.media.containers.part_packets import FRONT, Approach
from actcl_tf.data.media.decoder_messages import Segment, SegmentRequest
from actcl_tf.data.media.frame_sampler import TIME_SLACK, FrameSampler
from actcl_tf.data.media.read_options import ReadOptions


def read_segment(
    request: SegmentRequest, options: ReadOptions, tell: Callable[[], None] = lambda: None
) -> Segment:
    """Reads frames and samples of a part of a clip.

    Args:
      request: what is wanted.
      options: that the clip was found with.
      tell: called now and then while the file is looked through.

    Raises:
      media.MediaError: the video cannot be opened, or is damaged or over within the part.
    """
    timeline = parts.CONTINUOUS
    if request.has_jumps:
        timeline = parts.find_parts(request.path, tell=tell)
    stretch = timeline.part_at(request.start)
    part = _Part(request, stretch, options)
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        way = Approach.to(part.start, part.stretch.begin, can_seek=not request.has_jumps)
        if way != FRONT:
            try:
                return _read(request, options, part, way)
            except media.MediaError:
                pass  # An index may lead too far, and decoders may stumble; the front is safe.
        return _read(request, options, part, FRONT)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise media.MediaError("damaged", str(error)) from error
    finally:
        av.logging.set_level(level)


def _read(request: SegmentRequest, options: ReadOptions, part: "_Part", way: Approach) -> Segment:
    source = media.Media(request.path)
    frame_sampler = FrameSampler(
        source,
        options,
        request.start,
        first=request.first_frame,
        stride=request.frame_stride,
    )
    audio_sampler = AudioSampler(options.sample_rate)
    begun: set[type] = set()  # Kinds of frames that came; a deinterlacer holds its first one back.
    with source.container:
        if way.seek_to > 0:
            source.seek(way.seek_to)
        for event in source.decode(part.stretch, way.skip):
            if isinstance(event, media.DamagedInterval):
                part.check_damage(event)
                continue
            time, is_first = source.time_of(event), type(event) not in begun
            begun.add(type(event))
            if isinstance(event, av.VideoFrame):
                part.check_begin(is_first, time, TIME_SLACK)
                frame_sampler.add(event)
            else:
                part.check_begin(is_first, time, 1.0 / audio_sampler.rate)
                audio_sampler.add(event, time)
            if (
                len(frame_sampler.frames) >= request.num_frames
                and audio_sampler.ready >= part.end_sample
            ):
                break
        frame_sampler.finish()
        audio_sampler.finish()
    for damage in audio_sampler.damage:
        part.check_damage(damage)
    if len(frame_sampler.frames) < request.num_frames or audio_sampler.until < part.audio_until:
        raise media.MediaError("damaged", f"it ends before {part.end:.2f} seconds")
    waveform = audio_sampler.read(part.first_sample, request.num_samples)
    return Segment(frame_sampler.take(request.num_frames), waveform)


class _Part:
    """Where the part lies, in seconds and samples of the video, and what must not be there."""

    def __init__(self, request: SegmentRequest, stretch: parts.Part, options: ReadOptions):
        frame_rate, sample_rate = options.frame_rate, options.sample_rate
        self.stretch = stretch  # Of the file, that it lies in.
        self.first_sample = round(request.start * sample_rate) + request.first_sample
        self.end_sample = self.first_sample + request.num_samples
        self.start = request.start + request.first_frame / frame_rate
        self.end = self.start + request.num_frames * request.frame_stride / frame_rate
        # A clip's audio may lack some of its last frame.
        self.audio_until = min(self.end, self.end_sample / sample_rate) - 1.0 / frame_rate

    def check_begin(self, is_first: bool, time: float, slack: float) -> None:
        """Refuses a stream whose first frame comes after the part has begun."""
        if is_first and time > self.start + slack:
            raise media.MediaError("damaged", f"nothing is shown or heard before {time:.2f} s")

    def check_damage(self, damage: media.DamagedInterval) -> None:
        """Refuses damage in the part."""
        if damage.start < self.end and damage.end > self.start:
            raise media.MediaError(damage.reason)
