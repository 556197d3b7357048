"""Figures of serving worked out by hand, and who is asked when."""

import numpy as np
import pytest

from actcl_tf.benchmark.serving import report, served_models, timing
from actcl_tf.config import ConfigError


def _turns(name, single, batch, num_bytes=1_500_000, cosine=1.0):
    return timing.Turns(name, num_bytes, cosine, np.array(single), np.array(batch))


# Three rounds of two requests: 0.4, 0.8 and 0.4 s a round.
FIRST = _turns("one", [[0.1, 0.3], [0.4, 0.4], [0.2, 0.2]], [0.8, 1.6, 3.2])
# A round takes a quarter, the same, and half of that.
OTHER = _turns("two", [[0.05, 0.05], [0.4, 0.4], [0.1, 0.1]], [0.8, 0.8, 0.8], 250_000, 0.97)


def test_figures_are_those_worked_out_by_hand():
    first, other = report.summarise([FIRST, OTHER])
    assert first.ratios == ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert (first.megabytes, other.megabytes) == (1.5, 0.25)
    # Sorted: 0.1, 0.2, 0.2, 0.3, 0.4, 0.4; and 0.05, 0.05, 0.1, 0.1, 0.4, 0.4.
    assert first.p50 == pytest.approx(250) and first.p95 == pytest.approx(400)
    assert other.p50 == pytest.approx(100) and other.p95 == pytest.approx(400)
    # Two requests in 0.4 s; eight clips in 1.6 s.
    assert first.rates == pytest.approx((5.0, 5.0))
    assert other.rates == pytest.approx((10.0, 10.0))
    # Of 4, 1 and 2 times as fast, and 1, 2 and 4; the median of ratios, not a ratio of medians.
    assert other.ratios == (pytest.approx((1.5, 2.0, 3.0)), pytest.approx((1.5, 2.0, 3.0)))
    assert other.cosine == 0.97


def test_one_round_of_one_request_has_figures_too():
    (row,) = report.summarise([_turns("alone", [[0.02]], [0.1])])
    assert (row.p50, row.p95) == (pytest.approx(20), pytest.approx(20))
    assert row.rates == pytest.approx((50, 80)) and row.ratios[0] == (1.0, 1.0, 1.0)


def test_the_yardstick_is_the_rate_of_products_by_the_work_of_a_clip():
    products = {"float32": np.array([1e9, 9e9, 2e9]), "bfloat16": np.array([4e9])}
    part = timing.Part("video", (2, 4, 4, 3), 10**8, [FIRST, OTHER], products)
    assert report.as_products(part) == {"float32": 20.0, "bfloat16": 40.0}
    result = timing.Result("of x", [part], 32, 2)
    text = report.table(result)
    assert "video encoder, clips of 2 x 4 x 4 x 3, 0.100 G multiply-adds each" in text
    assert "2.00 [1.50, 3.00]" in text and "0.9700" in text
    assert "20.0 clips/s in float32, 40.0 clips/s in bfloat16" in text
    assert "Medians of 3 rounds in turns, threads of each: 2" in text


def _recording(name, num_bytes, embed, log):
    def encode(clips):
        log.append((name, len(clips)))
        return embed(clips)

    return served_models.Served(name, num_bytes, encode)


def test_forms_take_turns_on_the_same_clips():
    clips = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32)
    log = []
    turned = np.array([[0.8, 0.6], [-0.6, 0.8]], np.float32)  # By an angle of cosine 0.8.
    served = [
        _recording("as sent", 10, lambda x: x, log),
        _recording("turned", 20, lambda x: 3 * x @ turned, log),
    ]
    settings = timing.Settings(serve_rounds=2, serve_requests=4, serve_clips=3)
    (first, other), products = timing.take_turns("video", served, clips, settings)
    assert (first.name, first.num_bytes, other.num_bytes) == ("as sent", 10, 20)
    assert first.cosine == pytest.approx(1.0) and other.cosine == pytest.approx(0.8)
    for turns in (first, other):
        assert turns.single.shape == (2, 4) and turns.batch.shape == (2,)
        assert turns.single.min() > 0 and turns.batch.min() > 0
    assert {name: (len(x), x.min() > 0) for name, x in products.items()} == {
        "float32": (2, True),
        "bfloat16": (2, True),
    }
    # Fewer clips than a batch are sent more than once; four requests take three clips in turn.
    a_turn = [1, 1, 1, 1, timing.BATCH]
    a_round = [(name, size) for name in ("as sent", "turned") for size in a_turn]
    assert log[-20:] == a_round * 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"serve_rounds": 0}, "--serve_rounds=0: must be at least 1"),
        ({"serve_requests": 0}, "--serve_requests=0: must be at least 1"),
        ({"serve_clips": -2}, "--serve_clips=-2: must be at least 1"),
        ({"serve_threads": -1}, "--serve_threads=-1: must be at least 0"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        timing.Settings(**values)
