"""The plan of the built-in data set: settings, category counts, clips and their parameters."""

import collections

import numpy as np
import pytest

from actcl_tf.data.synthetic import categories, plan


@pytest.mark.parametrize(
    ("num_clips", "zipf", "expected"),
    [
        (16, 0.0, [1] * 16),
        (1000, 0.0, [63] * 8 + [62] * 8),
        (0, 0.0, [0] * 16),
        (5, 0.0, [1] * 5 + [0] * 11),
        # Shares of 1 / rank^2: 631.18, 157.79, 70.13, 39.45 ...; whole parts give 992, and the
        # eight largest remainders (.466 of the last, not .448 of the fourth) get one each.
        (
            1000,
            2.0,
            [631, 158, 70, 39, 25, 18, 13, 10, 8, 6, 5, 4, 4, 3, 3, 3],
        ),
        # Hardly anything is left for the rare ones, but each has one.
        (20, 5.0, [5] + [1] * 15),
    ],
)
def test_category_counts_worked_out_by_hand(num_clips, zipf, expected):
    counts = plan.category_counts(num_clips, zipf, seed=3)
    assert list(counts) == list(categories.list_categories())
    assert sorted(counts.values(), reverse=True) == expected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("zipf", [0.5, 1.0, 1.5])
def test_category_counts_follow_zipf(seed, zipf):
    num_clips = 2000 + 37 * seed
    counts = sorted(plan.category_counts(num_clips, zipf, seed).values(), reverse=True)
    shares = np.arange(1, 17) ** -zipf
    wanted = num_clips * shares / shares.sum()
    assert sum(counts) == num_clips and np.abs(np.array(counts) - wanted).max() < 1


def test_seed_decides_which_category_is_frequent():
    top = set()
    for seed in range(20):
        counts = plan.category_counts(500, 1.0, seed)
        top.add(max(counts, key=counts.get))
    assert len(top) > 5


def test_long_tail_is_in_the_training_split_only():
    settings = plan.SyntheticSettings(num_train=400, num_test=160, zipf=1.0)
    counts = {split: collections.Counter() for split in ("train", "test")}
    for item in plan.list_items(settings):
        counts[item.split][item.category] += 1
    assert counts["train"] == plan.category_counts(400, 1.0, 0)
    assert max(counts["train"].values()) > 100
    assert set(counts["test"].values()) == {10} and len(counts["test"]) == 16


def test_items_have_their_own_paths_and_are_mixed():
    items = plan.list_items(plan.SyntheticSettings(num_train=64, num_test=32))
    assert len({item.path for item in items}) == 96
    assert [item.index for item in items] == [*range(64), *range(32)]
    assert items[0].path == f"train/{items[0].category}/00000.mp4"
    assert len({item.category for item in items[:16]}) > 5


def test_takes_are_of_one_category_and_of_as_many_clips():
    settings = plan.SyntheticSettings(num_train=200, num_test=32, zipf=1.0, takes=8)
    items = plan.list_items(settings)
    groups = collections.defaultdict(list)
    for item in items:
        groups[item.split, item.first].append(item)
    for (split, first), takes in groups.items():
        assert takes[0].index == first and len({take.category for take in takes}) == 1
        assert len(takes) <= (8 if split == "train" else 1)
    # Only the last object of a category can have fewer.
    counts = plan.category_counts(200, 1.0, 0)
    of_train = [takes for (split, _), takes in groups.items() if split == "train"]
    assert len(of_train) == sum(-(-count // 8) for count in counts.values())


def test_more_builds_are_more_categories():
    counts = plan.category_counts(512, 0.0, 0, builds=4)
    assert len(counts) == 64 and set(counts.values()) == {8}
    assert list(counts)[:4] == [
        f"bounce_bell_{build}" for build in ("0000", "1000", "0100", "1100")
    ]
    settings = plan.SyntheticSettings(num_train=64, num_test=64, builds=4)
    test = [item.category for item in plan.list_items(settings) if item.split == "test"]
    assert sorted(test) == sorted(counts)


@pytest.mark.parametrize(
    ("choice", "same"),
    [
        ("all", {"pitch", "period", "phase", "base_height", "travel", "events"}),
        ("category", set()),
        ("category+size", {"pitch"}),
        ("category+pitch", {"base_height", "travel"}),
        ("category+beats", {"period", "phase", "events"}),
        ("category+beats+size", {"period", "phase", "events", "pitch"}),
    ],
)
@pytest.mark.parametrize("takes", [1, 2])
def test_seen_and_heard_share_what_is_asked_for(choice, same, takes):
    settings = plan.SyntheticSettings(
        num_train=64, num_test=0, builds=2, takes=takes, shared_causes=choice
    )
    names = ("pitch", "period", "phase", "base_height", "travel", "events")
    equal = collections.Counter()
    for item in plan.list_items(settings):
        row = plan.clip_parameters(settings, item)
        for name in names:
            equal[name] += row[name] == row[f"heard_{name}"]
        shown = plan.draw_scene(settings, item)
        for name in ("motion", "material", "build"):
            assert getattr(shown.seen, name) == getattr(shown.heard, name)
        assert len(shown.heard.hop_heights) == len(shown.heard.hop_times)
    for name in names:
        if name in same:
            assert equal[name] == 64, name
        else:  # A spin does not travel, and a swing has no beats.
            assert equal[name] <= {"travel": 20, "events": 20}.get(name, 2), name


def test_takes_are_alike_and_not_the_same():
    settings = plan.SyntheticSettings(num_train=64, num_test=0, takes=4)
    items = {item.index: item for item in plan.list_items(settings)}
    for item in items.values():
        own = plan.draw_scene(settings, item)
        first = plan.draw_scene(settings, items[item.first])
        for name in ("motion", "material", "radius", "period"):
            assert getattr(own.seen, name) == getattr(first.seen, name)
        assert own.nuisance.background_colors == first.nuisance.background_colors
        assert abs(own.nuisance.x_center - first.nuisance.x_center) <= 0.02
        if item.index != item.first:
            assert own.seen.phase != first.seen.phase
            assert own.nuisance.seed != first.nuisance.seed
            assert (own.seen.hop_heights == first.seen.hop_heights) == (own.seen.motion != "hop")


def test_what_is_not_shared_says_nothing():
    settings = plan.SyntheticSettings(num_train=800, num_test=0, shared_causes="category")
    items = plan.list_items(settings)
    rows = [plan.clip_quantities(settings, item) for item in items if "bounce" in item.category]
    for name in ("size", "period", "height", "travel"):
        seen, heard = (
            np.array([float(row[f"{m}/{name}"]) for row in rows]) for m in ("video", "audio")
        )
        assert abs(np.corrcoef(seen, heard)[0, 1]) < 0.2 and seen.std() == pytest.approx(
            heard.std(), rel=0.2
        )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_train": -1}, "--num_train=-1: must be at least 0"),
        ({"num_train": 0, "num_test": 0}, "at least one clip"),
        ({"seed": -1}, "--seed=-1"),
        ({"zipf": -0.5}, "--zipf=-0.5: must be 0 (balanced) to 5"),
        ({"zipf": float("nan")}, "--zipf=nan"),
        ({"builds": 17}, "--builds=17: must be 1 to 16"),
        ({"takes": 0}, "--takes=0: must be at least 1"),
        ({"shared_causes": "size"}, "--shared_causes=size: must be category, all, or category+"),
        ({"shared_causes": "category+size+size"}, "--shared_causes=category+size+size"),
        ({"shared_causes": "category+smell"}, "--shared_causes=category+smell"),
        ({"size": 97}, "--size=97: must be even, 32 to 1024"),
        ({"size": 16}, "--size=16"),
        ({"frame_rate": 0.0}, "--frame_rate=0.0: must be 1 to 60"),
        ({"seconds": 0.1}, "--seconds=0.1: must be 0.5 to 60"),
        ({"sample_rate": 10000}, "--sample_rate=10000: must be one of 8000, 11025"),
    ],
)
def test_wrong_settings_are_named(values, words):
    with pytest.raises(plan.SyntheticError) as caught:
        plan.SyntheticSettings(**values)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_length_of_a_clip():
    settings = plan.SyntheticSettings()
    assert settings.num_frames == 38 and settings.num_samples == 48000


def test_parameters_are_those_of_the_scene():
    settings = plan.SyntheticSettings(num_train=32, num_test=0)
    for item in plan.list_items(settings):
        row = plan.clip_parameters(settings, item)
        causes, _, nuisance = plan.draw_scene(settings, item)
        assert row["path"] == item.path
        assert row["category"] == f"{row['motion']}_{row['material']}" == item.category
        assert float(row["radius"]) == pytest.approx(causes.radius, abs=1e-5)
        assert float(row["pitch"]) == pytest.approx(1100 * (0.15 / causes.radius) ** 2, rel=1e-5)
        assert float(row["gain_db"]) == pytest.approx(nuisance.gain_db, abs=1e-5)
        events = [float(time) for time in row["events"].split()]
        assert all(0 <= time <= 3 for time in events)
        assert (len(events) == 0) == (causes.motion == "swing")
