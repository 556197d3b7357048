"""MP4 files as other programs see them: streams, time stamps, and audio in step with video."""

import av
import numpy as np
import pytest

from actcl_tf.data.synthetic import mp4, plan, synthetic


def read(path):
    """Decodes a file: frames with their seconds, and samples with the second of the first."""
    with av.open(str(path)) as container:
        frames = [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        blocks = [(block.time, block.to_ndarray()[0]) for block in container.decode(audio=0)]
    waveform = np.concatenate([samples for _, samples in blocks])
    return frames, waveform, blocks[0][0]


def smooth_frames(count, size=64):
    grid = np.linspace(0, 1, size)
    waves = [0.5 + 0.4 * np.sin(6 * grid[:, None] + 4 * grid + t) for t in np.arange(count) / 5]
    return np.repeat((np.stack(waves) * 255)[..., None], 3, -1).astype(np.uint8)


@pytest.mark.parametrize(("frame_rate", "count"), [(12.5, 25), (25.0, 1), (29.97, 31), (10.0, 7)])
def test_file_holds_what_was_written(tmp_path, frame_rate, count):
    frames = smooth_frames(count)
    waveform = (0.5 * np.sin(np.arange(16000) * 0.1)).astype(np.float32)
    path = tmp_path / "a" / "clip.mp4"
    mp4.write_mp4(path, frames, waveform, frame_rate=frame_rate, sample_rate=16000)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (64, 64)
        assert (audio.rate, audio.channels) == (16000, 1)
    decoded, audio, _ = read(path)
    times = [time for time, _ in decoded]
    np.testing.assert_allclose(times, np.arange(count) / frame_rate, atol=2e-3)
    images = np.stack([image for _, image in decoded]).astype(float)
    assert np.abs(images - frames).mean() < 4
    assert 16000 <= audio.size < 16000 + 2048
    assert np.abs(audio[200:15000] - waveform[200:15000]).mean() < 0.02
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_audio_and_video_are_in_step(tmp_path, sample_rate):
    """A flash and a click at the same moments come out at the same time stamps."""
    moments = (0.4, 0.96, 1.6)
    frames = np.full((25, 64, 64, 3), 30, np.uint8)
    waveform = np.zeros(2 * sample_rate, np.float32)
    burst = np.hanning(64).astype(np.float32) * np.sin(np.arange(64)) * 0.8
    for moment in moments:
        frames[round(moment * 12.5)] = 220
        start = round(moment * sample_rate)
        waveform[start : start + 64] = burst
    path = tmp_path / "clip.mp4"
    mp4.write_mp4(path, frames, waveform, frame_rate=12.5, sample_rate=sample_rate)
    decoded, audio, first = read(path)
    flashes = [time for time, image in decoded if image.mean() > 120]
    np.testing.assert_allclose(flashes, moments, atol=1e-3)
    assert first == pytest.approx(0.0, abs=1e-6)
    for moment in moments:
        start = round((moment - first) * sample_rate)
        window = audio[start - 100 : start + 200]
        lag = np.correlate(window, burst, "valid").argmax() - 100
        assert abs(lag) <= 2


def test_a_failure_leaves_nothing_behind(tmp_path):
    path = tmp_path / "clip.mp4"
    odd = np.zeros((3, 33, 33, 3), np.uint8)  # H.264 in 4:2:0 has no odd sizes.
    with pytest.raises(av.FFmpegError):
        mp4.write_mp4(path, odd, np.zeros(4000, np.float32), frame_rate=12.5, sample_rate=16000)
    assert list(tmp_path.iterdir()) == []


def test_the_same_clip_gives_the_same_bytes_every_time(tmp_path):
    settings = plan.SyntheticSettings()
    for item in plan.list_items(settings)[2:6]:
        frames, waveform = synthetic.render_clip(settings, item)
        contents = set()
        for _ in range(8):
            mp4.write_mp4(
                tmp_path / "clip.mp4", frames, waveform, frame_rate=12.5, sample_rate=16000
            )
            contents.add((tmp_path / "clip.mp4").read_bytes())
        assert len(contents) == 1
