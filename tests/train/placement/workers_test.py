import json
import os

import pytest
import tensorflow as tf

from actcl_tf.train.placement import cluster, workers

TEXT = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def test_a_single_process_agrees_with_itself_and_writes_to_the_run():
    alone = workers.Workers()
    assert (alone.count, alone.is_chief) == (1, True)
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.agree(7)
    alone.wait()
    with alone.folder("runs/a") as folder:
        assert folder == "runs/a"


def test_another_worker_writes_where_nothing_stays():
    second = workers.Workers(cluster=cluster.from_tf_config(json.dumps(TEXT)))
    assert (second.count, second.place, second.is_chief) == (2, 1, False)
    with second.folder("runs/a") as folder:
        assert folder != "runs/a"
        with open(os.path.join(folder, "checkpoint"), "w") as file:
            file.write("of no use")
    assert not os.path.exists(folder)


@pytest.mark.parametrize(
    ("error", "is_loss"),
    [
        (tf.errors.UnavailableError(None, None, "Socket closed"), True),
        (tf.errors.CancelledError(None, None, "RPC cancelled"), True),
        (tf.errors.InvalidArgumentError(None, None, "loss : Tensor had NaN"), False),
    ],
)
def test_what_tensorflow_says_of_a_lost_worker(error, is_loss):
    second = workers.Workers(cluster=cluster.from_tf_config(json.dumps(TEXT)))
    assert workers.Workers().explain(error, 5) is None
    told = second.explain(error, 5)
    assert (told is not None) == is_loss
    if is_loss:
        assert "another of the 2 workers died or went silent after step 5" in str(told)
        assert "Start all of them again" in str(told)
