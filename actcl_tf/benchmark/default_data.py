"""What a run would know of its data, had it been prepared by default: for clips of noise."""

from actcl_tf import config
from actcl_tf.data.input import clip_sampling
from actcl_tf.data.prepare import shard_writing
from actcl_tf.train.runs import run_folder

_MEDIA = shard_writing.PrepareSettings()  # What clips are prepared with unless told otherwise.


def facts(run: config.PretrainConfig, num_clips: int = 0) -> run_folder.DataFacts:
    """What the model of a run depends on, of so many clips."""
    num_samples = clip_sampling.num_audio_samples(
        run.data.num_frames, run.data.frame_stride, _MEDIA.frame_rate, _MEDIA.sample_rate
    )
    return run_folder.DataFacts(
        _MEDIA.frame_rate, _MEDIA.sample_rate, num_samples, num_clips, digest=""
    )
