import pytest

from actcl_tf import config
from actcl_tf.benchmark.seeding import seeding_settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"picks": 0}, "--picks=0: must be at least 1"),
        ({"embedding": 0}, "--embedding=0: must be at least 1"),
        ({"repeats": -1}, "--repeats=-1: must be at least 1"),
        ({"explicit_limit_mb": -1}, "--explicit_limit_mb=-1: must be at least 0"),
        ({"points": ()}, "--points=: must be one or more of gaussian, clustered"),
        ({"points": ("gauss",)}, "--points=gauss: must be one or more of"),
        ({"points": ("gaussian",) * 2}, "--points=gaussian,gaussian: must be one or more of"),
        ({"ways": ("blocked_xla", "lloyd")}, "--ways=blocked_xla,lloyd: must be one or more of"),
        ({"ways": ("plain_xla",)}, "--ways=plain_xla: must be with blocked_xla in it"),
        ({"sizes": ()}, "--sizes=: must be one or more numbers from 1, each larger than the last"),
        ({"sizes": (200, 200)}, "--sizes=200,200: must be one or more numbers from 1, each"),
        ({"sizes": (127,)}, "--sizes=127: must be at least 128 each"),
        ({"sizes": (7,), "ladder": (), "picks": 1}, "--sizes=7: must be at least 8 each"),
        ({"ladder": (64, 128)}, "--ladder=64,128: must be at least 128 each"),
        ({"ladder": (128, 255)}, "--ladder=128,255: must be numbers that are each twice"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(config.ConfigError) as error:
        seeding_settings.Settings(**values)
    assert str(error.value).startswith(message)


def test_explicit_points_are_left_out_where_they_are_many():
    settings = seeding_settings.Settings(ladder=())
    # 1,280 x 128 x 512 numbers of 4 bytes are 336 MB, 4,096 as many are 1,074 MB.
    assert settings.ways_at(1280) == list(seeding_settings.WAYS)
    few = [way for way in seeding_settings.WAYS if way not in seeding_settings.EXPLICIT]
    assert settings.ways_at(4096) == few and len(few) == 11
