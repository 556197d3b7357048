import csv
import json

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.study import measures, plan, report

SHIFTS = {"random": 0.0, "active": 0.1, "moco": 0.0}
STRATEGIES = [plan.read_strategy(name) for name in SHIFTS]
CELLS = plan.list_cells([("zipf", ("0", "1"))], STRATEGIES, range(5))


def _write_run(folder, r1, figures=None):
    folder.mkdir(parents=True)
    scores = {
        "retrieval/video_to_audio/r1": r1,
        "retrieval/audio_to_video/r1": r1 + 0.02,
        "probe/audio/label/accuracy": 0.9,
        "probe/audio/label/rarest_accuracy": 0.4,
        "regression/video/size/r2": 0.25,
    }
    records = [
        {"step": 5, "eval/retrieval/video_to_audio/r1": 0.1},
        {"step": 10, "loss/total": 2.0, "dictionary/audio/categories": 7.0},
        {"step": 10, **{f"eval/{name}": value for name, value in scores.items()}},
        {"step": 20, "dictionary/audio/categories": 9.0, **(figures or {})},
    ]
    (folder / "scalars.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))


def test_a_run_is_read(tmp_path):
    _write_run(tmp_path / "run", 0.5)
    found = measures.read(tmp_path / "run")
    assert found.scores == pytest.approx(
        {"R@1": 0.51, "audio probe": 0.9, "audio probe of rarest": 0.4}
    )
    assert found.read == {"video/size": 0.25}
    assert found.course == pytest.approx({5: 0.1, 10: 0.51})
    assert found.figures == {"dictionary/audio/categories": 9.0}


def test_a_run_without_evaluation_is_told(tmp_path):
    (tmp_path / "scalars.jsonl").write_text('{"step": 1, "loss/total": 2.0}\n')
    with pytest.raises(config.ConfigError, match="needs --eval_split"):
        measures.read(tmp_path)


def _results(without=()):
    rng, found = np.random.default_rng(0), {}
    shared = {seed: rng.normal(0.5, 0.1) for seed in range(5)}
    for cell in CELLS:
        noise = rng.normal(0, 0.01)
        if cell in without:
            continue
        gain = SHIFTS[cell.strategy.name] * (cell.setting == (("zipf", "1"),))
        score = shared[cell.seed] + gain + noise
        found[cell] = measures.Measured(
            {"R@1": score}, {1: 0.0, 2: score}, {}, {"video/size": score}
        )
    return found


def _write(folder, results, num_cells):
    found = report.compare(results, STRATEGIES[0])
    options = {"command": "the command", "num_cells": num_cells}
    return report.write(folder, results, found, STRATEGIES[0], **options)


def test_what_is_there_is_found_and_nothing_else():
    lines = report.sentences(report.compare(_results(), STRATEGIES[0]), STRATEGIES[0])
    assert len(lines) == 4
    told = {line.split(" is ")[0]: line.split("; ")[1] for line in lines}
    assert told["R@1 with zipf=1: active less random"].startswith("higher, in 5 of 5 pairs")
    for head, verdict in told.items():
        if head != "R@1 with zipf=1: active less random":
            assert verdict.startswith("no difference can be told"), head


def test_only_pairs_count():
    gone = [cell for cell in CELLS if cell.seed in (0, 1) and cell.strategy.name == "random"]
    found = report.compare(_results(without=gone), STRATEGIES[0])
    active = next(each for each in found if each.difference is not None)
    assert active.difference.num_pairs == len(active.values) == 3


def test_among_many_comparisons_a_chance_find_is_named_as_such():
    each = report.compare(_results(), STRATEGIES[0])[1]._replace(adjusted=0.3)
    sure = each.difference._replace(mean=0.1, interval=(0.01, 0.2))
    (line,) = report.sentences([each._replace(difference=sure)], STRATEGIES[0])
    assert "higher taken alone, but not among all comparisons" in line


def test_one_seed_tells_nothing_of_the_spread():
    results = {cell: found for cell, found in _results().items() if cell.seed == 0}
    lines = report.sentences(report.compare(results, STRATEGIES[0]), STRATEGIES[0])
    assert all("nothing can be told of the spread" in line for line in lines)


def test_everything_is_written(tmp_path):
    results = _results()
    paths = _write(tmp_path, results, num_cells=32)
    assert [path.name for path in paths] == [
        *("study.html", "study.md", "study.csv", "courses.png", "differences.png"),
    ]
    page, text = paths[0].read_text(), paths[1].read_text()
    for written in (page, text):
        assert "30 of 32 runs are done, of 5 seed(s), by: the command" in written
        assert "higher, in 5 of 5 pairs" in written
    same = [cell for cell in CELLS if cell[:2] == CELLS[0][:2]]
    mean = np.mean([results[cell].read["video/size"] for cell in same])
    read = text.partition("## R2 of the causes")[2]
    assert f"| zipf=0 random | {mean:.3g} |" in read
    rows = list(csv.DictReader(paths[2].open()))
    assert len(rows) == len(results)
    assert {(row["setting"], row["strategy"]) for row in rows} == {
        (f"zipf={zipf}", strategy) for zipf in (0, 1) for strategy in SHIFTS
    }
    assert float(rows[0]["value"]) == results[CELLS[0]].scores["R@1"]


def test_one_evaluation_makes_no_course(tmp_path):
    results = {cell: found._replace(course={2: 0.5}) for cell, found in _results().items()}
    paths = _write(tmp_path, results, num_cells=30)
    assert [path.name for path in paths[3:]] == ["differences.png"]
    assert "Course of" not in paths[1].read_text()
