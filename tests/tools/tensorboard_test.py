"""Looks at TensorBoard's dashboards of short runs in a headless Chromium, as a user would.

The screenshots are kept in the folder that ACTCL_SCREENSHOTS names, if it names one.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest
from PIL import Image

from actcl_tf.evaluate.results import results
from tests import browser, programs
from tests.tools import train_test

pytestmark = pytest.mark.slow

STEPS = 12
RUNS = {"active": ["--profile_steps=8,10"], "random": ["--negatives=random", "--seed=1"]}
NUM_CLIPS = 16


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of two finished runs on the built-in data."""
    browser.require()
    folder = tmp_path_factory.mktemp("runs")
    common = [f"--cache_dir={folder}/cache", "--synthetic_train=24"]
    common += [f"--synthetic_test={NUM_CLIPS}", f"--steps={STEPS}", "--eval_every=6"]
    common += ["--log_every=2", "--summary_every=4", "--diagnostics_every=4"]
    calls = [
        [*train_test.TINY, "--image_size=32", *common, *flags, f"--run_dir={folder}/runs/{name}"]
        for name, flags in RUNS.items()
    ]
    for done in programs.run_many("train.py", *calls):
        assert done.status == 0, done.errors
    return folder / "runs"


@contextlib.contextmanager
def _tensorboard(logdir):
    """Address of a TensorBoard of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", f"--logdir={logdir}", "--port=0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stderr:
        said.append(line)
        port = re.search(r"http://\S+?:(\d+)/", line)
        if port:
            break
    else:
        raise AssertionError("TensorBoard did not start:\n" + "".join(said))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port[1]}"
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture(scope="module")
def board(runs):
    """Address of a TensorBoard of the folder of all runs."""
    with _tensorboard(runs) as address:
        yield address


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    browser.require()
    with browser.Browser(tmp_path_factory.mktemp("profile"), 1600, 1300) as opened:
        yield opened


@pytest.fixture(scope="module")
def look(board, window, tmp_path_factory):
    """Opens a dashboard, waits until its data is found, and keeps a screenshot.

    Found by a script, and where a function is given too, by that in the screenshot.
    """
    folder = pathlib.Path(os.environ.get("ACTCL_SCREENSHOTS", tmp_path_factory.mktemp("shots")))
    folder.mkdir(parents=True, exist_ok=True)

    def run(name, shows, in_picture=lambda picture: True, query=""):
        window.open("about:blank")
        window.open(f"{board}/{query}#{name}")
        window.wait(shows)
        for _ in range(360):
            picture = Image.open(io.BytesIO(window.screenshot(folder / f"{name}.png")))
            if in_picture(picture.convert("RGB")):
                return
            time.sleep(0.5)
        raise AssertionError(f"{folder / name}.png does not show the data of {name}")

    return run


def _count(selector):
    """A script that counts elements, through shadow roots."""
    return f"all.filter(e => e.matches({selector!r})).length"


def _drawn(selector):
    """A script that counts shapes that have a course."""
    long = "(e.getAttribute('d') || '').length > 20"
    return f"all.filter(e => e.matches({selector!r}) && {long}).length"


_LOADED = "all.filter(e => e.tagName === 'IMG' && e.naturalWidth > 0).length"


@pytest.mark.parametrize(
    ("folder", "name"), [("active", "tensorboard"), ("active/tensorboard", ".")]
)
def test_a_run_alone_is_found_too(runs, folder, name):
    with _tensorboard(runs / folder) as address:
        for plugin in ("scalars/tags", "projector/runs", "images/tags", "custom_scalars/layout"):
            for _ in range(1000):  # It reads the files in the background.
                with urllib.request.urlopen(f"{address}/data/plugin/{plugin}") as answer:
                    found = json.load(answer)
                if found:
                    break
                time.sleep(0.3)
            assert found, plugin
            if plugin != "custom_scalars/layout":
                assert list(found) == [name], plugin


def _has_lines(picture):
    """The colour of a run is in the charts too, and not only in the dots beside its name."""
    colours = {colour: num for num, colour in picture.getcolors(maxcolors=2**24)}
    return colours.get((18, 181, 203), 0) > 1000


def test_time_series_have_a_group_for_each_kind(look, window):
    # Only what is in sight is drawn: the pictures, which come first, or what is asked for.
    look("timeseries", f"return {_LOADED} >= 4;")
    text = window.text().splitlines()
    for group in ("loss", "contrast", "dictionary", "optimiser", "speed", "eval"):
        assert group in text
    for run in RUNS:
        assert f"{run}/tensorboard" in text
    charts = f"return {_count('line-chart')} >= 3;"
    look("timeseries", charts, _has_lines, query="?tagFilter=loss")


def test_scalars_are_drawn(look, window):
    look("scalars", f"return {_drawn('path.line')} >= 12;")
    assert "contrast" in window.text().splitlines()


def test_custom_scalars_put_six_charts_first(look, window):
    look("custom_scalars", f"return {_drawn('path.line')} >= 12;")
    assert window.run(f"return {_count('tf-custom-scalar-multi-line-chart-card')};") == 6
    text = window.text()
    assert "How training goes" in text
    matches = [int(number) for number in re.findall(r"Matches \((\d+)\)", text)]
    # Two runs: the loss, three pairs of directions, positives and negatives, and the speed.
    assert matches == [2, 4, 4, 4, 8, 2]


def test_images_show_clips(look):
    look("images", f"return {_LOADED} >= 8;")


@pytest.mark.parametrize(
    ("name", "shape"), [("histograms", "path.outline"), ("distributions", "path.area")]
)
def test_similarities_are_drawn(look, window, name, shape):
    look(name, f"return {_drawn(shape)} >= 8;")
    assert "similarity/pairs" in window.text()


def test_hyperparameters_of_all_runs_stand_beside_their_scores(look, window, runs):
    look(
        "hparams",
        "return all.some(e => e.tagName === 'VAADIN-GRID-CELL-CONTENT'"
        " && e.textContent.includes('random'));",
    )
    text = window.text().splitlines()
    headings = text[text.index("Trial ID") :]
    for name in ("batch_size", "learning_rate", "negatives", "seed", "loss"):
        assert name in headings
    for run in RUNS:
        assert any(re.fullmatch(f"{run} [0-9a-f]{{4}}", line) for line in headings)
        rows = {row.name: row for row in results.read(runs / run).measurements}
        score = rows["retrieval/video_to_audio/trained"].summary["r1"].mean
        assert any(_number(line) == pytest.approx(score, rel=1e-3) for line in headings)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _has_sprites(picture):
    """Frames have many colours, and the page around them hardly any; sounds have an orange rim."""
    middle = picture.crop((340, 150, 1260, 1100)).getcolors(maxcolors=2**24)
    colours = {colour: num for num, colour in middle if max(colour) - min(colour) > 16}
    return len(colours) > 500 and colours.get((255, 140, 0), 0) > 50


def test_the_projector_shows_clips_with_frames_and_labels(look, window, board):
    placed = "return all.some(e => /variance described: [0-9.]+%/.test(e.innerText || ''));"
    look("projector", placed, _has_sprites)
    text = window.text()
    assert "2 runs found" in text and "2 tensors found" in text
    assert str(2 * NUM_CLIPS) in text.splitlines()  # Points.
    shown = window.run("return all.map(e => `${e.value} ${e.innerText}`).join('|');")
    assert "held-out clips at the last evaluation" in shown
    query = urllib.parse.urlencode(
        {"run": "active/tensorboard", "name": "held-out clips at the last evaluation"}
    )
    at = f"{board}/data/plugin/projector"
    rows = urllib.request.urlopen(f"{at}/metadata?{query}").read().decode().splitlines()
    assert rows[0] == "clip\tmodality\tlabel"
    assert len(rows) == 1 + 2 * NUM_CLIPS
    tensor = urllib.request.urlopen(f"{at}/tensor?{query}").read()
    assert len(tensor) == 2 * NUM_CLIPS * 8 * 4


def test_the_profile_tells_the_time_of_a_step(look, window):
    # The page waits for a library of charts from the internet; without one, it is told not to.
    look(
        "profile",
        """
        const frame = all.find(e => e.tagName === 'IFRAME' && e.contentWindow.loadBundle);
        if (frame && !frame.dataset.asked) {
          frame.dataset.asked = 'yes';
          setTimeout(() => {
            const empty = !frame.contentDocument.querySelector('app').children.length;
            if (empty) frame.contentWindow.loadBundle();
          }, 8000);
        }
        return frame && frame.contentDocument.body.innerText.includes('Average Step Time');
        """,
    )
    text = window.text()
    assert "active/tensorboard/" in text
    milliseconds = [float(found) for found in re.findall(r"([\d.]+) ms", text)]
    assert max(milliseconds) > 1.0
