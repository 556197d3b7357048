"""tools/evaluate.py and tools/compare_runs.py as a user runs them."""

import json
import pathlib
import re

import pytest

from actcl_tf import config
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import prepare, shard_writing
from tests import labelled_data, programs, saved_runs, small_models
from tests.media_files import write_clip

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSES = ("high", "low", "middle")


def _drive(argument_lists):
    """(status, what was said) of tools/evaluate.py for each list of flags."""
    answers = programs.run_many("evaluate.py", *argument_lists)
    return [(answer.status, answer.out + answer.errors) for answer in answers]


@pytest.fixture(scope="module")
def run_dir(tiny_data, tmp_path_factory):
    """A run with one checkpoint, of encoders that were not trained."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    values = {
        **small_models.ENCODERS,
        "data_dir": str(tiny_data),
        "run_dir": str(folder),
        "num_frames": 4,
        "image_size": 16,
        "dictionary_size": 6,
        "pool_size": 18,
        "batch_size": 6,
    }
    saved_runs.save_run(config.from_flat(values), in_dictionary=6, in_pool=12)
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """36 sounds of three pitches with two official folds."""
    folder = tmp_path_factory.mktemp("sounds")
    parts = [("train", "test"), ("test", "train"), ("train", "train")]
    examples = [
        labelled_data.record(f"c{i}", i % 3, classes=CLASSES, folds=parts[i // 3 % 3])
        for i in range(36)
    ]
    return labelled_data.write(folder, "all", examples, classes=CLASSES)


@pytest.fixture(scope="module")
def outcomes(run_dir, tiny_data, sounds, tmp_path_factory):
    """What came of several evaluations, by name: status, words and folder."""
    folder = tmp_path_factory.mktemp("outcomes")
    common = [f"--cache_dir={folder}/cache", "--precision=float32", "--clips=2"]
    videos = [*common, f"--checkpoint={run_dir}", f"--data_dir={tiny_data}"]
    heard = [*common, f"--data_dir={sounds}", "--audio_window=0.3"]
    scratch = [
        *heard,
        "--protocol=finetune",
        "--from_scratch",
        "--folds=2",
        "--epochs=6",
        "--batch_size=8",
        "--warmup_epochs=1",
        "--label_smoothing=0",
        *(f"--{name}={value}" for name, value in small_models.ENCODERS.items()),
    ]
    lists = {
        "linear": [
            *videos,
            "--protocol=linear",
            "--modality=video,audio,both,late_fusion",
            "--baselines=initialised,random,log_mel",
        ],
        "again": [*videos, "--protocol=knn", "--baselines=log_mel", "--windows=mean"],
        "retrieval": [*videos, "--protocol=retrieval", "--preprocessing=l2"],
        "named": [
            *videos,
            "--protocol=svm",
            r"--label_pattern=(?P<letter>[dmb])(?P<even>\d)_\d+",
            "--modality=audio",
            "--crops=3",
        ],
        "low_shot": [*heard, "--baselines=log_mel", "--shots=1,3", "--draws=2", "--c_folds=2"],
        "scratch": scratch,
        "scratch again": scratch,
        "finetuned": [
            *videos,
            "--protocol=finetune",
            "--modality=both",
            "--epochs=1",
            "--freeze=2",
            "--batch_size=10",
        ],
    }
    for name, flags in lists.items():
        flags.append(f"--output={folder}/{name.split()[0]}")
    answers = _drive(list(lists.values()))
    return {
        name: (status, said, folder / name.split()[0])
        for name, (status, said) in zip(lists, answers, strict=True)
    }


def _result(outcome):
    status, said, folder = outcome
    assert status == 0, said
    assert (folder / "report.html").stat().st_size > 10000
    assert f"Look at the whole report in a browser: {folder}/report.html" in said
    return json.loads((folder / "result.json").read_text())


def _means(result):
    return {
        row["name"]: next(iter(row["summary"].values()))["mean"] for row in result["measurements"]
    }


def test_linear_with_baselines(outcomes, run_dir, tiny_data):
    result = _result(outcomes["linear"])
    means = _means(result)
    assert len(means) == 13  # Three kinds of features by four streams, and log_mel of sound.
    assert means["linear/audio/log_mel/standardise"] > 0.8  # Classes differ in their pitch.
    assert means["linear/audio/random/standardise"] < 0.8
    assert result["checkpoint"]["path"] == str(run_dir)
    assert result["data"]["num_clips"] == 42
    assert result["flags"]["clips"] == 2
    said = outcomes["linear"][1]
    assert "late_fusion  trained" in said
    assert "95 % interval" in said


def test_a_second_protocol_takes_the_features_that_are_there(outcomes):
    _, said, _ = outcomes["again"]
    assert "Features (trained) were there already." in said
    assert "Features (log_mel) were there already." in said
    means = _means(_result(outcomes["again"]))
    assert sorted(means) == [
        "knn/audio/log_mel/standardise",
        "knn/audio/trained/standardise",
        "knn/video/trained/standardise",
    ]


def test_retrieval_within_and_across(outcomes):
    result = _result(outcomes["retrieval"])
    assert sorted(_means(result)) == [
        "retrieval/audio/trained/l2",
        "retrieval/audio_to_video/trained",
        "retrieval/video/trained/l2",
        "retrieval/video_to_audio/trained",
    ]
    across = result["measurements"][-1]
    assert across["chance"]["r1"] == pytest.approx(1 / 12)
    page = (outcomes["retrieval"][2] / "report.html").read_text()
    assert page.count("<video") == 2 * 6 * 5  # By each stream, six test clips with four others.


def test_labels_from_file_names(outcomes):
    result = _result(outcomes["named"])
    assert result["classes"] == {"letter": ["b", "d", "m"], "even": ["0", "1"]}
    assert sorted(_means(result)) == [
        "svm/audio/even/trained/standardise",
        "svm/audio/letter/trained/standardise",
    ]


def test_low_shot_draws(outcomes):
    result = _result(outcomes["low_shot"])
    rows = {row["subset"]: row for row in result["measurements"]}
    assert list(rows) == ["shots=1", "shots=3"]
    for shots, row in ((1, rows["shots=1"]), (3, rows["shots=3"])):
        assert [fold["num_train"] for fold in row["folds"]] == [3 * shots] * 4
        assert row["folds"][-1]["name"] == "fold 2, draw 2"
    assert result["checkpoint"] is None
    assert "Low-shot" in (outcomes["low_shot"][2] / "report.html").read_text()


def test_from_scratch_learns_and_is_not_trained_twice(outcomes):
    result = _result(outcomes["scratch"])
    (row,) = result["measurements"]
    assert row["name"] == "finetune/audio/scratch"
    assert [(fold["name"], fold["num_test"]) for fold in row["folds"]] == [("fold 2", 12)]
    # The second time nothing is trained, and the scores are those of the first.
    assert "training:" in outcomes["scratch"][1]
    assert "training:" not in outcomes["scratch again"][1]
    folder = outcomes["scratch"][2] / "finetune" / "label_audio_fold_2"
    assert {"checkpoints", "scores.npy", "finetune.json"} <= {p.name for p in folder.iterdir()}


def test_finetuning_both_streams(outcomes):
    (row,) = _result(outcomes["finetuned"])["measurements"]
    assert (row["modality"], row["features"], row["folds"][0]["num_test"]) == (
        "both",
        "trained",
        12,
    )


def test_comparing(outcomes, tmp_path):
    folders = [str(outcomes[name][2]) for name in ("linear", "again", "low_shot")]
    made = tmp_path / "made"
    done, refused = programs.run_many(
        "compare_runs.py", [*folders, f"--output={made}"], [f"--results={tmp_path}"]
    )
    assert done.status == 0, done.errors
    assert "best" in done.out
    assert {path.suffix for path in made.iterdir()} == {".md", ".csv", ".html", ".png"}
    assert refused.status == 2
    assert refused.errors.startswith("error: ")
    assert "name the --output of tools/evaluate.py" in refused.errors


def test_mistakes_end_in_one_clear_line(run_dir, tiny_data, sounds, outcomes, tmp_path):
    cache = f"--cache_dir={tmp_path}/cache"
    checkpoint, data = f"--checkpoint={run_dir}", f"--data_dir={tiny_data}"
    scratch = outcomes["scratch"][2]
    mistakes = {
        "--checkpoint=.*/none: no such folder": [f"--checkpoint={tmp_path}/none", data],
        "must name what to measure": [data],
        "--protocol=lineer: value should be one of <linear.svm": [
            checkpoint,
            data,
            "--protocol=lineer",
        ],
        "--clips=0: must be at least 1": [checkpoint, data, "--clips=0"],
        "--crops=2: must be 1 or 3": [checkpoint, data, "--crops=2"],
        "--modality=sound: must be some of": [checkpoint, data, "--modality=sound"],
        "--shots=x: must be whole numbers": [checkpoint, data, "--shots=x"],
        "is not a folder: prepare it": [checkpoint, f"--data_dir={tmp_path}/nothing"],
        "hold audio alone, and video is needed": [
            checkpoint,
            f"--data_dir={sounds}",
            "--modality=video",
        ],
        "was not prepared with --fold=all": [checkpoint, data, "--folds=1"],
        "--folds=3: must be from 1 to 2": [checkpoint, f"--data_dir={sounds}", "--folds=3"],
        "--audio_window=9: must be at most 0.4 seconds": [
            checkpoint,
            f"--data_dir={sounds}",
            "--audio_window=9",
        ],
        "--audio_window=1: has a meaning where audio": [checkpoint, data, "--audio_window=1"],
        "--video_width=2.0: the encoders of .* have 0.0625": [checkpoint, data, "--video_width=2"],
        "span of 40 frames": [checkpoint, data, "--num_frames=40"],
        "--protocol=finetune: needs a --checkpoint, whose weights": [data, "--protocol=finetune"],
        "--baselines=log_mel: are features": [
            checkpoint,
            data,
            "--protocol=finetune",
            "--baselines=log_mel",
        ],
        "--label_pattern=.*does not match": [checkpoint, data, r"--label_pattern=(?P<a>\d)"],
        "holds another fine-tuning: .*finetune is": [
            *(f"--{name}={value}" for name, value in small_models.ENCODERS.items()),
            f"--data_dir={sounds}",
            "--audio_window=0.3",
            "--clips=2",
            "--precision=float32",
            "--protocol=finetune",
            "--from_scratch",
            "--epochs=7",
            f"--output={scratch}",
        ],
        "unexpected argument DIR": [checkpoint, data, "DIR"],
    }
    answers = _drive([[cache, *arguments] for arguments in mistakes.values()])
    for expected, (status, said) in zip(mistakes, answers, strict=True):
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert status == 2, (expected, said)
        assert len(lines) == 1, (expected, said)
        assert re.search(expected, lines[0]), (expected, lines)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory):
    """Small trees of the true layouts of UCF101 and HMDB51, prepared with all folds."""
    folder = tmp_path_factory.mktemp("benchmarks")
    media = {
        "Archery": write_clip(folder / "dark.avi", 1.2, levels=(40, 60)),
        "Billiards": write_clip(folder / "bright.avi", 1.2, levels=(200, 240)),
    }
    ucf, hmdb = folder / "UCF101", folder / "HMDB51"
    parts = {1: "abba", 2: "baab", 3: "aabb"}  # Of four groups of videos: a train, b test.
    for label, source in media.items():
        for group in range(4):
            clip = ucf / "UCF-101" / label / f"v_{label}_g{group + 1:02d}_c01.avi"
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.write_bytes(source.read_bytes())
            clip = hmdb / label.lower() / f"video_{group}_{label.lower()}.avi"
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.write_bytes(source.read_bytes())
    lists = ucf / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 Billiards\n")
    splits = hmdb / "splits"
    splits.mkdir()
    for fold, part in parts.items():
        sides = {"a": [], "b": []}
        for number, label in enumerate(media, 1):
            rows = []
            for group, side in enumerate(part):
                name = f"{label}/v_{label}_g{group + 1:02d}_c01.avi"
                sides[side].append(f"{name} {number}" if side == "a" else name)
                rows.append(f"video_{group}_{label.lower()}.avi {'ab'.index(side) + 1}")
            (splits / f"{label.lower()}_test_split{fold}.txt").write_text("\n".join(rows))
        (lists / f"trainlist0{fold}.txt").write_text("\n".join(sides["a"]))
        (lists / f"testlist0{fold}.txt").write_text("\n".join(sides["b"]))
    settings = shard_writing.PrepareSettings(short_side=32, frame_rate=10, streams="video")
    execution = prepare.Execution(num_workers=1, progress=False)
    for name, root in (("ucf101", ucf), ("hmdb51", hmdb)):
        catalog = catalogs.read(name, str(root), fold="all")
        prepare.prepare(catalog, str(folder / name), settings, execution)
    return folder


FROZEN = ["evaluate_ucf101_linear", "evaluate_hmdb51_svm"]
OTHERS = sorted(
    path.stem
    for path in (ROOT / "configs").glob("evaluate_*.cfg")
    if path.stem.split("_")[1] in ("ucf101", "hmdb51") and path.stem not in FROZEN
)


# Quick tests parse the configurations, read both layouts, and run the tool with other flags.
@pytest.mark.slow
@pytest.mark.parametrize("names", [FROZEN, OTHERS])
def test_configs_of_ucf101_and_hmdb51_run_to_the_end(benchmarks, run_dir, tmp_path, names):
    """Their own flags but for the data, the length of windows and of training."""
    short = ["--num_frames=4", "--clips=2", "--precision=float32", f"--cache_dir={tmp_path}/cache"]
    lists = {}
    for name in names:
        lists[name] = [
            f"--flagfile={ROOT / 'configs' / name}.cfg",
            f"--checkpoint={run_dir}",
            f"--data_dir={benchmarks / name.split('_')[1]}",
            f"--output={tmp_path / name}",
            *short,
        ]
        if "finetune" in name:
            lists[name] += ["--epochs=1", "--batch_size=4", "--warmup_epochs=0"]
    for name, (status, said) in zip(lists, _drive(list(lists.values())), strict=True):
        assert status == 0, (name, said[-2000:])
        result = json.loads((tmp_path / name / "result.json").read_text())
        assert result["data"]["num_clips"] == 8
        for row in result["measurements"]:
            assert [fold["name"] for fold in row["folds"]] == ["fold 1", "fold 2", "fold 3"]
            assert next(iter(row["summary"].values()))["num"] == 3
            if name in FROZEN:
                assert row["summary"]["top1"]["mean"] == 1.0  # Dark and bright are told apart.
