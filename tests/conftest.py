"""Fixtures shared by all tests, and the order in which their files run."""

import contextlib
import fcntl
import functools
import os
import pathlib
import shutil
from collections import Counter
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # As the tools do; errors are raised.

import pytest

# Chooses TensorFlow's kernels and its Keras, which tests import by themselves.
import actcl_tf  # noqa: F401

# Files that take longest, the longest first. They begin first, so that none of them is left alone
# on one core while the others have nothing to do.
LONGEST = (
    "train/training_run_test.py",
    "tools/evaluate_test.py",
    "contrast/kmeanspp_test.py",
    "tools/train_test.py",
    "train/model/pretrain_model_test.py",
    "data/input/pipeline_test.py",
    "train/model/replicas_test.py",
    "pretrained/encoders_test.py",
    "tools/study_test.py",
    "tools/export_test.py",
    "export/lite_test.py",
    "benchmark/input/input_time_test.py",
    "train/callbacks/tensorboard_test.py",
    "data/input/skip_ledger_test.py",
    "export/saved_models_test.py",
    "tools/search_test.py",
    "data/input/data_service_test.py",
    "models/two_tower_test.py",
    "data/records/contract_test.py",
    "train/model/compiled_step_test.py",
    "fuzz/fuzz_test.py",
    "data/media/clip_cutting_test.py",
    "train/model/classifier_model_test.py",
    "data/prepare/media_index_test.py",
    "tools/benchmark_test.py",
    "evaluate/features/encoders_test.py",
    "contrast/seeding_variants_test.py",
    "export/conversion_test.py",
    "train/model/accumulation_test.py",
    "train/model/diagnosis_test.py",
    "contrast/negative_sampling_test.py",
    "models/torchvision_weights_test.py",
    "evaluate/protocols/finetune_test.py",
)


def pytest_collection_modifyitems(items: list) -> None:
    """Puts the files that take longest first, then those of many tests."""
    here, sizes = pathlib.Path(__file__).parent, Counter(item.path for item in items)
    ranks = {here / name: rank for rank, name in enumerate(LONGEST)}
    # Stable: the tests of a file stay in their order.
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), -sizes[item.path], item.path))


@contextlib.contextmanager
def made_once(tmp_path_factory, name: str) -> Iterator[tuple[pathlib.Path, bool]]:
    """A path for all test processes of a session, and whether this one is to write there."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield base / name, not (base / name).exists()


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real recordings; tests that ask for it skip where it is missing."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = pathlib.Path(os.environ.get("ACTCL_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real recordings not found at {folder}; set ACTCL_TEST_DATA to their folder")
    return folder


@pytest.fixture
def rng():
    """A NumPy generator with a fixed seed."""
    import numpy as np

    return np.random.default_rng(0)


def write_tiny_split(folder: pathlib.Path, split: str, num_clips: int, seed: int) -> None:
    """Writes a split of clips whose brightness and loudness share a cause, in two shards.

    Each clip has 10 frames of 32x40 at 10 frames a second and 1 s of sound at 8 kHz.
    """
    import numpy as np
    import tensorflow as tf

    from actcl_tf.data.records import example_building, records

    rng = np.random.default_rng(seed)
    classes = ["dim", "middle", "bright"]
    target = folder / split
    target.mkdir(parents=True)
    shards = []
    for shard in range(2):
        name = records.shard_name(split, shard, 2)
        members = range(shard, num_clips, 2)
        with tf.io.TFRecordWriter(str(target / name)) as writer:
            for i in members:
                level = (i % 3 + rng.uniform(0.1, 0.9)) / 3.0
                frames = rng.integers(0, 30, size=(10, 32, 40, 3)) + level * 220
                tone = np.sin(2 * np.pi * (200 + 1500 * level) * np.arange(8000) / 8000)
                example = example_building.build_example(
                    example_id=f"{split}/{i}",
                    filename=f"{split}/{classes[i % 3][0]}{i % 2}_{i:03d}.mp4",
                    frames_jpeg=[
                        tf.io.encode_jpeg(tf.constant(f.astype("uint8"))).numpy() for f in frames
                    ],
                    waveform=(tone * (0.2 + 0.6 * level)).astype("float32"),
                    height=32,
                    width=40,
                    frame_rate=10.0,
                    sample_rate=8000,
                    start_us=0,
                    end_us=1_000_000,
                    labels=[i % 3],
                    label_texts=[classes[i % 3]],
                )
                writer.write(example.SerializeToString())
        shards.append({"name": name, "clips": len(members)})
    manifest = records.Manifest(
        split=split,
        num_clips=num_clips,
        num_shards=2,
        shards=shards,
        classes=classes,
        frame_rate=10.0,
        sample_rate=8000,
        min_frames=10,
        min_height=32,
        min_width=40,
        height=32,
        width=40,
        duration=float(num_clips),
        tool_version="test",
    )
    records.write_manifest(target, manifest)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> pathlib.Path:
    """A small prepared data set: 30 training and 12 test clips of three classes."""
    folder = tmp_path_factory.mktemp("tiny_data")
    write_tiny_split(folder, "train", 30, seed=0)
    write_tiny_split(folder, "test", 12, seed=1)
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_data):
    """Makes the configuration of a tiny run in a folder; keyword arguments change its flags."""
    from actcl_tf import config

    def make(run_dir, **changes):
        values = {
            "data_dir": str(tiny_data),
            "run_dir": str(run_dir),
            "num_frames": 4,
            "image_size": 16,
            "video_encoder": "resnet3d_6",
            "video_width": 0.125,
            "audio_encoder": "resnet2d_6",
            "audio_width": 0.125,
            "mel_bands": 16,
            "hidden_size": 16,
            "embedding_size": 8,
            "dictionary_size": 12,
            "pool_size": 20,
            "batch_size": 6,
            "steps": 8,
            "warmup_steps": 2,
            "save_every": 4,
            "log_every": 2,
            "summary_every": 0,
            "precision": "float32",
        }
        return config.from_flat({**values, **changes})

    return make


@pytest.fixture(scope="session")
def exported_model(tmp_path_factory) -> pathlib.Path:
    """The export of `exports.small_run()`, for all test processes: change a copy."""
    from tests import exports

    with made_once(tmp_path_factory, "exported") as (folder, is_mine):
        if is_mine:
            made = exports.save(exports.small_run(), tmp_path_factory.mktemp("export") / "model")
            shutil.move(made, folder)
    return folder


@pytest.fixture
def tiny_run(tiny_config, tmp_path):
    """Makes configurations of a tiny run in the test's own folder."""
    return functools.partial(tiny_config, tmp_path / "run")
