"""Whatever the ffmpeg program decodes without an error gives clips, as long as it says."""

import math
import os
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest

from actcl_tf.data.media import clip_cutting
from actcl_tf.data.media.clip_cutting import MediaClip
from tests import media_reading
from tests.media_files import tone, write_coded

SECONDS = 1.2
FRAMES = [np.full([144, 176, 3], 40 + 6 * i, np.uint8) for i in range(30)]
OPTIONS = media_reading.OPTIONS._replace(short_side=48, jpeg_quality=80)
# Suffix, codecs of picture and sound, samples a second.
TABLE = [
    ("mp4", "libx264", "aac", 44100),
    ("mp4", "libx265", "aac", 48000),
    ("mp4", "mpeg4", "libmp3lame", 44100),
    ("mp4", "libsvtav1", "libopus", 48000),
    ("mp4", "libx264", "alac", 44100),
    ("m4v", "libx264", "ac3", 48000),
    ("mov", "mjpeg", "pcm_s16le", 44100),
    ("mov", "prores_ks", "pcm_s24le", 48000),
    ("mov", "qtrle", "pcm_s16be", 44100),
    ("mov", "svq1", "adpcm_ima_qt", 44100),
    ("3gp", "h263", "libopencore_amrnb", 8000),
    ("3g2", "mpeg4", "aac", 22050),
    ("f4v", "libx264", "aac", 44100),
    ("mkv", "libx264", "flac", 44100),
    ("mkv", "ffv1", "pcm_s16le", 44100),
    ("mkv", "mpeg2video", "mp2", 48000),
    ("mkv", "libvpx", "eac3", 48000),
    ("mkv", "libx265", "tta", 44100),
    ("webm", "libvpx", "libopus", 48000),
    ("webm", "libvpx-vp9", "libopus", 48000),
    ("avi", "mpeg4", "libmp3lame", 44100),
    ("avi", "mjpeg", "pcm_s16le", 44100),
    ("avi", "msmpeg4v2", "adpcm_ms", 44100),
    ("avi", "huffyuv", "pcm_u8", 22050),
    ("avi", "libx264", "ac3", 48000),
    ("flv", "flv", "libmp3lame", 44100),
    ("flv", "libx264", "aac", 44100),
    ("flv", "libx264", "ac3", 48000),
    ("mov", "tiff", "pcm_s16le", 44100),
    ("avi", "libx264", "libmp3lame", 44100),
    ("wmv", "wmv2", "wmav2", 44100),
    ("wmv", "wmv1", "wmav1", 44100),
    ("asf", "msmpeg4", "wmav2", 32000),
    ("ts", "libx264", "aac", 44100),
    ("ts", "mpeg2video", "mp2", 48000),
    ("m2ts", "libx264", "ac3", 48000),
    ("mpg", "mpeg1video", "mp2", 44100),
    ("vob", "mpeg2video", "ac3", 48000),
    ("nut", "mpeg4", "libopus", 48000),
    ("ogv", "libvpx", "libopus", 48000),
    ("ogg", "libvpx", "flac", 44100),
    ("mxf", "mpeg2video", "pcm_s16le", 48000),
    ("wtv", "mpeg2video", "mp2", 48000),
    ("rm", "rv10", "ac3", 44100),
    ("h264", "libx264", None, 0),
    ("m2v", "mpeg2video", None, 0),
    ("ivf", "libvpx", None, 0),
    ("wav", None, "pcm_s16le", 44100),
    ("aiff", None, "pcm_s16be", 44100),
    ("wma", None, "wmav2", 44100),
    ("opus", None, "libopus", 48000),
    ("oga", None, "flac", 44100),
    ("aac", None, "aac", 44100),
    ("ac3", None, "ac3", 48000),
    ("mp2", None, "mp2", 44100),
    ("au", None, "pcm_s16be", 44100),
    ("caf", None, "alac", 44100),
    ("wv", None, "wavpack", 44100),
    ("amr", None, "libopencore_amrnb", 8000),
]


@pytest.fixture(autouse=True)
def scheduling():
    """Undoes what SVT-AV1 does where root calls it: a thread of real time, which starves others."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, parameters)


def decode_with_ffmpeg(path, has_video, has_audio):
    """Number of frames and seconds of sound that the ffmpeg program decodes without an error."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", "-i", str(path)]
    sound = path.parent / "sound.raw"
    if has_video:
        command += ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    if has_audio:
        command += ["-map", "0:a:0", "-ac", "1", "-ar", "16000", "-f", "s16le", "-y", str(sound)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    frames = sum(not line.startswith("#") for line in done.stdout.splitlines())
    return frames, sound.stat().st_size / 32000 if has_audio else math.inf


def read(path, streams):
    pieces = list(clip_cutting.read_clips(path, OPTIONS._replace(streams=streams)))
    assert [type(piece) for piece in pieces] == [MediaClip], pieces
    return pieces[0]


@pytest.mark.parametrize("suffix, video, audio, rate", TABLE, ids=lambda value: str(value))
def test_what_ffmpeg_decodes_without_an_error_is_read(tmp_path, suffix, video, audio, rate):
    if audio and audio not in av.codecs_available:
        pytest.skip(f"PyAV {av.__version__} has no encoder {audio}")
    path = tmp_path / f"a.{suffix}"
    sound = tone(SECONDS, rate) if audio else None
    write_coded(path, FRAMES, sound, video=video, audio=audio, sample_rate=rate)
    frames, seconds = decode_with_ffmpeg(path, video is not None, audio is not None)
    if video:
        assert frames in (29, 30)  # Some containers lose one, or some encoders.
        # A frame more or less: the last one may be shown for a moment only.
        assert abs(len(read(path, "video").frames_jpeg) - frames) <= 1
    if audio:
        assert seconds == pytest.approx(SECONDS, abs=0.15)  # Encoders fill their last frame.
        clip = read(path, "audio")
        # Priming that the program cuts off may be heard.
        assert clip.end - clip.start == pytest.approx(seconds, abs=0.06)
    if video and audio:
        clip = read(path, "both")
        # What picture and sound have in common; they may start apart.
        assert clip.end - clip.start == pytest.approx(min(frames / 25, seconds), abs=0.12)


def test_sound_under_one_stamp_again_and_again_follows_on(tmp_path):
    path = tmp_path / "a.rm"
    write_coded(path, FRAMES, tone(SECONDS, 44100), video="rv10", audio="aac", sample_rate=44100)
    with av.open(str(path)) as container:
        assert {packet.pts for packet in container.demux(audio=0)} == {0, None}
    clip = read(path, "both")
    assert clip.end - clip.start == pytest.approx(SECONDS, abs=0.12)


@pytest.mark.parametrize("start", [2.0, 3600.0, 95440.0])  # Before and after 2**33 ticks of TS.
@pytest.mark.parametrize(
    "suffix, video, audio, rate",
    [
        ("mkv", "libx264", "aac", 44100),
        ("webm", "libvpx", "libopus", 48000),
        ("mp4", "libx264", "aac", 44100),
        ("flv", "flv", "libmp3lame", 44100),
        ("ts", "libx264", "aac", 44100),
        ("vob", "mpeg2video", "ac3", 48000),
        ("wmv", "wmv2", "wmav2", 44100),
        ("nut", "mpeg4", "libopus", 48000),
        ("ogv", "libvpx", "libopus", 48000),
    ],
)
def test_time_stamps_may_start_late(tmp_path, start, suffix, video, audio, rate):
    path = tmp_path / f"a.{suffix}"
    codecs = {"video": video, "audio": audio, "sample_rate": rate}
    write_coded(path, FRAMES, tone(SECONDS, rate), start=start, **codecs)
    clip = read(path, "both")
    assert clip.start < 0.15  # Time counts from where the file begins; encoders add priming.
    assert clip.end - clip.start == pytest.approx(SECONDS, abs=0.12)
