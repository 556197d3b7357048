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
        ({"video_encoder": "vgg"}, "--video_encoder=vgg: must be one of resnet3d_6"),
        ({"temperature": 0.0}, "--temperature=0.0: must be greater than 0.0"),
        ({"sampler_temperature": -1.0}, "--sampler_temperature=-1.0: must be greater than 0.0"),
        ({"key_momentum": 1.5}, "--key_momentum=1.5: must be at least 0.0 and at most 1.0"),
        ({"negatives": "best"}, "--negatives=best: must be one of active, random"),
        ({"learning_rate": -1.0}, "--learning_rate=-1.0"),
        ({"dictionary_size": 100}, "--dictionary_size=100: must be at least --batch_size=128"),
        ({"pool_size": 3900}, "--dictionary_size=3840: larger than --pool_size=3900 can fill"),
        ({"negatives": "in_batch", "batch_size": 1}, "needs at least 2 clips"),
        ({"profile_steps": "5"}, "--profile_steps=5: must be two steps, first <= last"),
        ({"profile_steps": "9,3"}, "--profile_steps=9,3: must be two steps, first <= last"),
        ({"profile_steps": "0,3"}, "from 1 to --steps=1000"),
        ({"profile_steps": "5,9", "steps": 8}, "from 1 to --steps=8"),
        ({"profile_steps": "a,b"}, "such as 100,105"),
        ({"init_from": "a.pth", "video_encoder": "resnet3d_10"}, "--init_from=a.pth: there are we"),
        ({"init_from": "a.pth", "video_encoder": "resnet3d_50"}, "mc3_18, not for resnet3d_50"),
        ({"init_from": "a.pth", "video_width": 0.5}, "for --video_width=1, not for 0.5"),
        (
            {"init_from": "a.pth", "video_strides": "early"},
            "--video_strides=published, not for early",
        ),
        ({"video_strides": "late"}, "--video_strides=late: must be one of published, early"),
        ({"video_strides": "early", "video_encoder": "resnet3d_50"}, "leave it at published"),
        ({"summary_every": -1}, "--summary_every=-1: must be at least 0"),
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


def test_profile_steps():
    assert config.TrainConfig(profile_steps="5,5").profile_range == (5, 5)
    assert config.TrainConfig().profile_range is None


def test_region():
    assert config.DataConfig(region="0.5,0.2,1,0.6").region_box == (0.5, 0.2, 1.0, 0.6)


@pytest.mark.parametrize(
    "section, changes, message",
    [
        ("EvaluationConfig", {"protocol": "x"}, "--protocol=x: must be one of linear, svm"),
        ("EvaluationConfig", {"modality": ("audio", "x")}, "--modality=audio,x: must be some of"),
        ("EvaluationConfig", {"baselines": ("random",) * 2}, "--baselines=random,random: must not"),
        ("EvaluationConfig", {"crops": 2}, "--crops=2: must be 1 or 3"),
        ("EvaluationConfig", {"clips": 0}, "--clips=0: must be at least 1"),
        ("EvaluationConfig", {"audio_window": -1.0}, "--audio_window=-1.0: must be at least 0"),
        (
            "EvaluationConfig",
            {"train_fraction": (0.5, 1.5)},
            "--train_fraction=1.5: must be greater",
        ),
        ("EvaluationConfig", {"shots": (0,)}, "--shots=0: must be at least 1"),
        ("EvaluationConfig", {"folds": (0,)}, "--folds=0: must be at least 1"),
        ("EvaluationConfig", {"test_split": "train"}, "--test_split=train: must not be the split"),
        (
            "EvaluationConfig",
            {"protocol": "retrieval", "shots": (1,)},
            "--shots: has no meaning with --protocol=retrieval",
        ),
        (
            "EvaluationConfig",
            {"protocol": "retrieval", "modality": ("late_fusion",)},
            "--modality=late_fusion: has no meaning",
        ),
        (
            "EvaluationConfig",
            {"protocol": "finetune", "baselines": ("log_mel",)},
            "--baselines=log_mel: are features",
        ),
        ("FinetuneConfig", {"epochs": 0}, "--epochs=0: must be at least 1"),
        ("FinetuneConfig", {"freeze": 6}, "--freeze=6: must be at least 0 and at most 5"),
        ("FinetuneConfig", {"layer_decay": 0.0}, "--layer_decay=0.0: must be greater than 0"),
        ("FinetuneConfig", {"layer_decay": 1.5}, "--layer_decay=1.5: must be .*at most 1"),
        ("FinetuneConfig", {"dropout": 1.0}, "--dropout=1.0: must be at least 0"),
        ("FinetuneConfig", {"optimizer": "x"}, "--optimizer=x: must be one of adam"),
        (
            "FinetuneConfig",
            {"from_scratch": True, "freeze": 1},
            "--freeze=1: fresh weights of --from_scratch must move",
        ),
    ],
)
def test_wrong_settings_of_evaluations_are_named(section, changes, message):
    with pytest.raises(config.ConfigError, match=message):
        getattr(config, section)(**changes)
