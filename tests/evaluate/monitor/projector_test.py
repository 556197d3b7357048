import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins import projector as plugin

from actcl_tf.evaluate.features import features
from actcl_tf.evaluate.monitor import projector


def _encoded(num=3, windows=2, labels=(1, -1, 0), names=None):
    rng = np.random.default_rng(0)

    def units(*shape):
        rows = rng.normal(size=shape).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    return features.Features(
        video=units(num, windows, 5),
        audio=units(num, windows, 6),
        video_embedding=units(num, windows, 4),
        audio_embedding=units(num, windows, 4),
        labels=np.resize(labels, num),
        filenames=names or [f"test/{index}.mp4" for index in range(num)],
        clip_ids=np.arange(num),
    )


def test_points_are_unit_means_over_windows_videos_first():
    encoded = _encoded()
    found = projector.points(encoded)
    assert found.shape == (6, 4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)
    expected = encoded.audio_embedding[1].mean(axis=0)
    np.testing.assert_allclose(found[4], expected / np.linalg.norm(expected), rtol=1e-5)


def test_opposite_windows_give_no_nan():
    encoded = _encoded(1)
    row = np.array([[[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]], np.float32)
    assert not projector.points(encoded._replace(video_embedding=row))[0].any()


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (
            (1, -1),
            ["a.mp4", "b.mp4"],
            [
                "clip\tmodality\tlabel",
                "a.mp4\tvideo\tdog",
                "b.mp4\tvideo\tnone",
                "a.mp4\taudio\tdog",
                "b.mp4\taudio\tnone",
            ],
        ),
        ((-1,), ["a.mp4"], ["clip\tmodality", "a.mp4\tvideo", "a.mp4\taudio"]),
        ((7,), ["a"], ["clip\tmodality\tlabel", "a\tvideo\t7", "a\taudio\t7"]),
        ((-1,), ["t\tn\n\udcff.mp4"], ["clip\tmodality", "t n \ufffd.mp4\tvideo"]),
    ],
)
def test_metadata_has_a_line_for_each_point(labels, names, expected):
    encoded = _encoded(len(labels), labels=labels, names=names)
    found = projector.metadata_text(encoded, ["cat", "dog"]).splitlines()
    assert found[: len(expected)] == expected
    assert len(found) == 1 + 2 * len(labels)


@pytest.mark.parametrize(("num", "columns"), [(1, 2), (2, 2), (3, 3), (13, 6)])
def test_sprites_lie_where_the_projector_looks_for_them(num, columns):
    levels = np.arange(num) * 10 + 5
    frames = np.broadcast_to(levels[:, None, None, None], [num, 20, 30, 3]).astype(np.uint8)
    image = projector.sprites(tf.constant(frames)).numpy()
    size = projector.SPRITE_SIZE
    assert image.shape == (columns * size, columns * size, 3)
    for point in range(2 * num):
        top, left = (size * place for place in divmod(point, columns))
        sprite = image[top : top + size, left : left + size]
        assert (sprite[size // 2, size // 2] == levels[point % num]).all()
        corner = levels[point] if point < num else [255, 140, 0]
        assert (sprite[0, 0] == corner).all()


def test_the_sprite_image_is_one_that_browsers_take():
    columns = np.ceil(np.sqrt(2 * projector.MAX_CLIPS))
    assert columns * projector.SPRITE_SIZE <= 8192


def test_files_after_each_evaluation(tmp_path):
    asked = []

    def make_frames(clip_ids):
        asked.append(clip_ids)
        video = np.zeros([len(clip_ids), 1, 2, 8, 8, 3], np.uint8)
        return tf.data.Dataset.from_tensor_slices({"video": video}).batch(200)

    num = projector.MAX_CLIPS + 100
    shown = projector.Projector(tmp_path, make_frames, ["cat", "dog"])
    shown.write(0)
    assert not any(tmp_path.iterdir())  # Nothing was observed.
    first = _encoded(num)
    shown.observe(first)
    shown.write(0)
    second = first._replace(video_embedding=-first.video_embedding)
    shown.observe(second)
    shown.write(300)
    assert len(asked) == 1
    assert (asked[0][0], asked[0][-1], len(asked[0])) == (0, num - 1, projector.MAX_CLIPS)
    config = text_format.Parse(
        (tmp_path / "projector_config.pbtxt").read_text(), plugin.ProjectorConfig()
    )
    names = [embedding.tensor_name for embedding in config.embeddings]
    assert names == ["held-out clips at the last evaluation", "held-out clips before training"]
    latest, initialised = (
        np.loadtxt(tmp_path / embedding.tensor_path) for embedding in config.embeddings
    )
    assert latest.shape == (2 * projector.MAX_CLIPS, 4)
    half = projector.MAX_CLIPS
    np.testing.assert_allclose(latest[:half], -initialised[:half], rtol=1e-5)
    np.testing.assert_allclose(latest[half:], initialised[half:], rtol=1e-5)
    for embedding in config.embeddings:
        lines = (tmp_path / embedding.metadata_path).read_text().splitlines()
        assert len(lines) == 1 + len(latest)
        png = (tmp_path / embedding.sprite.image_path).read_bytes()
        assert png.startswith(b"\x89PNG")
