import pathlib
import subprocess

import pytest

from actcl_tf.benchmark.input import prepare_time
from actcl_tf.config import ConfigError
from tests.media_files import write_clip


def test_both_ways_make_the_same_of_the_same_videos(tmp_path):
    for index in range(3):
        write_clip(tmp_path / f"{index}.mp4", 1.2)
    settings = prepare_time.Settings(prepare_videos=2, prepare_workers=1, prepare_rounds=2)
    rounds = prepare_time.measure(settings, str(tmp_path))
    assert (rounds.videos, rounds.clips, rounds.num_workers) == (2, 2, 1)
    assert len(rounds.ours) == len(rounds.ffmpeg) == 2
    assert rounds.our_bytes > 1000 and rounds.ffmpeg_bytes > 1000
    assert "2 videos, 1 processes, 2 rounds in turns" in prepare_time.table(rounds)
    assert prepare_time.to_dict(rounds)["speed"] == rounds.speed > 0


def test_ffmpeg_writes_as_many_frames_and_samples(tmp_path):
    video = write_clip(tmp_path / "a.mp4", 2.0)
    out = tmp_path / "out"
    prepare_time._convert(prepare_time.find_ffmpeg(), str(video), str(out))
    assert len(list(out.glob("*.jpg"))) == 25  # 12.5 a second.
    samples = (out / "audio.f32").stat().st_size // 4
    assert samples == pytest.approx(32000, abs=1100)  # AAC fills its last frame.


def test_a_video_that_ffmpeg_cannot_read_is_named(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(ConfigError, match=r"a.mp4: ffmpeg cannot convert it"):
        prepare_time._convert(
            prepare_time.find_ffmpeg(), str(tmp_path / "a.mp4"), str(tmp_path / "out")
        )


def test_ffmpeg_is_the_program():
    shown = subprocess.run([prepare_time.find_ffmpeg(), "-version"], capture_output=True, text=True)
    assert shown.stdout.startswith("ffmpeg version")
    assert pathlib.Path(prepare_time.find_ffmpeg()).is_file()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prepare_rounds": 0}, "--prepare_rounds=0: must be at least 1"),
        ({"prepare_workers": -1}, "--prepare_workers=-1: must be at least 0"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        prepare_time.Settings(**values)
