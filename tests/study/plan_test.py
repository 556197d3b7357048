import pytest

from actcl_tf import config
from actcl_tf.study import plan


def test_axes_are_read():
    assert plan.read_axis("dictionary_size=32, 128") == ("dictionary_size", ("32", "128"))
    assert plan.read_axis("zipf=1") == ("zipf", ("1",))


@pytest.mark.parametrize("text", ["", "zipf", "zipf=", "=1", "zipf=1,1", "--zipf=1", "Zipf=1"])
def test_what_is_no_axis(text):
    with pytest.raises(config.ConfigError, match=f"--vary={text}: must be a flag"):
        plan.read_axis(text)


def test_strategies_are_read():
    assert plan.read_strategy("moco").flags == (("negatives", "moco"),)
    assert plan.read_strategy("active+gradient_space=embedding+first_pick=uniform").flags == (
        ("negatives", "active"),
        ("gradient_space", "embedding"),
        ("first_pick", "uniform"),
    )


@pytest.mark.parametrize("text", ["", "best", "active+", "active+tau", "active+tau=", "+a=1"])
def test_what_is_no_strategy(text):
    with pytest.raises(config.ConfigError, match="must be one of active, random"):
        plan.read_strategy(text)


def test_cells_are_a_product_seed_by_seed():
    strategies = [plan.read_strategy(name) for name in ("random", "active")]
    axes = [("zipf", ("0", "1")), ("batch_size", ("8",))]
    cells = plan.list_cells(axes, strategies, range(3, 5))
    assert len(cells) == 2 * 2 * 2
    assert [cell.seed for cell in cells] == [3] * 4 + [4] * 4
    assert cells[0].setting == (("zipf", "0"), ("batch_size", "8"))
    assert [cell.strategy.name for cell in cells[:4]] == ["random", "active"] * 2
    assert cells[3].name == "zipf=1,batch_size=8_active_seed=3"
    assert len({cell.name for cell in cells}) == len(cells)


def test_without_axes_there_is_one_setting():
    (cell,) = plan.list_cells([], [plan.read_strategy("random")], range(1))
    assert (cell.setting, cell.name) == ((), "random_seed=0")


def test_names_are_safe_as_folders():
    (cell,) = plan.list_cells([("data_dir", ("/a b/c",))], [plan.read_strategy("random")], range(1))
    assert cell.name == "data_dir=-a-b-c_random_seed=0"


def test_what_comes_twice_is_refused():
    random = plan.read_strategy("random")
    with pytest.raises(config.ConfigError, match="each flag can vary once"):
        plan.list_cells([("zipf", ("0",)), ("zipf", ("1",))], [random], range(1))
    with pytest.raises(config.ConfigError, match="each can come once"):
        plan.list_cells([], [random, random], range(1))
