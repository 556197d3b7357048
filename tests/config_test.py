import dataclasses

import pytest

from actcl_tf import config


def test_every_field_is_explained_and_named_once():
    names = [f.name for cls in config.SECTIONS.values() for f in dataclasses.fields(cls)]
    assert len(names) == len(set(names))
    for cls in config.SECTIONS.values():
        for field in dataclasses.fields(cls):
            assert field.metadata["help"].endswith(".")


def test_defaults_are_valid_and_survive_json():
    run = config.from_flat({})
    assert config.from_dict(run.to_dict()) == run


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_frames": 0}, "--num_frames=0: must be at least 1"),
        ({"image_size": 8}, "--image_size=8: must be at least 16"),
        ({"min_crop_area": 0.0}, "--min_crop_area=0.0: must be greater than 0.0 and at most 1.0"),
        ({"color_jitter": float("nan")}, "--color_jitter=nan"),
        ({"region": "0,0,1"}, "--region=0,0,1: must be four numbers"),
        ({"region": "0,0.5,1,0.5"}, "left < right"),
        ({"video_encoder": "vgg"}, "--video_encoder=vgg: must be one of resnet3d_10"),
        ({"temperature": 0.0}, "--temperature=0.0: must be greater than 0.0"),
        ({"key_momentum": 1.5}, "--key_momentum=1.5: must be at least 0.0 and at most 1.0"),
        ({"negatives": "best"}, "--negatives=best: must be one of active, random"),
        ({"learning_rate": -1.0}, "--learning_rate=-1.0"),
        ({"dictionary_size": 100}, "--dictionary_size=100: must be at least --batch_size=128"),
        ({"pool_size": 3900}, "--dictionary_size=3840: larger than --pool_size=3900 can fill"),
        ({"negatives": "in_batch", "batch_size": 1}, "needs at least 2 clips"),
        ({"speed": 3}, "no such setting: speed"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(config.ConfigError) as caught:
        config.from_flat(values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("negatives", "dictionary", "pool"),
    [
        ("active", True, True),
        ("random", True, True),
        ("hardest", True, True),
        ("moco", True, False),
        ("in_batch", False, False),
    ],
)
def test_what_the_negatives_need(negatives, dictionary, pool):
    contrast = config.ContrastConfig(negatives=negatives)
    assert (contrast.uses_dictionary, contrast.uses_pool) == (dictionary, pool)


def test_a_pool_may_be_small_where_it_is_not_used():
    config.from_flat({"negatives": "moco", "pool_size": 1})


def test_region():
    assert config.DataConfig(region="0.5,0.2,1,0.6").region_box == (0.5, 0.2, 1.0, 0.6)
