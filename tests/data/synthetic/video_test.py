"""Video: measured size, place and direction of the object; the background knows no cause."""

import dataclasses

import numpy as np
import pytest

from actcl_tf.data.synthetic import categories, scene
from actcl_tf.data.synthetic import video as synthetic_video

PLAIN = dataclasses.replace(
    scene.draw_nuisance(0, "train", 0),
    background="plain",
    background_colors=((0.2, 0.2, 0.2), (0.2, 0.2, 0.2)),
    object_colors=((0.8, 0.7, 0.6), (0.5, 0.6, 0.5)),
    outline=1.0,
    x_center=0.5,
    x_reach=0.0,
    orientation=0.0,
    shake=0.0,
    video_noise=0.0,
)


def render(causes, nuisance=PLAIN, times=(0.0,), size=96):
    return synthetic_video.render_video(causes, nuisance, times=np.asarray(times), size=size)


def still(material, radius, height=0.5):
    return scene.Causes("swing", material, radius, 1.0, 0.0, height, 0.0)


def mask(frame):
    """Pixels that are not the plain background (51 of 255)."""
    return (np.abs(frame.astype(int) - 51) > 20).any(-1)


def test_shape_dtype_and_range():
    frames = render(still("bell", 0.2), times=np.arange(5) / 12.5, size=64)
    assert frames.shape == (5, 64, 64, 3) and frames.dtype == np.uint8
    assert frames.max() > 150 and frames.min() == 51


# Area in shares of the radius squared. A hiss fades out over 0.35 of its radius: the threshold of
# `mask`, a sixth of its contrast, is passed at 1.12 of the radius, so its area is 1.12^2 pi.
@pytest.mark.parametrize(
    ("material", "area", "tolerance"),
    # A bell is a ring whose hole takes a quarter.
    [
        ("bell", 0.75 * np.pi, 0.08),
        ("wood", 3.14, 0.08),
        ("buzz", 2.41, 0.05),
        ("hiss", 3.94, 0.05),
    ],
)
@pytest.mark.parametrize("radius", [0.12, 0.18, 0.28])
def test_size_is_seen(material, area, tolerance, radius):
    seen = mask(render(still(material, radius), size=320)[0]).mean()
    assert seen / radius**2 == pytest.approx(area, rel=tolerance)


@pytest.mark.parametrize("motion", categories.MOTIONS)
def test_object_is_where_the_scene_says(motion):
    causes = scene.draw_causes(0, "train", 4, f"{motion}_bell", 3.0)
    nuisance = dataclasses.replace(PLAIN, x_reach=0.1)
    times = np.arange(20) / 12.5
    course = scene.state(causes, nuisance, times)
    for frame, x, height in zip(
        render(causes, nuisance, times), course.x, course.height, strict=True
    ):
        rows, columns = np.nonzero(mask(frame))
        assert (columns.mean() + 0.5) / 96 == pytest.approx(x, abs=0.01)
        assert 1 - (rows.mean() + 0.5) / 96 == pytest.approx(height, abs=0.01)


@pytest.mark.parametrize("material", categories.MATERIALS)
def test_mark_shows_the_direction(material):
    causes = still(material, 0.25)
    up = render(causes)[0].astype(int)
    right = render(causes, dataclasses.replace(PLAIN, orientation=np.pi / 2))[0].astype(int)
    np.testing.assert_allclose(np.rot90(up, -1), right, atol=1)
    # Far from symmetric: a turn is seen, also by half a turn.
    assert (np.abs(np.rot90(up, 2) - up).max(-1) > 60).mean() > 0.01


def test_materials_look_different():
    images = [render(still(material, 0.2))[0].astype(float) for material in categories.MATERIALS]
    for i, one in enumerate(images):
        for other in images[:i]:
            assert np.abs(one - other)[mask(one.astype(np.uint8))].mean() > 10


def test_large_objects_show_more_stripes():
    def changes(radius):
        row = render(still("wood", radius), size=256)[0, 140].astype(int)[:, 0]
        return np.count_nonzero(np.diff(row > 165))

    assert changes(0.28) > changes(0.18) > changes(0.12)


def test_impact_flattens_the_object():
    causes = scene.Causes("bounce", "bell", 0.2, 0.5, 0.0, 0.3, 0.4)
    ratios = []
    for frame in render(causes, times=(0.0, 0.25)):
        rows, columns = np.nonzero(mask(frame))
        ratios.append(np.ptp(columns) / np.ptp(rows))
    assert ratios[0] > 1.6 and ratios[1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("background", ["checks", "clouds", "plain", "spots", "stripes"])
def test_background_is_the_same_whatever_the_cause(background):
    nuisance = dataclasses.replace(
        scene.draw_nuisance(5, "train", 7), background=background, x_center=0.5, x_reach=0.0
    )
    times = np.arange(6) / 12.5
    frames = [render(still(material, 0.15), nuisance, times) for material in categories.MATERIALS]
    moving = scene.draw_causes(0, "test", 1, "bounce_bell", 3.0)
    frames.append(render(dataclasses.replace(moving, radius=0.15), nuisance, times))
    for other in frames[1:]:
        np.testing.assert_array_equal(other[:, :, :12], frames[0][:, :, :12])
    assert nuisance.background_colors[0] != nuisance.background_colors[1]
    assert frames[0][:, :, :12].astype(float).std((1, 2)).max() > 2


def test_camera_shake_moves_the_background_and_only_then():
    times = np.arange(8) / 12.5
    base = dataclasses.replace(
        PLAIN, background="stripes", background_colors=((0.1,) * 3, (0.6,) * 3)
    )
    calm = render(still("bell", 0.12), base, times)
    np.testing.assert_array_equal(calm, np.broadcast_to(calm[0], calm.shape))
    shaken = render(still("bell", 0.12), dataclasses.replace(base, shake=0.012), times)
    assert np.abs(np.diff(shaken[:, :, :12].astype(int), axis=0)).mean() > 1


@pytest.mark.parametrize("shake", [0.012, 5.0])  # However hard: never off the backdrop.
def test_shake_stays_on_the_backdrop(shake):
    frames = render(still("bell", 0.2), dataclasses.replace(PLAIN, shake=shake), np.arange(9) / 9)
    assert frames.shape == (9, 96, 96, 3) and frames.min() == 51


def test_sensor_noise_has_its_level():
    nuisance = dataclasses.replace(PLAIN, video_noise=0.02)
    corner = render(still("bell", 0.2), nuisance, np.arange(10) / 12.5)[:, :20, :20, 0]
    assert corner.astype(float).std() / 255 == pytest.approx(0.02, rel=0.1)


def test_companions_are_painted_where_they_belong():
    bare = still("wood", 0.2)
    for build, side in (("1000", (-1, 1)), ("0100", (1, 1)), ("0010", (-1, 0)), ("0001", (1, 0))):
        frame = render(dataclasses.replace(bare, build=build))[0]
        extra = mask(frame) & ~mask(render(bare)[0])
        rows, columns = np.nonzero(extra)
        # A disc of 0.4 radii, a part of which the object hides: to the left or right, above or at
        # half height.
        assert 0.5 * np.pi * 0.08**2 < extra.mean() < 1.1 * np.pi * 0.08**2
        assert np.sign(columns.mean() - 47.5) == side[0]
        assert (47.5 - rows.mean() > 0.15 * 96) == bool(side[1])


def test_all_builds_look_different():
    frames = [
        render(dataclasses.replace(still("bell", 0.2), build=b))[0] for b in categories.BUILDS
    ]
    assert len({frame.tobytes() for frame in frames}) == 16
