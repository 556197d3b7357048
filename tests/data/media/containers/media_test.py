import av
import numpy as np
import pytest

from actcl_tf.data.media.containers import media
from actcl_tf.data.records import records
from tests.media_files import grey, tone, write_clip, write_media


def cover_only(path):
    return write_media(path, sounds=[tone(1)], cover=grey(9))


def audio_only(path):
    return write_media(path, sounds=[tone(1)])


def video_only(path):
    return write_clip(path, 1.0, sounds=[])


def no_bytes(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("This is no video.\n" * 1000)


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def cut_off(path):
    write_clip(path, 1.0)  # The index of an MP4 stands at its end.
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "make, reason",
    [
        (cover_only, "no_video"),
        (audio_only, "no_video"),
        (video_only, "no_audio"),
        (no_bytes, "empty"),
        (text, "damaged"),
        (noise, "damaged"),
        (cut_off, "damaged"),
        (lambda path: None, "missing"),
    ],
)
def test_files_without_moving_picture_and_sound(tmp_path, capfd, make, reason):
    path = tmp_path / "ü.mp4"
    make(path)
    with pytest.raises(media.MediaError) as error:
        media.Media(path)
    assert error.value.reason == reason in media.REASONS
    assert capfd.readouterr() == ("", "")  # FFmpeg's own words do not reach the terminal.


def test_a_cover_is_not_the_picture(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 1.0, cover=grey(9))
    source = media.Media(path)
    with source.container:
        assert len(source.container.streams.video) == 2
        assert source.video.codec_context.name == "h264"


def test_decode_gives_both_streams_with_their_times(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 1.0, sound_codec="pcm_s16le")
    source = media.Media(path)
    with source.container:
        events = list(source.decode())
        assert not any(isinstance(event, media.DamagedInterval) for event in events)
        pictures = [source.time_of(e) for e in events if isinstance(e, av.VideoFrame)]
        sounds = [e for e in events if isinstance(e, av.AudioFrame)]
    np.testing.assert_allclose(pictures, np.arange(25) / 25, atol=1e-6)
    assert source.time_of(sounds[0]) == pytest.approx(0, abs=0.002)
    assert sum(frame.samples for frame in sounds) >= 16000


@pytest.mark.parametrize("video_start, sound_start", [(0.0, 0.5), (0.4, 0.0), (0.0, 0.0)])
def test_first_times(tmp_path, video_start, sound_start):
    path = write_media(
        tmp_path / "a.mkv",
        frames=[grey(90)] * 25,
        times=video_start + np.arange(25) / 25,
        sounds=[tone(1)],
        sound_start=sound_start,
        sound_codec="pcm_s16le",
    )
    assert media.first_times(path, 0.0) == pytest.approx((video_start, sound_start), abs=0.002)


@pytest.mark.parametrize(
    "make, streams, reason",
    [
        (cover_only, "audio", None),
        (audio_only, "audio", None),
        (audio_only, "video", "no_video"),
        (video_only, "video", None),
        (video_only, "audio", "no_audio"),
        (cover_only, "video", "no_video"),
    ],
)
def test_what_is_not_asked_for_may_be_missing(tmp_path, make, streams, reason):
    path = make(tmp_path / "a.mp4")
    if reason is None:
        source = media.Media(path, streams)
        with source.container:
            assert [stream.type for stream in source.used] == [streams]
            kinds = {type(event) for event in source.decode()}
        assert kinds == {av.VideoFrame if streams == "video" else av.AudioFrame}
        assert media.first_times(path, 0.0, streams) == pytest.approx((0.0,), abs=0.002)
    else:
        with pytest.raises(media.MediaError) as error:
            media.first_times(path, 0.0, streams)
        assert error.value.reason == reason


def test_streams_are_those_of_records():
    assert media.STREAMS == records.STREAMS
