"""Scenes: courses worked out by hand, what stays in the frame, and that nuisance says nothing."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from actcl_tf.data.synthetic import categories, scene

NUISANCE = dataclasses.replace(
    scene.draw_nuisance(0, "train", 0), x_center=0.5, x_reach=0.0, orientation=0.0, spin_direction=1
)
BOUNCE = scene.Causes("bounce", "bell", 0.2, 0.5, 0.0, 0.2, 0.4)
SWING = scene.Causes("swing", "bell", 0.2, 1.0, 0.25, 0.2, 0.4)
SPIN = scene.Causes("spin", "bell", 0.2, 1.0, 0.0, 0.5, 0.0)
HOP = scene.Causes("hop", "bell", 0.2, 0.5, 0.0, 0.3, 0.4, (-2.0, 0.5, 1.1), (0.3, 0.7, 0.4))


def draw(count, split="train", seed=0):
    names = [categories.list_categories()[i % 16] for i in range(count)]
    return [
        (scene.draw_causes(seed, split, i, name, 3.0), scene.draw_nuisance(seed, split, i))
        for i, name in enumerate(names)
    ]


def test_sixteen_categories_of_four_motions_and_four_materials():
    names = categories.list_categories()
    assert len(set(names)) == 16
    assert tuple(sorted(names)) == names
    assert "bounce_bell" in names and "swing_wood" in names


@pytest.mark.parametrize(
    ("causes", "time", "height"),
    [
        (BOUNCE, 0.0, 0.2),  # On the floor.
        (BOUNCE, 0.125, 0.5),  # 0.2 + 0.4 * 4 * 0.25 * 0.75
        (BOUNCE, 0.25, 0.6),  # At the top.
        (BOUNCE, 0.5, 0.2),
        (SWING, 0.0, 0.4),  # A quarter gone: the middle, going up.
        (SWING, 0.25, 0.6),
        (SWING, 0.75, 0.2),
        (SPIN, 0.0, 0.56),  # 0.3 of the radius above the pivot.
        (SPIN, 0.25, 0.5),
        (SPIN, 0.5, 0.44),
        (HOP, 0.0, 0.3),
        (HOP, 0.499, 0.3),
        (HOP, 0.5, 0.7),  # The moment of the hop belongs to the new place.
        (HOP, 5.0, 0.4),  # After the last hop it stays.
    ],
)
def test_heights_worked_out_by_hand(causes, time, height):
    got = scene.state(causes, NUISANCE, np.array([time]))
    np.testing.assert_allclose(got.height, [height], atol=1e-12)


def test_spin_turns_the_mark_clockwise_and_moves_the_centre_with_it():
    got = scene.state(SPIN, NUISANCE, np.array([0.0, 0.25, 0.5]))
    np.testing.assert_allclose(got.angle, [0.0, np.pi / 2, np.pi])
    np.testing.assert_allclose(got.x, [0.5, 0.56, 0.5], atol=1e-12)
    back = scene.state(SPIN, dataclasses.replace(NUISANCE, spin_direction=-1), np.array([0.25]))
    np.testing.assert_allclose(back.x, [0.44], atol=1e-12)


def test_no_times_give_no_states():
    assert all(part.shape == (0,) for part in scene.state(HOP, NUISANCE, np.zeros(0)))


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        (dataclasses.replace(BOUNCE, phase=0.25, period=0.4), [0.3, 0.7, 1.1]),
        (SPIN, [0.0, 1.0]),
        (HOP, [0.5, 1.1]),
        (SWING, []),
    ],
)
def test_event_times_worked_out_by_hand(causes, expected):
    times = scene.event_times(causes, 1.4)
    np.testing.assert_allclose(times[(times >= 0) & (times < 1.4)], expected, atol=1e-12)
    assert np.all(np.diff(times) > 0)
    # What sounded before the first frame is there too, so that it can still ring.
    assert causes is SWING or times[0] <= -1.0


@pytest.mark.parametrize(
    ("radius", "height", "hertz"),
    [
        (0.15, 0.5, 1100.0),
        (0.3, 0.5, 275.0),  # Twice the size: two octaves down.
        (0.15, 0.9, 1100.0 * 2**0.5),  # 0.4 of the frame up: half an octave.
        (0.3, 0.1, 275.0 / 2**0.5),
    ],
)
def test_size_sets_the_pitch_and_height_bends_it(radius, height, hertz):
    causes = dataclasses.replace(BOUNCE, radius=radius)
    np.testing.assert_allclose(scene.pitch_contour(causes, np.array([height])), [hertz])


def test_loudness_follows_the_motion():
    times = np.arange(0.0, 1.0, 0.001)
    swing, bounce = scene.loudness(SWING, times), scene.loudness(BOUNCE, times)
    np.testing.assert_array_equal(swing, 1.0)
    # Struck at 0 and 0.5 s: loud at once, a tenth or less just before the next impact.
    assert bounce[5] > 0.9 and bounce[505] > 0.9 and bounce[499] < 0.1
    spin = scene.loudness(SPIN, times)
    assert spin.argmax() == 0 and spin.argmin() == 500 and spin.min() < 0.1
    hop = scene.loudness(HOP, times)
    assert hop[506] > 0.9 and 0.3 < hop[499] < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_objects_stay_in_the_frame(seed):
    times = np.linspace(0.0, 3.0, 301)
    for causes, nuisance in draw(160, seed=seed):
        course = scene.state(causes, nuisance, times)
        low, high = causes.radius - 1e-9, 1 - causes.radius + 1e-9
        spare = 0.3 * causes.radius if causes.motion == "spin" else 0.0
        assert course.height.min() >= low - spare and course.height.max() <= high + spare
        assert course.x.min() > 0.15 and course.x.max() < 0.85
        assert course.stretch.min() > 0.6 and course.stretch.max() <= 1.0


def test_hops_are_uneven_cover_the_clip_and_always_change_the_height():
    for causes, _ in draw(320):
        if causes.motion != "hop":
            continue
        gaps = np.diff(causes.hop_times) / causes.period
        assert gaps.min() >= 0.75 and gaps.max() <= 1.25 and gaps.std() > 0.01
        assert causes.hop_times[-1] >= 3.0
        room = 1 - 2 * causes.radius
        assert np.abs(np.diff(causes.hop_heights)).min() >= 0.25 * room - 1e-9


def test_draws_depend_on_seed_split_and_index_only():
    def key(seed, split, index):
        causes = scene.draw_causes(seed, split, index, "bounce_bell", 3.0)
        return causes.radius, scene.draw_nuisance(seed, split, index).seed

    assert key(1, "train", 2) == key(1, "train", 2)
    others = [(1, "train", 2), (2, "train", 2), (1, "test", 2), (1, "train", 3), (2, "train", 1)]
    keys = [key(*other) for other in others]
    assert len(set(keys)) == len({radius for radius, _ in keys}) == len(others)


def test_clips_of_a_category_vary_widely():
    clips = [scene.draw_causes(0, "train", i, "bounce_bell", 3.0) for i in range(400)]
    radius = np.array([clip.radius for clip in clips])
    period = np.array([clip.period for clip in clips])
    # Uniform on a logarithmic scale, over the whole range: more than two octaves of pitch.
    for values, low, high in ((radius, 0.15, 0.32), (period, 0.35, 0.9)):
        share = np.log(values / low) / np.log(high / low)
        assert stats.kstest(share, "uniform").pvalue > 0.01
    pitch = np.array([clip.pitch for clip in clips])
    assert np.log2(pitch.max() / pitch.min()) > 2.1
    assert abs(np.corrcoef(radius, period)[0, 1]) < 0.15


def test_nuisance_says_nothing_about_the_causes():
    clips = draw(3200)
    names = categories.list_categories()
    category = np.array([names.index(f"{c.motion}_{c.material}") for c, _ in clips])
    numbers = {
        field.name: np.array([np.ravel(getattr(nuisance, field.name)) for _, nuisance in clips])
        for field in dataclasses.fields(scene.Nuisance)
        if field.name != "background"
    }
    columns = [column for values in numbers.values() for column in values.T]
    columns = [column for column in columns if column.std() > 0]
    assert len(columns) > 20
    # Means by category do not differ, and neither do the nuisances go with size or rhythm.
    by_category = [
        stats.f_oneway(*(column[category == c] for c in range(16))).pvalue for column in columns
    ]
    assert min(by_category) > 0.01 / len(columns)
    for name in ("radius", "phase"):
        cause = np.array([getattr(causes, name) for causes, _ in clips])
        pvalues = [stats.spearmanr(cause, column).pvalue for column in columns]
        assert min(pvalues) > 0.01 / len(columns)
    kinds = sorted({nuisance.background for _, nuisance in clips})
    table = np.zeros((16, len(kinds)))
    for row, (_, nuisance) in zip(category, clips, strict=True):
        table[row, kinds.index(nuisance.background)] += 1
    assert len(kinds) == 5 and stats.chi2_contingency(table).pvalue > 0.01


def test_objects_stand_out_from_their_background_in_grey():
    for _, nuisance in draw(300):
        first, second = (np.mean(color) for color in nuisance.background_colors)
        assert abs(np.mean(nuisance.object_colors[0]) - (first + second) / 2) > 0.15
