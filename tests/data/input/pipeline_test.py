"""Batches from real shards: synchrony, determinism, restarts, partition, errors."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sources, pipeline, training_clips
from actcl_tf.data.records import records
from tests import split_files

NUM_CLIPS = 12
PLAIN = {
    "flip": False,
    "color_jitter": 0.0,
    "gray_probability": 0.0,
    "blur_probability": 0.0,
    "audio_gain_db": 0.0,
    "audio_noise": 0.0,
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """`train`: ramps of 30 to 41 frames; `test`: 5 of them, one labelled; `noise`: rich frames."""
    folder = tmp_path_factory.mktemp("pipeline")
    ramps = [
        split_files.ramp_clip(f"train {i}", 30 + i, height=24 + i, label=i)
        for i in range(NUM_CLIPS)
    ]
    split_files.write_split(folder, "train", ramps, 3)
    tests = [
        split_files.ramp_clip(f"test {i}", 30 + 3 * i, label=2 if i == 1 else None)
        for i in range(5)
    ]
    split_files.write_split(folder, "test", tests, 2)
    rng = np.random.default_rng(0)
    rich = []
    for i in range(NUM_CLIPS):
        frames = rng.integers(0, 256, (20, 24, 32, 3)).astype(np.uint8)
        waveform = rng.uniform(-0.5, 0.5, 2000).astype(np.float32)
        rich.append(split_files.clip(f"rich {i}", list(frames), waveform))
    split_files.write_split(folder, "noise", rich, 3)
    return folder


def _config(data_dir, **changes):
    values = {"num_frames": 4, "frame_stride": 2, "image_size": 16, "train_split": "noise"}
    return DataConfig(data_dir=str(data_dir), **{**values, **changes})


@functools.cache
def _clips(config, seed, views):
    return training_clips.open_training_clips(config, seed=seed, views=views)


def _train(config, *, seed, views=1, **options):
    """Batches of training, as a run takes them: how a clip is made is traced once."""
    clips = _clips(config, seed, views)
    return pipeline.build_train_dataset(config, seed=seed, make_clip=clips, **options)


def _batches(dataset, count):
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


def _assert_equal(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def _assert_synchronous(video, audio, stride=2):
    """Frames and samples of ramps, [T, H, W, 3] and [S], tell the same time.

    Returns:
      Index of the first frame.
    """
    brightness = video.mean((1, 2, 3))
    assert video.std((1, 2, 3)).max() < 1.0
    frames = brightness / split_files.STEP
    start = round(frames[0])
    np.testing.assert_allclose(frames, start + stride * np.arange(len(frames)), atol=0.2)
    expected = start * split_files.SAMPLES_A_FRAME + np.arange(len(audio))
    np.testing.assert_allclose(audio * 10000.0, expected, atol=0.01)
    return start


def test_shapes_and_types(data_dir):
    config = _config(data_dir)
    dataset = _train(config, batch_size=5, seed=0, views=2)
    spec = dataset.element_spec
    expected = {
        "video": ([5, 4, 16, 16, 3], tf.uint8),
        "audio": ([5, 800], tf.float32),
        "key_video": ([5, 4, 16, 16, 3], tf.uint8),
        "key_audio": ([5, 800], tf.float32),
        "clip_id": ([5], tf.int64),
        "label": ([5], tf.int64),
        "seed": ([5, 2], tf.int32),
    }
    assert {key: (value.shape.as_list(), value.dtype) for key, value in spec.items()} == expected
    assert (_batches(dataset, 1)[0]["label"] == records.NO_LABEL).all()


def test_picture_and_sound_come_from_the_same_span(data_dir):
    config = _config(data_dir, train_split="train", **PLAIN)
    dataset = _train(config, batch_size=12, seed=3)
    starts = []
    for batch in _batches(dataset, 5):
        starts += [
            _assert_synchronous(video, audio)
            for video, audio in zip(batch["video"], batch["audio"], strict=True)
        ]
    assert len(set(starts)) > 15  # 60 draws among 23 to 34 starts.
    assert max(starts) > 22  # Starts that only the longer clips have.


def test_both_views_show_the_same_span_augmented_anew(data_dir):
    quiet = {**PLAIN, "train_split": "train"}
    batch = _batches(_train(_config(data_dir, **quiet), batch_size=12, seed=3, views=2), 1)[0]
    for index in range(12):
        first = _assert_synchronous(batch["video"][index], batch["audio"][index])
        assert first == _assert_synchronous(batch["key_video"][index], batch["key_audio"][index])
    config = _config(data_dir)
    batch = _batches(_train(config, batch_size=12, seed=3, views=2), 1)[0]
    single = _batches(_train(config, batch_size=12, seed=3), 1)[0]
    for index in range(12):
        assert (batch["video"][index] != batch["key_video"][index]).any()
        assert (batch["audio"][index] != batch["key_audio"][index]).any()
    for key in ("audio", "clip_id", "seed"):
        np.testing.assert_array_equal(batch[key], single[key])


def test_every_clip_once_an_epoch_with_new_draws_in_the_next(data_dir):
    config = _config(data_dir, train_split="train")
    batches = _batches(_train(config, batch_size=4, seed=0), 9)
    for epoch in range(3):
        labels = np.concatenate([batch["label"] for batch in batches[3 * epoch : 3 * epoch + 3]])
        np.testing.assert_array_equal(np.sort(labels), np.arange(NUM_CLIPS))
    ids = np.concatenate([batch["clip_id"] for batch in batches])
    seeds = np.concatenate([batch["seed"] for batch in batches])
    assert len(set(ids)) == NUM_CLIPS
    assert len({tuple(seed) for seed in seeds}) == 3 * NUM_CLIPS
    expected = records.clip_id_of(tf.constant([f"train {i}" for i in range(NUM_CLIPS)]))
    assert set(ids) == set(expected.numpy())


def test_same_seed_same_batches_whatever_the_parallelism(data_dir, monkeypatch):
    config = _config(data_dir)
    make = functools.partial(_train, config, batch_size=5, views=2)
    batches = _batches(make(seed=0), 4)
    for calls in (1, 7):
        monkeypatch.setattr(clip_sources.StoredClips, "num_parallel_calls", calls)
        _assert_equal(_batches(make(seed=0), 4), batches)
    other = _batches(make(seed=1), 1)[0]
    assert (other["clip_id"] != batches[0]["clip_id"]).any()
    common = set(other["clip_id"]) & set(batches[0]["clip_id"])
    for clip_id in common:
        one, two = (np.flatnonzero(b["clip_id"] == clip_id)[0] for b in (other, batches[0]))
        assert (other["seed"][one] != batches[0]["seed"][two]).any()


@pytest.mark.parametrize("augment_on", ["host", "device"])
@pytest.mark.parametrize("start_step", [1, 3, 12])
def test_restart_equals_skipping(data_dir, start_step, augment_on):
    """Batches of 5 of 12 clips: the 3rd crosses an epoch's end, the 12th ends the 5th epoch."""
    config = _config(data_dir, augment_on=augment_on)
    make = functools.partial(_train, config, batch_size=5, seed=0)
    batches = _batches(make(), start_step + 3)
    _assert_equal(_batches(make(start_step=start_step), 3), batches[start_step:])


def test_input_pipelines_partition_the_stream(data_dir):
    """Two hosts make together, clip by clip, the batches that one host makes."""
    config = _config(data_dir)
    whole = _batches(_train(config, batch_size=4, seed=0, start_step=1), 5)
    parts = [
        _batches(
            _train(
                config,
                batch_size=2,
                seed=0,
                start_step=1,
                num_input_pipelines=2,
                input_pipeline_id=index,
            ),
            5,
        )
        for index in range(2)
    ]
    joined = [
        {key: np.concatenate([one[key], two[key]]) for key in one}
        for one, two in zip(*parts, strict=True)
    ]
    _assert_equal(joined, whole)


def test_random_dataset_is_a_new_choice_each_epoch(data_dir):
    config = _config(data_dir)
    make = functools.partial(pipeline.build_random_dataset, config, batch_size=3, seed=0)
    first = _batches(make(num_clips=7, epoch=0), 99)
    assert [len(batch["clip_id"]) for batch in first] == [3, 3, 1]
    assert first[0]["video"].shape == (3, 4, 16, 16, 3)
    # Also where how a clip is made was traced before.
    make = functools.partial(make, make_clip=_clips(config, 0, 1))
    _assert_equal(_batches(make(num_clips=7, epoch=0), 99), first)
    second = _batches(make(num_clips=7, epoch=1), 99)
    choices = [np.concatenate([b["clip_id"] for b in batches]) for batches in (first, second)]
    assert [len(set(choice)) for choice in choices] == [7, 7]
    assert set(choices[0]) != set(choices[1])
    train = _batches(_train(config, batch_size=12, seed=0), 1)[0]
    assert set(map(tuple, train["seed"])).isdisjoint(map(tuple, first[0]["seed"]))


def test_random_dataset_larger_than_the_split_repeats_evenly(data_dir):
    dataset = pipeline.build_random_dataset(
        _config(data_dir), num_clips=30, batch_size=8, seed=0, epoch=0
    )
    ids = np.concatenate([batch["clip_id"] for batch in _batches(dataset, 99)])
    assert sorted(np.unique(ids, return_counts=True)[1]) == [2] * 6 + [3] * 6


def test_evaluation_order_windows_and_last_batch(data_dir):
    dataset = pipeline.build_eval_dataset(
        _config(data_dir), split="test", batch_size=2, num_windows=3
    )
    assert int(dataset.cardinality()) == 3
    batches = _batches(dataset, 99)
    assert [batch["video"].shape for batch in batches] == [
        (2, 3, 4, 16, 16, 3),
        (2, 3, 4, 16, 16, 3),
        (1, 3, 4, 16, 16, 3),
    ]
    assert batches[0]["audio"].shape == (2, 3, 800)
    names = np.concatenate([batch["filename"] for batch in batches])
    assert list(names) == [b"test %d.mp4" % i for i in range(5)]
    assert list(np.concatenate([batch["label"] for batch in batches])) == [-1, 2, -1, -1, -1]
    # Clips of 30, 33, 36, 39 and 42 frames, spans of 8: last starts 22, 25, 28, 31, 34.
    expected = [[0, 11, 22], [0, 13, 25], [0, 14, 28], [0, 16, 31], [0, 17, 34]]
    index = 0
    for batch in batches:
        for video, audio in zip(batch["video"], batch["audio"], strict=True):
            starts = [_assert_synchronous(*window) for window in zip(video, audio, strict=True)]
            assert starts == expected[index]
            index += 1


def test_evaluation_with_overlapping_windows_takes_the_centre(data_dir):
    """Windows that share frames, of the central square, equal decoding by hand."""
    dataset = pipeline.build_eval_dataset(
        _config(data_dir, num_frames=9, image_size=24),
        split="noise",
        batch_size=12,
        num_windows=2,
    )
    batch = _batches(dataset, 1)[0]
    paths = sorted((data_dir / "noise").glob("*.tfrecord"))
    record = next(iter(tf.data.TFRecordDataset(str(paths[0]))))
    clip = records.parse_example(record)
    frames = np.stack(
        [tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE") for jpeg in clip["frames_jpeg"]]
    ).astype(int)
    for window, start in enumerate((0, 2)):
        expected = frames[start : start + 18 : 2, :, 4:28]
        np.testing.assert_allclose(batch["video"][0, window], expected, atol=1)
        np.testing.assert_array_equal(
            batch["audio"][0, window], clip["waveform"][start * 100 : start * 100 + 1800]
        )


def test_a_clip_as_long_as_the_span_has_one_place(data_dir):
    config = _config(data_dir, num_frames=10)
    for batch in _batches(_train(config, batch_size=4, seed=0), 2):
        assert batch["audio"].shape == (4, 2000)


def test_graph_and_eager_agree(data_dir):
    """The same clips outside tf.data, one operation at a time, up to rounding."""
    config = _config(data_dir)
    batch = _batches(_train(config, batch_size=12, seed=0), 1)[0]
    manifest = records.read_manifest(data_dir / "noise")
    make_clip = training_clips.build_training_clips(config, manifest, seed=0)
    assert make_clip.spec == (4, 2, split_files.FRAME_RATE, split_files.SAMPLE_RATE, 800)
    checked = 0
    for path in sorted((data_dir / "noise").glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).take(2):
            clip = make_clip(tf.constant(0, tf.int64), record)
            index = np.flatnonzero(batch["clip_id"] == clip["clip_id"].numpy())[0]
            np.testing.assert_array_equal(batch["seed"][index], clip["seed"])
            np.testing.assert_allclose(batch["audio"][index], clip["audio"], atol=1e-6)
            difference = batch["video"][index].astype(int) - clip["video"].numpy()
            assert np.abs(difference).max() <= 1
            checked += 1
    assert checked == 6


def test_too_long_a_span_names_flag_value_and_limit(data_dir):
    config = _config(data_dir, num_frames=11)
    message = r"--num_frames=11, --frame_stride=2.*at most 20.*'noise'"
    with pytest.raises(records.DataError, match=message):
        pipeline.build_train_dataset(config, batch_size=4, seed=0)
    with pytest.raises(records.DataError, match=message):
        pipeline.build_random_dataset(config, num_clips=4, batch_size=4, seed=0, epoch=0)
    with pytest.raises(records.DataError, match=message):
        pipeline.build_eval_dataset(config, split="noise", batch_size=4, num_windows=1)


def test_missing_split_and_no_windows_are_refused(data_dir):
    config = dataclasses.replace(_config(data_dir), train_split="nothing")
    with pytest.raises(records.DataError, match="nothing"):
        pipeline.build_train_dataset(config, batch_size=4, seed=0)
    with pytest.raises(ValueError, match="num_windows must be at least 1, got 0"):
        pipeline.build_eval_dataset(config, split="test", batch_size=4, num_windows=0)


def test_waveform_shorter_than_its_frames_stops_the_run(tmp_path):
    """A span at the end would have no sound: an error, not silence and not another spec."""
    examples = [split_files.ramp_clip(f"{i}", 10, num_samples=700) for i in range(4)]
    split_files.write_split(tmp_path, "noise", examples)  # Sound for 7 frames; a span has 8.
    dataset = pipeline.build_eval_dataset(
        _config(tmp_path), split="noise", batch_size=4, num_windows=2
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="fewer frames than the span"):
        _batches(dataset, 1)


@pytest.mark.parametrize("eval_only", [False, True], ids=["training", "evaluation"])
def test_nothing_outside_the_region_is_ever_seen(tmp_path, eval_only):
    # A bright lower right quarter in black frames; the frame's middle is at its edge.
    frames = np.zeros((20, 64, 80, 3), np.uint8)
    frames[:, 32:, 40:] = 255
    clips = [
        split_files.clip(f"quarter {i}", list(frames), np.zeros(2000, np.float32)) for i in range(4)
    ]
    split_files.write_split(tmp_path, "train", clips, 1)

    def darkest(region):
        config = _config(tmp_path, train_split="train", region=region, min_crop_area=0.2, **PLAIN)
        if eval_only:
            dataset = pipeline.build_eval_dataset(
                config, split="train", batch_size=4, num_windows=1
            )
        else:
            dataset = _train(config, batch_size=4, seed=3)
        return min(batch["video"].min() for batch in _batches(dataset, 4))

    assert darkest("0.5,0.5,1,1") > 200  # But for the ringing of JPEG.
    assert darkest("0.2,0.2,1,1") < 50


def test_shards_may_be_of_another_file_system(data_dir):
    local = _train(_config(data_dir), batch_size=4, seed=1)
    for path in (data_dir / "noise").iterdir():
        tf.io.gfile.makedirs("ram://pipeline/noise")
        tf.io.gfile.copy(str(path), f"ram://pipeline/noise/{path.name}")
    remote = _train(_config("ram://pipeline"), batch_size=4, seed=1)
    _assert_equal(_batches(remote, 4), _batches(local, 4))


def test_clips_of_one_stream_are_refused(data_dir, tmp_path):
    split_files.write_split(tmp_path, "noise", [split_files.ramp_clip("a")])
    manifest = records.read_manifest(tmp_path / "noise")
    records.write_manifest(tmp_path / "noise", dataclasses.replace(manifest, streams="video"))
    with pytest.raises(records.DataError, match="hold video alone, and video and audio are"):
        pipeline.build_train_dataset(_config(tmp_path), batch_size=1, seed=0)


def test_a_fixed_crop_shows_pixels_as_they_are_stored(data_dir):
    config = _config(data_dir, crop="fixed", **PLAIN)
    stored = {}
    for record in tf.data.TFRecordDataset(
        sorted(map(str, (data_dir / "noise").glob("*.tfrecord")))
    ):
        clip = records.parse_example(record)
        stored[int(clip["clip_id"])] = [
            tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE").numpy()
            for jpeg in clip["frames_jpeg"]
        ]
    (batch,) = _batches(_train(config, batch_size=12, seed=0), 1)
    places = set()
    for clip_id, video in zip(batch["clip_id"], batch["video"], strict=True):
        # Some window of some frame is the first frame, to the pixel.
        windows = [
            (start, top, left)
            for start, frame in enumerate(stored[int(clip_id)])
            for top in range(24 - 16 + 1)
            for left in range(32 - 16 + 1)
            if np.array_equal(frame[top : top + 16, left : left + 16], video[0])
        ]
        assert len(windows) == 1
        places.update(windows)
    assert len({top for _, top, _ in places}) > 3 and len({left for *_, left in places}) > 3


def test_a_fixed_crop_larger_than_the_frames_is_told(data_dir):
    config = _config(data_dir, crop="fixed", image_size=25)
    dataset = _train(config, batch_size=2, seed=0)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="frames are smaller than --image_size"
    ):
        next(iter(dataset))
