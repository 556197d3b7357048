import json

from actcl_tf.train.callbacks import scalar_log


def test_what_is_written_anew_stands_in_the_place_of_the_old(tmp_path):
    log = scalar_log.ScalarLog(str(tmp_path), 1, 6)
    log.write(3, {"a": 1.0, "b": 2.0})
    log.write(3, {"a": 4.0})
    log.write(4, {"a": 1.0, "b": 2.0})
    log.write_anew(3, {"b": 5.0, "a": 6.0})
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    assert lines == [
        {"step": 3, "a": 4.0},
        {"step": 4, "a": 1.0, "b": 2.0},
        {"step": 3, "a": 6.0, "b": 5.0},
    ]
