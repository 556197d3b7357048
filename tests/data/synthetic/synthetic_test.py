"""The built-in data set as files: seeds, workers, resuming, refusals; impacts seen and heard."""

import csv
import dataclasses
import json
import multiprocessing
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from actcl_tf.data.synthetic import audio as synthetic_audio
from actcl_tf.data.synthetic import categories, plan, synthetic, video
from actcl_tf.data.synthetic.mp4 import write_mp4
from tests.data.synthetic.mp4_test import read

TINY = {"num_train": 6, "num_test": 2, "size": 32, "seconds": 0.6, "progress": False}


def make(folder, **changes):
    synthetic.write_dataset(folder, **{**TINY, "num_workers": 1, **changes})
    return {path.relative_to(folder): path for path in sorted(folder.rglob("*.mp4"))}


def test_layout_and_parameters(tmp_path):
    files = make(tmp_path / "data")
    with (tmp_path / "data" / "parameters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["path"] for row in rows) == sorted(path.as_posix() for path in files)
    assert [row["split"] for row in rows] == ["train"] * 6 + ["test"] * 2
    for row in rows:
        split, category, _ = row["path"].split("/")
        assert (split, category) == (row["split"], row["category"])
        assert 0.15 <= float(row["radius"]) <= 0.32
    frames, waveform, start = read(next(iter(files.values())))
    assert len(frames) == 8 and frames[0][1].shape == (32, 32, 3)
    assert start == 0.0 and 9600 <= waveform.size < 9600 + 2048 and np.abs(waveform).max() > 0.05


def test_same_seed_same_clips_whoever_renders_them(tmp_path):
    one, two = make(tmp_path / "one"), make(tmp_path / "two", num_workers=2)
    assert list(one) == list(two)
    for name, path in one.items():
        assert path.read_bytes() == two[name].read_bytes()
    for (at, a), (other_at, b) in zip(read(one[name])[0], read(two[name])[0], strict=True):
        assert at == other_at
        np.testing.assert_array_equal(a, b)
    assert (tmp_path / "one/parameters.csv").read_text() == (
        tmp_path / "two/parameters.csv"
    ).read_text()


def test_another_seed_gives_other_clips(tmp_path):
    settings = [plan.SyntheticSettings(seed=seed, size=32, seconds=0.6) for seed in (0, 1)]
    item = plan.Item("train", 0, "spin_bell", 0)
    (frames, waveform), (other_frames, other_waveform) = (
        synthetic.render_clip(setting, item) for setting in settings
    )
    assert np.abs(frames.astype(int) - other_frames).mean() > 5
    assert np.abs(waveform - other_waveform).mean() > 0.01


def test_splits_share_no_clip_and_clips_of_a_category_differ():
    settings = plan.SyntheticSettings(size=32, seconds=0.6)
    clips = [
        synthetic.render_clip(settings, plan.Item(split, index, "bounce_wood", index))
        for split in ("train", "test")
        for index in range(4)
    ]
    for i, (frames, waveform) in enumerate(clips):
        for other_frames, other_waveform in clips[:i]:
            assert np.abs(frames.astype(int) - other_frames).mean() > 5
            spectra = [np.abs(np.fft.rfft(w)) for w in (waveform, other_waveform)]
            assert np.corrcoef(spectra)[0, 1] < 0.95


def test_goes_on_where_it_stopped(tmp_path):
    files = make(tmp_path)
    whole = {path: path.read_bytes() for path in files.values()}
    gone = [*files.values()][::3]
    for path in gone:
        path.unlink()
    (tmp_path / "parameters.csv").unlink()
    stale = gone[0].with_name(gone[0].name + ".part")
    stale.write_bytes(b"half a clip")
    stamps = {path: path.stat().st_mtime_ns for path in files.values() if path not in gone}
    make(tmp_path)
    assert {path: path.read_bytes() for path in files.values()} == whole
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert not stale.exists() and (tmp_path / "parameters.csv").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed 0 (asked for: 1)"),
        ({"zipf": 1.0, "num_train": 7}, "num_train 6 (asked for: 7), zipf 0.0 (asked for: 1.0)"),
        ({"num_workers": 0}, "--num_workers=0: must be at least 1"),
        ({"size": 33}, "--size=33"),
    ],
)
def test_other_settings_are_refused(tmp_path, changes, words):
    files = make(tmp_path)
    with pytest.raises(synthetic.SyntheticError) as caught:
        make(tmp_path, **changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(files.values()) == sorted(tmp_path.rglob("*.mp4"))


def test_folders_of_other_things_are_refused(tmp_path):
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "film.mp4").write_bytes(b"")
    with pytest.raises(synthetic.SyntheticError, match="holds other files"):
        make(other)
    with pytest.raises(synthetic.SyntheticError, match="is a file"):
        make(other / "film.mp4")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for text in ("{", "[1]", "3", "\xff"):
        (damaged / "dataset.json").write_text(text)
        with pytest.raises(synthetic.SyntheticError, match="cannot be read"):
            make(damaged)


def test_a_run_killed_at_its_very_start_goes_on(tmp_path):
    (tmp_path / "dataset.json.part").write_text("{")
    assert len(make(tmp_path)) == 8
    assert not (tmp_path / "dataset.json.part").exists()


def test_a_killed_rendering_process_is_named_and_its_work_done_again(tmp_path):
    sizes = {"num_train": 150, "num_workers": 2, "size": 64}

    def kill_one():
        while not list(tmp_path.rglob("*.mp4")):
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with pytest.raises(synthetic.SyntheticError, match=r"process was killed.*are kept"):
        make(tmp_path, **sizes)
    killer.join()
    assert 0 < len(list(tmp_path.rglob("*.mp4"))) < 152
    assert len(make(tmp_path, **sizes)) == 152


def test_data_of_an_older_format_is_refused(tmp_path):
    make(tmp_path)
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 0}))
    with pytest.raises(synthetic.SyntheticError, match="format_version 0"):
        make(tmp_path)


def test_rendering_needs_no_tensorflow():
    code = (
        "import sys; from actcl_tf.data.synthetic import synthetic; "
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("material", ["bell", "buzz", "wood"])
def test_impacts_are_seen_and_heard_in_the_same_frame(tmp_path, material):
    """Measured in the decoded file: where the object is lowest, and where the audio sets in."""
    item = plan.Item("train", 3, f"bounce_{material}", 3)
    settings = plan.SyntheticSettings()
    causes, _, nuisance = plan.draw_scene(settings, item)
    causes = dataclasses.replace(causes, period=0.7, radius=0.15)
    grey = ((0.2,) * 3,) * 2
    nuisance = dataclasses.replace(
        nuisance, background="plain", background_colors=grey, shake=0.0, outline=1.0
    )
    times = np.arange(38) / 12.5
    frames = video.render_video(causes, nuisance, times=times, size=96)
    waveform = synthetic_audio.render_audio(causes, nuisance, num_samples=48000, sample_rate=16000)
    write_mp4(tmp_path / "clip.mp4", frames, waveform, frame_rate=12.5, sample_rate=16000)
    decoded, audio, first = read(tmp_path / "clip.mp4")

    heights = []
    for _, image in decoded:
        rows = np.nonzero((np.abs(image.astype(int) - 51) > 60).any(-1))[0]
        heights.append(-rows.mean())
    heights = np.array(heights)
    low = np.flatnonzero((heights[1:-1] <= heights[:-2]) & (heights[1:-1] < heights[2:])) + 1
    seen = np.array([decoded[index][0] for index in low])
    level = np.abs(audio[: audio.size // 160 * 160]).reshape(-1, 160).mean(1)
    rise = np.diff(level)
    heard = [i for i in range(2, rise.size - 2) if rise[i] == rise[max(0, i - 30) : i + 30].max()]
    heard = first + 0.01 * (1 + np.array(heard))
    inside = [at for at in heard if 0.1 < at < 2.8]
    assert len(inside) >= 3
    for at in inside:
        assert np.abs(seen - at).min() <= 1 / 12.5
    for at in seen[(seen > 0.15) & (seen < 2.75)]:
        assert np.abs(heard - at).min() <= 1 / 12.5


def test_scene_of_an_item_uses_its_category():
    settings = plan.SyntheticSettings()
    for category in categories.list_categories():
        shown = plan.draw_scene(settings, plan.Item("train", 1, category, 1))
        assert shown.heard == shown.seen
        assert f"{shown.seen.motion}_{shown.seen.material}" == category
        assert shown.seen.build == "0000"
