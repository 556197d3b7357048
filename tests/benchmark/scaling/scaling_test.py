import pytest

from actcl_tf import config
from actcl_tf.benchmark.scaling import scaling, scaling_costs, scaling_counts, scaling_settings

# Two modalities; D = d = 1, rows of 28 and 32 bytes, no gradients.
_COUNTS = scaling_counts.Counts((scaling_counts.Modality(1, 1, 0, 28, 32, 16),) * 2, 0)
_NOTHING = scaling_costs.Fit(0.0, 0.0, 0.0, 0.0)
# A second for a thousand keys, and 100 bytes a key.
_COSTS = scaling_costs.Costs(
    _NOTHING._replace(of_key=1e-3), _NOTHING, scaling_costs.Peak(100.0, 0.0)
)


def _rows(costs=_COSTS, dictionary_size=20, **values):
    values = {"replicas": (1, 4, 16), "pools": (100, 1000), "replica_batch": 5, **values}
    settings = {f"scaling_{name}": value for name, value in values.items()}
    run = config.from_flat({"dictionary_size": dictionary_size, "batch_size": 4})
    found = scaling.tabulate(run, scaling_settings.Settings(**settings), _COUNTS, costs)
    return {(row["pool_size"], row["replicas"]): row for row in found}


def test_rows_by_hand():
    rows = _rows(step_seconds=1.0, bandwidth=1e-6)  # 1,000 bytes a second.
    assert list(rows) == [(n, r) for n in (100, 1000) for r in (1, 4, 16)]
    alone = rows[1000, 1]
    assert alone["sharded"] is None and alone["batch_size"] == 5 and alone["dictionary_size"] == 20
    assert alone["whole"]["gathered_bytes"] == alone["whole"]["exchange_seconds"] == 0
    assert alone["whole"]["kept_bytes"] == 2 * (16 + 20 * 28 + 1000 * 32)
    assert alone["whole"]["scratch_bytes"] == 2 * 100 * 1000
    assert alone["whole"]["sampling_seconds"] == pytest.approx(2.0)
    assert alone["whole"]["step_seconds"] == pytest.approx(3.0)

    four = rows[1000, 4]
    # A clip's id and label, and keys, features and queries of both modalities, from three others.
    own = 3 * 5 * (16 + 3 * 8)
    assert four["whole"]["gathered_bytes"] == own
    assert four["sharded"]["gathered_bytes"] == own + 3 * 20 * 2 * 32
    # And in a ring the sums of four statistics, of 4 bytes each.
    summed = 2 * 3 / 4 * 16
    assert four["whole"]["exchange_seconds"] == pytest.approx((own + summed) / 1e3)
    assert four["sharded"]["kept_bytes"] == 2 * (16 + 20 * 28 + 250 * 32)
    assert four["sharded"]["sampling_seconds"] == pytest.approx(2 * (0.25 + 0.08))
    # The finalists are 4 x 20 rows of each modality.
    assert four["sharded"]["scratch_bytes"] == 2 * 100 * 250 + 80 * 64


def test_a_dictionary_holds_the_batch_and_a_pool_more():
    rows = _rows()
    assert rows[1000, 16]["dictionary_size"] == rows[1000, 16]["batch_size"] == 80
    assert rows[100, 16]["whole"] is None and rows[100, 16]["sharded"] is None
    assert rows[100, 16]["choice"] == "-"
    assert rows[100, 4]["whole"] is not None


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (16.0, {1: "whole", 4: "sharded", 16: "whole"}),
        (1e-4, {1: "none", 4: "sharded", 16: "none"}),
        (1e-9, {1: "none", 4: "none", 16: "none"}),
    ],
)
def test_the_faster_of_what_fits_is_chosen(memory, expected):
    rows = _rows(pools=(1000,), memory_gb=memory)
    assert {replicas: row["choice"] for (_, replicas), row in rows.items()} == expected


def test_a_faster_replica_samples_in_less_time():
    one, ten = (_rows(speed=speed)[1000, 4]["whole"] for speed in (1.0, 10.0))
    assert one["sampling_seconds"] == pytest.approx(10 * ten["sampling_seconds"])
    assert one["exchange_seconds"] == ten["exchange_seconds"]
    assert one["step_seconds"] - ten["step_seconds"] == pytest.approx(9 * ten["sampling_seconds"])


@pytest.mark.parametrize("negatives", ["moco", "in_batch"])
def test_a_run_without_a_pool_is_refused(negatives):
    run = config.from_flat({"negatives": negatives})
    with pytest.raises(config.ConfigError, match=f"--negatives={negatives}: has no pool"):
        scaling.measure(run, scaling_settings.Settings())
