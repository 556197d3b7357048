"""The whole evaluation, on towers whose answers are known and on real ones."""

import math

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import pipeline
from actcl_tf.evaluate.clips import label_patterns
from actcl_tf.evaluate.features import features
from actcl_tf.evaluate.monitor import monitor, quantities
from actcl_tf.evaluate.protocols import probes
from actcl_tf.models import two_tower

GRID = "(?P<command>[blps])(?P<colour>[bgrw])[abiw][a-z](?P<digit>[z1-9])[a-z]"


class PixelTower(tf.keras.Model):
    """Reads a number below 12 off the first value of a clip: its one-hot vector is the answer."""

    def call(self, inputs, seeds=None, training=None):
        first = tf.reshape(tf.cast(inputs, tf.float32), [tf.shape(inputs)[0], -1])[:, 0]
        vector = tf.one_hot(tf.cast(tf.round(first), tf.int32), 12)
        return two_tower.TowerOutput(vector, vector, vector)


class ConstantTower(tf.keras.Model):
    """The same answer to everything."""

    def call(self, inputs, seeds=None, training=None):
        vector = tf.ones([tf.shape(inputs)[0], 12]) / math.sqrt(12)
        return two_tower.TowerOutput(vector, vector, vector)


def _dataset(numbers, names, labels, audio=None):
    """Clips of two windows, all of whose values are the clip's number."""
    numbers = np.array(numbers)
    audio = numbers if audio is None else np.array(audio)
    clips = {
        "video": np.tile(numbers[:, None, None, None, None, None], [1, 2, 1, 2, 2, 3]),
        "audio": np.tile(audio[:, None, None], [1, 2, 4]).astype(np.float32),
        "label": np.array(labels, np.int64),
        "filename": np.array([name.encode() for name in names]),
        "clip_id": np.arange(len(numbers)),
    }
    clips["video"] = clips["video"].astype(np.uint8)
    return tf.data.Dataset.from_tensor_slices(clips).batch(5)


# Clip i says i % 12; the letter of its name is 'a' or 'b', by i % 2; its class is i % 3.
TRAIN = (
    [i % 12 for i in range(48)],
    [f"x/{'ab'[i % 2]}_{i}.mp4" for i in range(48)],
    [i % 3 for i in range(48)],
)
TEST = (range(12), [f"y/{'ab'[i % 2]}_{i}.mp4" for i in range(12)], [i % 3 for i in range(12)])
PATTERN = r"(?P<letter>[ab])_\d+"


def _measure(video_tower, audio_tower, *datasets, **options):
    return monitor.Evaluator(*datasets, **options)(video_tower, audio_tower)


def test_towers_that_know_all():
    scores = _measure(
        PixelTower(), PixelTower(), _dataset(*TRAIN), _dataset(*TEST), probe_pattern=PATTERN
    )
    expected = {"retrieval/num_clips": 12.0}
    for direction in ("video_to_audio", "audio_to_video"):
        for key in ("r1", "r5", "r10", "r20", "median_rank", "mean_reciprocal_rank"):
            expected[f"retrieval/{direction}/{key}"] = 1.0
        expected[f"retrieval/{direction}/class_r1"] = 1.0
    for encoder in ("video", "audio"):
        for name, chance, ordered in (("label", 1 / 3, 0.0), ("letter", 1 / 2, 1.0)):
            values = {
                "accuracy": 1.0,
                "low": 12 / (12 + 3.841458820694124),
                "high": 1.0,
                "chance": chance,
                "num_train": 48.0,
                "num_test": 12.0,
                "num_unseen": 0.0,
                "windows_in_order": ordered,
            }
            expected.update({f"probe/{encoder}/{name}/{k}": v for k, v in values.items()})
    strengths = {name for name in scores if name.endswith("/c")}
    assert {name: scores[name] for name in scores if name not in strengths} == expected
    assert strengths == {
        f"probe/{e}/{n}/c" for e in ("video", "audio") for n in ("label", "letter")
    }
    assert all(type(value) is float for value in scores.values())


def test_each_encoder_is_probed_by_itself():
    # The sound of every clip says the same, so only the picture knows.
    train, test = (_dataset(*part, audio=[0] * len(part[0])) for part in (TRAIN, TEST))
    scores = _measure(PixelTower(), PixelTower(), train, test)
    assert scores["probe/video/label/accuracy"] == 1.0
    assert scores["probe/audio/label/accuracy"] == pytest.approx(1 / 3)
    assert scores["retrieval/video_to_audio/r1"] == 0.0


def test_towers_that_know_nothing():
    scores = _measure(ConstantTower(), ConstantTower(), _dataset(*TRAIN), _dataset(*TEST))
    assert scores["retrieval/video_to_audio/r1"] == 0.0
    assert scores["retrieval/audio_to_video/median_rank"] == 12.0
    assert scores["probe/video/label/accuracy"] == scores["probe/video/label/chance"]


def test_without_training_clips_or_labels_there_is_retrieval_only():
    unlabelled = [(part[0], part[1], [-1] * len(part[0])) for part in (TRAIN, TEST)]
    for train, test in (
        (None, _dataset(*TEST)),
        (_dataset(*unlabelled[0]), _dataset(*unlabelled[1])),
    ):
        scores = _measure(PixelTower(), PixelTower(), train, test)
        assert len(scores) == 13
        assert all(name.startswith("retrieval/") for name in scores)


def test_clips_without_a_label_are_left_out_of_the_probe():
    labels = [-1 if i % 4 == 0 else i % 3 for i in range(48)]
    scores = _measure(
        PixelTower(), PixelTower(), _dataset(TRAIN[0], TRAIN[1], labels), _dataset(*TEST)
    )
    assert scores["probe/video/label/num_train"] == 36.0
    assert scores["probe/video/label/num_test"] == 12.0


def test_evaluator_follows_the_towers_it_is_given():
    evaluator = monitor.Evaluator(None, _dataset(*TEST))
    good, bad = PixelTower(), ConstantTower()
    assert evaluator(good, good)["retrieval/video_to_audio/r1"] == 1.0
    assert evaluator(bad, bad)["retrieval/video_to_audio/r1"] == 0.0
    assert evaluator(good, good)["retrieval/video_to_audio/r1"] == 1.0


def test_real_towers_on_prepared_data(tiny_data, tiny_run):
    run = tiny_run()
    datasets = [
        pipeline.build_eval_dataset(run.data, split=split, batch_size=8, num_windows=2)
        for split in ("train", "test")
    ]
    tf.keras.utils.set_random_seed(0)
    towers = two_tower.build_towers(run.model, run.data, sample_rate=8000, num_audio_samples=3200)
    scores = _measure(
        *towers,
        *datasets,
        probe_pattern=r"(?P<level>[bdm])(?P<parity>[01])_\d+",
        classes=["bright", "dim", "middle"],
    )
    assert all(math.isfinite(value) for value in scores.values())
    # Brightness and pitch are there for any encoder to see; parity is in nothing.
    for encoder in ("video", "audio"):
        assert scores[f"probe/{encoder}/label/accuracy"] > 0.6
        assert scores[f"probe/{encoder}/level/accuracy"] > 0.6
        assert scores[f"probe/{encoder}/parity/low"] < 0.5
    assert scores["retrieval/num_clips"] == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bbaf2n.mp4", ("b", "b", "2")),
        ("speakers/s1/prwizs.mpg", ("p", "r", "z")),
        ("C:\\grid\\lgbs1p.mpg", ("l", "g", "1")),
        ("swwv9a", ("s", "w", "9")),
    ],
)
def test_labels_from_names(name, expected):
    found = label_patterns.labels_from_names(
        label_patterns.compile_pattern(GRID), [name, "bbaf2n.mp4"]
    )
    assert [found[group][0] for group in ("command", "colour", "digit")] == list(expected)
    assert list(found) == ["command", "colour", "digit"]


def test_a_pattern_may_describe_the_extension():
    pattern = label_patterns.compile_pattern(r"\d+\.(?P<kind>\w+)")
    assert label_patterns.labels_from_names(pattern, ["1.mp4", "2.avi"]) == {"kind": ["mp4", "avi"]}


@pytest.mark.parametrize("name", ["bbaf0n.mp4", "xbbaf2n.mp4", "bbaf2n_2.mp4", "s1/bbaf2", ""])
def test_a_name_that_does_not_match_is_named(name):
    with pytest.raises(config.ConfigError, match=r"--probe_pattern=.*does not match") as error:
        label_patterns.labels_from_names(label_patterns.compile_pattern(GRID), ["bbaf2n.mp4", name])
    assert repr(name) in str(error.value)


def test_a_group_that_takes_no_part_is_an_error():
    pattern = label_patterns.compile_pattern("(?P<one>a)|(?P<two>b)")
    with pytest.raises(config.ConfigError, match="each named group included"):
        label_patterns.labels_from_names(pattern, ["a.mp4"])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<digit>[", "must be a regular expression"),
        ("([a-z])", "must have named groups"),
        ("(?P<label>[a-z])", "none named 'label'"),
    ],
)
def test_a_wrong_pattern_is_found_before_any_work(pattern, message):
    with pytest.raises(config.ConfigError, match=f"--probe_pattern=.*{message}"):
        monitor.Evaluator(None, _dataset(*TEST), probe_pattern=pattern)


def test_a_name_with_one_value_only_cannot_be_probed():
    with pytest.raises(probes.ProbeError, match=r"probe of first from video: .* 2 classes"):
        _measure(
            PixelTower(),
            PixelTower(),
            _dataset(TRAIN[0], ["same_1.mp4"] * 48, TRAIN[2]),
            _dataset(TEST[0], ["same_2.mp4"] * 12, TEST[2]),
            probe_pattern=r"(?P<first>\w)ame_\d",
        )


def test_find_probes_names_the_classes():
    def part(labels):
        empty = np.zeros([len(labels), 1, 1], np.float32)
        names = [f"{label}.mp4" for label in labels]
        return features.Features(*[empty] * 4, np.array(labels), names, np.arange(len(labels)))

    train, test = part([0, 1, -1, 2]), part([2, -1])
    found = monitor.find_probes(train, test, classes=["bell", "drum"])
    assert found == {"label": monitor.ProbeLabels(["bell", "drum", None, "2"], ["2", None], "mean")}
    assert monitor.find_probes(part([0, 0]), test) == {}
    assert monitor.find_probes(train, part([-1])) == {}


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        # Of four classes the one with the fewest training clips, even none.
        ([0, 0, 1, 1, 2, 3, 3], [0, 1, 2, 3, 2, -1], [0, 0, 1, 0, 1, 0]),
        ([0, 0, 1, 2], [0, 1, 2, 3], [0, 0, 0, 1]),
        # Equally rare: the lower index.
        ([3, 3, 2], [0, 1, 2, 3], [1, 0, 0, 0]),
        # A quarter of eight is two.
        ([0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7], list(range(8)), [1, 1, 0, 0, 0, 0, 0, 0]),
        # All alike, fewer than four, or none: there is no rarest quarter.
        ([0, 1, 2, 3], [0, 1, 2, 3], [0, 0, 0, 0]),
        ([0, 1, 1, 2], [0, 1, 2], [0, 0, 0]),
        ([-1, -1], [-1], [0]),
    ],
)
def test_the_rarest_quarter_of_classes(train, test, expected):
    found = monitor.rarest(np.array(train), np.array(test))
    assert found.dtype == bool and found.tolist() == [bool(value) for value in expected]


def test_rare_classes_and_known_quantities_are_measured(tmp_path):
    # Clip i says i % 12; class 3 is rare, and its clips' audio says the number of another clip.
    numbers = [i % 12 for i in range(44)]
    labels = [i % 4 for i in range(44)]
    keep = [i for i in range(44) if labels[i] != 3 or i < 24]
    train = _dataset(*([part[i] for i in keep] for part in (numbers, map_names("x", 44), labels)))
    test_labels = [i % 4 for i in range(12)]
    audio = [(i + 4) % 12 if i % 4 == 3 else i for i in range(12)]
    test = _dataset(range(12), map_names("y", 12), test_labels, audio=audio)
    table = tmp_path / "known.csv"
    rows = [f"{name},{number}" for name, number in zip(map_names("x", 44), numbers, strict=True)]
    rows += [f"{name},{i}" for i, name in enumerate(map_names("y", 12))]
    table.write_text("\n".join(["path,video/number", *rows]) + "\n")
    scores = _measure(PixelTower(), PixelTower(), train, test, known=quantities.Quantities(table))
    for direction in ("video_to_audio", "audio_to_video"):
        assert scores[f"retrieval/{direction}/r1"] == 0.75
        assert scores[f"retrieval/{direction}/rarest_r1"] == 0.0
        # The other clip is of the same class: numbers 3, 7 and 11 are all of class 3.
        assert scores[f"retrieval/{direction}/class_r1"] == 1.0
        assert scores[f"retrieval/{direction}/rarest_class_r1"] == 1.0
    assert scores["probe/video/label/rarest_accuracy"] == 1.0
    assert scores["regression/video/number/r2"] == pytest.approx(1.0, abs=0.01)
    assert "regression/audio/number/r2" not in scores


def map_names(prefix, num):
    return [f"{prefix}/{i}.mp4" for i in range(num)]
