"""Whole fine-tunings of tiny encoders: learning, stopping, going on, refusing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.evaluate.protocols import finetune
from actcl_tf.train.callbacks import save_checkpoints
from actcl_tf.train.runs import errors
from tests import small_models

SETTINGS = config.FinetuneConfig(
    epochs=14, batch_size=8, save_every=4, warmup_epochs=1, from_scratch=True, dropout=0.1
)
NUM_TRAIN = 24


def _tones(num, rng):
    """Low, middle and high tones, and which of them each is."""
    targets = np.arange(num) % 3
    pitch = np.array([300.0, 900.0, 2700.0])[targets] * rng.uniform(0.9, 1.1, num)
    phase = rng.uniform(0, 6, [num, 1])
    audio = np.sin(2 * np.pi * pitch[:, None] * np.arange(1600) / 8000 + phase)
    return (0.3 * audio + rng.normal(0, 0.02, audio.shape)).astype(np.float32), targets


def _towers():
    data = config.DataConfig(num_frames=4, image_size=16, time_mask=0.0, frequency_mask=0.0)
    return {"audio": small_models.real_towers(data=data)["audio"]}


def _job(folder, **changes):
    rng = np.random.default_rng(0)
    audio, targets = _tones(NUM_TRAIN, rng)
    test_audio, _ = _tones(9, rng)
    seeds = rng.integers(0, 2**31 - 1, [NUM_TRAIN, 2]).astype(np.int32)

    def make_batches(batch_size, start_step):
        clips = {"audio": audio, "target": targets.astype(np.int64), "seed": seeds}
        dataset = tf.data.Dataset.from_tensor_slices(clips).repeat()
        return dataset.batch(batch_size).skip(start_step)

    def make_tests():
        windows = np.stack([test_audio, test_audio[:, ::-1]], axis=1)
        return tf.data.Dataset.from_tensor_slices({"audio": windows}).batch(4)

    values = {
        "folder": folder,
        "identity": {"data": "tones", "seed": 0},
        "settings": SETTINGS,
        "num_classes": 3,
        "multi_label": False,
        "num_train": NUM_TRAIN,
        "crops": 1,
        "make_towers": _towers,
        "make_batches": make_batches,
        "make_tests": make_tests,
        "num_test": 9,
        "explain": lambda error, step: None,
    }
    return finetune.Job(**{**values, **changes})


def _run(job):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    return finetune.fit_predict(job, strategy=strategy, precision="float32")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "job"
    return folder, _run(_job(folder))


def test_it_learns_to_tell_tones(whole):
    folder, found = whole
    assert found.scores.shape == (9, 3)
    np.testing.assert_allclose(found.scores.sum(1), 1.0, atol=1e-6)
    assert found.scores.argmax(1).tolist() == [0, 1, 2] * 3
    assert found.chosen == {"steps": 42}
    assert (folder / "scalars.jsonl").exists()


def test_stopped_and_gone_on_it_comes_to_the_same(whole, tmp_path):
    """The data fails at step 7, after a checkpoint at step 4."""

    def failing(batch_size, start_step):
        def fail_at_7(place, batch):
            check = tf.debugging.assert_less(place, tf.constant(7, tf.int64))
            with tf.control_dependencies([check]):
                return {key: tf.identity(value) for key, value in batch.items()}

        dataset = _job(tmp_path).make_batches(batch_size, start_step)
        return dataset.enumerate(start_step).map(fail_at_7)

    with pytest.raises(RuntimeError, match="stopped at 7"):
        _run(
            _job(
                tmp_path,
                make_batches=failing,
                explain=lambda error, step: RuntimeError(f"stopped at {step}"),
            )
        )
    np.testing.assert_allclose(_run(_job(tmp_path)).scores, whole[1].scores, atol=1e-6)


def test_data_that_ends_is_no_success(tmp_path):
    def short(batch_size, start_step):
        return _job(tmp_path).make_batches(batch_size, start_step).take(5)

    with pytest.raises(RuntimeError, match="the data ended at step 5 of 42"):
        _run(_job(tmp_path, make_batches=short))


def test_what_is_done_is_not_done_again(whole):
    folder, found = whole

    def no_batches(batch_size, start_step):
        raise AssertionError("trained again")

    again = _run(_job(folder, make_batches=no_batches))
    np.testing.assert_array_equal(again.scores, found.scores)


def test_another_job_in_the_folder_is_refused(whole):
    folder, _ = whole
    with pytest.raises(errors.CheckpointError, match="seed is 0 there, 1 here"):
        _run(_job(folder, identity={"data": "tones", "seed": 1}))
    (folder.parent / "damaged").mkdir()
    (folder.parent / "damaged" / "finetune.json").write_text("{")
    with pytest.raises(errors.CheckpointError, match="is damaged"):
        _run(_job(folder.parent / "damaged"))


def test_what_cannot_be_trained_is_refused(tmp_path):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with pytest.raises(config.ConfigError, match="--precision=mixed_float16"):
        finetune.fit_predict(_job(tmp_path), strategy=strategy, precision="mixed_float16")


@pytest.mark.parametrize(
    "num_train, batch_size, steps",
    [(24, 8, 42), (5, 5, 14), (1, 1, 14), (20, 8, 28), (28, 8, 56)],
)
def test_steps_of_small_training_sets(tmp_path, num_train, batch_size, steps):
    job = _job(tmp_path, num_train=num_train)
    assert (job.batch_size, job.steps) == (batch_size, steps)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"layer_decay": 0.5}, [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]),
        ({"layer_decay": 1.0}, [1.0] * 6),
        ({"layer_decay": 0.5, "from_scratch": True}, [1.0] * 6),
    ],
)
def test_learning_rates_fall_from_the_classifier_down(changes, expected):
    settings = dataclasses.replace(SETTINGS, **{"from_scratch": False, **changes})
    made = finetune.build_optimizers(settings, 10, 0, "float32")
    rates = [float(optimizer.learning_rate) for optimizer in made]
    np.testing.assert_allclose(rates, [1e-3 * share for share in expected], rtol=1e-6)


def test_signals_save_and_stop(tmp_path, monkeypatch):
    """As SIGTERM does: the handler only remembers it, and the step's end stops the run."""
    save = save_checkpoints.SaveCheckpoints.on_step

    def signalled(self, logs):
        if int(self.model.step.numpy()) == 3:
            self._remember(15, None)
        save(self, logs)

    monkeypatch.setattr(save_checkpoints.SaveCheckpoints, "on_step", signalled)
    with pytest.raises(errors.Interrupted):
        _run(_job(tmp_path))
    assert (tmp_path / "checkpoints" / "step-3.index").exists()
