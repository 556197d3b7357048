"""Folds and draws against rows worked out by hand."""

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import clip_table, splits
from tests import labelled_data as made

PARTS = [("train", "test"), ("test", "train"), ("train", ""), ("train", "train")]


def _settings(**changes):
    return config.EvaluationConfig(**changes)


def _rows(folds):
    return [(fold.name, fold.train.tolist(), fold.test.tolist()) for fold in folds]


def test_official_folds():
    table = made.table("abcd", parts=PARTS, split_of=["all"] * 4)
    assert _rows(splits.find_folds(table, _settings())) == [
        ("fold 1", [0, 2, 3], [1]),
        ("fold 2", [1, 3], [0]),
    ]
    assert _rows(splits.find_folds(table, _settings(folds=(2,)))) == [("fold 2", [1, 3], [0])]
    with pytest.raises(config.ConfigError, match="--folds=3: must be from 1 to 2"):
        splits.find_folds(table, _settings(folds=(3,)))
    with pytest.raises(records.DataError, match="name no folds"):
        splits.find_folds(made.table("ab", split_of=["all"] * 2), _settings())


def test_two_splits_are_one_fold():
    table = made.table("abc", split_of=["train", "train", "test"])
    assert _rows(splits.find_folds(table, _settings())) == [("test", [0, 1], [2])]


def test_which_splits_are_read(tmp_path):
    classes = ("a",)
    one = [made.record("x", 0, classes=classes, folds=("train",))]
    made.write(tmp_path / "folded", "all", one, classes=classes)
    assert splits.names_of(_settings(), str(tmp_path / "folded")) == ("all",)
    made.write(tmp_path / "plain", "train", one, classes=classes)
    assert splits.names_of(_settings(), str(tmp_path / "plain")) == ("train", "test")
    with pytest.raises(config.ConfigError, match=r"--folds=1: .* was not prepared with --fold=all"):
        splits.names_of(_settings(folds=(1,)), str(tmp_path / "plain"))


@pytest.mark.parametrize("side", ["train", "test"])
def test_an_empty_side_is_refused(side):
    parts = [[side], [side]]
    table = made.table("ab", parts=parts, split_of=["all"] * 2)
    with pytest.raises(records.DataError, match=r"fold 1 has no (train|test) clips"):
        splits.find_folds(table, _settings())


def test_a_video_on_both_sides_is_refused():
    table = made.table(["a", "b", "b"], split_of=["train", "train", "test"])
    with pytest.raises(records.DataError, match="clips of 1 videos stand on both sides, first 'b'"):
        splits.find_folds(table, _settings())


def test_clips_without_a_label_are_left_out():
    targets = clip_table.Targets("label", ["a", "b"], np.array([0, -1, 1, -1, 0]))
    kept = splits.labelled([made.fold([0, 1, 2], [3, 4])], targets)
    assert _rows(kept) == [("test", [0, 2], [4])]
    with pytest.raises(records.DataError, match="test: no test clip has a label of 'label'"):
        splits.labelled([made.fold([0, 1], [3])], targets)


def test_sizes_and_draws():
    labels = np.repeat([0, 1], 20)
    targets = clip_table.Targets("label", ["a", "b"], np.concatenate([labels, labels]))
    folds = [made.fold(range(40), range(40, 60))]
    names = [f"v{i // 2}" for i in range(80)]  # Two clips of each video.
    settings = _settings(train_fraction=(0.1, 1.0), shots=(3,), draws=4)
    found = {each.name: each.folds for each in splits.subsets(folds, targets, names, settings)}
    assert list(found) == ["fraction=0.1", "fraction=1", "shots=3"]
    assert [[len(fold.train) for fold in each] for each in found.values()] == [
        [4] * 4,  # 1 of 10 videos of each of 2 classes.
        [40],  # All of them: there is one way to draw them.
        [12] * 4,
    ]
    assert [fold.name for fold in found["shots=3"]] == [f"test, draw {k}" for k in (1, 2, 3, 4)]
    assert len({tuple(fold.train) for fold in found["shots=3"]}) > 1
    for each in found.values():
        for fold in each:
            assert fold.test.tolist() == list(range(40, 60))
            videos = [names[row] for row in fold.train]
            assert all(videos.count(name) == 2 for name in videos)
    (whole,) = splits.subsets(folds, targets, names, _settings())
    assert (whole.name, whole.folds) == ("", folds)


def test_what_a_reader_must_know():
    names = [f"v{i}" for i in range(12)]
    classes = ["cat", "dog", "owl", "yak"]
    #                 train: 5 cats, 3 dogs, no owl; test: a cat, an owl, an owl
    values = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 2, -1])
    targets = clip_table.Targets("label", classes, values)
    folds = splits.labelled([made.fold(range(8), range(8, 12))], targets)

    def warned(**changes):
        subsets = list(splits.subsets(folds, targets, names, _settings(**changes)))
        return splits.warnings(folds, targets, subsets)

    unseen = "label, test: 1 class occurs only in the test split, and is never found: owl (2)"
    few = (
        "label, test: 3 test clips measure nothing; some hundred give a score that can be compared"
    )
    assert warned() == warned(shots=(3,)) == warned(train_fraction=(0.1,)) == [unseen, few]
    assert warned(shots=(4, 6)) == [
        "label, shots=4: 1 of 4 classes have fewer training videos, of which all are taken: "
        "dog (3)",
        "label, shots=6: 2 of 4 classes have fewer training videos, of which all are taken: "
        "cat (5), dog (3)",
        unseen,
        few,
    ]
    several = clip_table.Targets("label", classes, np.eye(4, dtype=bool)[values])
    assert splits.warnings([made.fold(range(8), range(8, 11))], several, []) == [unseen, few]
    (line,) = splits.warnings([made.fold(range(8), range(1))], several, [])
    assert line.startswith("label, test: 1 test clip measure")
    assert splits.warnings([made.fold(range(8), [*range(8), 0, 1])], several, []) == []
    (line,) = splits.warnings([made.fold(range(5), [*range(10)])], several, [])
    assert line.endswith(
        "2 classes occur only in the test split, and are never found: dog (3), owl (1)"
    )


def test_several_labels_cannot_be_drawn():
    targets = clip_table.Targets("label", ["a", "b"], np.eye(2, dtype=bool))
    with pytest.raises(config.ConfigError, match="may have several labels"):
        list(splits.subsets([made.fold([0], [1])], targets, "ab", _settings(shots=(1,))))
