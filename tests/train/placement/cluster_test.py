import json

import pytest

from actcl_tf import config
from actcl_tf.train.placement import cluster, strategy


def _text(workers=("a:1", "b:2"), job="worker", index=1, **jobs):
    named = {**jobs, "worker": list(workers)}
    return json.dumps({"cluster": named, "task": {"type": job, "index": index}})


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("TF_CONFIG", "TPU_NAME", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "addresses", "place"),
    [
        (_text(), ["a:1", "b:2"], 1),
        (_text(index=0), ["a:1", "b:2"], 0),
        (_text(chief=["c:3"]), ["c:3", "a:1", "b:2"], 2),
        (_text(chief=["c:3"], job="chief", index=0), ["c:3", "a:1", "b:2"], 0),
        (_text(["[::1]:5"], index=0), ["[::1]:5"], 0),
    ],
)
def test_tf_config_names_workers_and_place(text, addresses, place):
    found = cluster.from_tf_config(text)
    assert (found.addresses, found.place) == (addresses, place)
    spec = strategy.resolver(found).cluster_spec()
    assert spec.task_address(found.job, found.index) == addresses[place]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "TF_CONFIG is not set; --strategy=multi_worker needs it"),
        ("{", "TF_CONFIG is no JSON"),
        ("[]", 'TF_CONFIG has no object "cluster"'),
        ('{"cluster": {}}', 'TF_CONFIG "cluster" names no workers'),
        ('{"cluster": {"worker": ["a:1"]}}', 'TF_CONFIG has no object "task"'),
        ('{"cluster": {"worker": []}}', 'must have a list of "host:port" as "worker"'),
        ('{"cluster": {"worker": "a:1"}}', 'must have a list of "host:port" as "worker"'),
        (_text(["a:1", "b"]), '"worker" has "b", which is no "host:port"'),
        (_text(["a:1", "b:99999"]), '"b:99999", which is no "host:port"'),
        (_text(["a:1", "a:1"]), '"cluster" has "a:1" more than once'),
        (_text(ps=["c:3"]), 'has a job "ps"; only "chief" and "worker" train'),
        (_text(chief=["c:3", "d:4"]), '"cluster" has 2 chiefs; there may be one'),
        (_text(job="evaluator"), 'must have one of [\'worker\'] as "type", got "evaluator"'),
        (_text(index=2), 'must have an "index" from 0 to 1, got 2'),
        (_text(index="1"), 'must have an "index" from 0 to 1, got "1"'),
    ],
)
def test_a_wrong_tf_config_is_told_in_one_line(text, message):
    with pytest.raises(config.ConfigError) as error:
        cluster.from_tf_config(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def _slurm(monkeypatch, **changes):
    values = {
        "PROCID": "2",
        "STEP_NUM_TASKS": "4",
        "STEP_NODELIST": "n[1-2]",
        "STEP_TASKS_PER_NODE": "2(x2)",
        "JOB_ID": "501",
    }
    for name, value in {**values, **changes}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)


def test_slurm_names_nodes_tasks_and_a_port_range_of_the_job(monkeypatch):
    _slurm(monkeypatch)
    found = cluster.find("auto")
    assert found.addresses == ["n1:20016", "n1:20017", "n2:20016", "n2:20017"]
    assert (found.place, found.source) == (2, "Slurm")
    assert cluster.find("slurm") == found


def test_slurm_without_srun_is_refused(monkeypatch):
    _slurm(monkeypatch, PROCID="")
    with pytest.raises(config.ConfigError, match=r"SLURM_PROCID is not set; start .* by srun"):
        cluster.find("slurm")


def test_auto_takes_several_workers_only_where_they_are_named(monkeypatch):
    auto = config.TrainConfig()
    assert cluster.find_for(auto) is None
    with pytest.raises(config.ConfigError, match="neither TF_CONFIG nor a Slurm job step"):
        cluster.find_for(config.TrainConfig(strategy="multi_worker"))
    _slurm(monkeypatch)
    assert cluster.find_for(auto).source == "Slurm"
    monkeypatch.setenv("TF_CONFIG", _text())
    assert cluster.find_for(auto).source == "TF_CONFIG"
    assert cluster.find_for(config.TrainConfig(cluster="slurm")).source == "Slurm"
    assert cluster.find_for(config.TrainConfig(strategy="mirrored")) is None
    monkeypatch.setenv("TF_CONFIG", _text(["a:1"], index=0))
    assert cluster.find_for(auto) is None  # One worker needs no others.
