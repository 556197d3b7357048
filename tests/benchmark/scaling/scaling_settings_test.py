import pytest

from actcl_tf import config
from actcl_tf.benchmark.scaling import scaling_settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": ()}, "--scaling_replicas=: must be one or more numbers from 1"),
        ({"replicas": (2, 1)}, "--scaling_replicas=2,1: must be one or more numbers from 1"),
        ({"replicas": (0, 1)}, "--scaling_replicas=0,1: must be one or more numbers from 1"),
        ({"pools": (8, 8)}, "--scaling_pools=8,8: must be one or more numbers from 1"),
        ({"replica_batch": 0}, "--scaling_replica_batch=0: must be at least 1"),
        ({"rounds": 0}, "--scaling_rounds=0: must be at least 1"),
        ({"bandwidth": 0.0}, "--scaling_bandwidth=0.0: must be above 0"),
        ({"memory_gb": -1.0}, "--scaling_memory_gb=-1.0: must be above 0"),
        ({"step_seconds": float("inf")}, "--scaling_step_seconds=inf: must be above 0"),
        ({"speed": float("nan")}, "--scaling_speed=nan: must be above 0"),
        ({"measured_picks": (8,)}, "--scaling_measured_picks=8: must be two or more numbers"),
        ({"measured_pools": (4096,)}, "--scaling_measured_pools=4096: must be two or more"),
        (
            {"measured_pools": (63, 128), "measured_picks": (8, 16)},
            "--scaling_measured_pools=63,128: must be at least 64 each, 4 times the largest of",
        ),
        ({"points": "gauss"}, "--scaling_points=gauss: must be one of gaussian, clustered"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(config.ConfigError) as error:
        scaling_settings.Settings(**{f"scaling_{name}": value for name, value in values.items()})
    assert str(error.value).startswith(message)


def test_least_values_are_allowed():
    settings = scaling_settings.Settings(
        scaling_measured_pools=(64, 65), scaling_measured_picks=(8, 16), scaling_replicas=(1,)
    )
    assert settings.scaling_measured_pools == (64, 65)
