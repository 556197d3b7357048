"""The built-in data set: procedurally rendered sounding objects, written as real MP4 files.

Layout of a data set:

    FOLDER/dataset.json                     the settings it was made with
    FOLDER/parameters.csv                   what each clip shows, for evaluation only
    FOLDER/quantities.csv                   of it, what a regression can be asked for
    FOLDER/{train,test}/CATEGORY/00000.mp4  H.264 and AAC; numbers count within the split

Sixteen categories: four motions times four materials (`scene`), or more with --builds. A clip is a
function of (seed, split, index, category) and of the other settings, whoever renders it; files
appear under their name when they are whole, so that an interrupted run goes on where it stopped.
"""

import concurrent.futures.process
import csv
import dataclasses
import json
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.data.synthetic import audio, video
from actcl_tf.data.synthetic.mp4 import PARTIAL_SUFFIX, write_mp4
from actcl_tf.data.synthetic.plan import (
    Item,
    SyntheticError,
    SyntheticSettings,
    clip_parameters,
    clip_quantities,
    draw_scene,
    list_items,
)

SETTINGS_FILE = "dataset.json"
PARAMETERS_FILE = "parameters.csv"
QUANTITIES_FILE = "quantities.csv"
# Raised whenever the same settings give other clips than before.
FORMAT_VERSION = 4


def render_clip(settings: SyntheticSettings, item: Item) -> tuple[np.ndarray, np.ndarray]:
    """Renders a clip in memory.

    Args:
      settings: of the data set.
      item: which clip.

    Returns:
      frames: [T, H, W, 3] uint8; frame t is taken at t / frame_rate seconds.
      waveform: [S] float32 in (-1, 1); sample s is at s / sample_rate seconds.
    """
    seen, heard, nuisance = draw_scene(settings, item)
    times = np.arange(settings.num_frames) / settings.frame_rate
    frames = video.render_video(seen, nuisance, times=times, size=settings.size)
    waveform = audio.render_audio(
        heard,
        nuisance,
        num_samples=settings.num_samples,
        sample_rate=settings.sample_rate,
    )
    return frames, waveform


def write_dataset(
    folder: str | os.PathLike,
    *,
    num_workers: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> None:
    """Writes the built-in data set, or what is missing of it.

    Args:
      folder: where to; new, empty, or holding (part of) a data set of the same settings.
      num_workers: processes that render; None: one a core. 1 renders in this process. The clips
        do not depend on it.
      progress: whether to show a progress bar.
      **settings: fields of `SyntheticSettings`.

    Raises:
      SyntheticError: a setting is not allowed; the folder holds something else or a data set of
        other settings; a process of the renderers was killed.
      OSError: the folder cannot be written.
    """
    chosen = SyntheticSettings(**settings)
    if num_workers is not None and num_workers < 1:
        raise SyntheticError(f"--num_workers={num_workers}: must be at least 1")
    folder = pathlib.Path(folder)
    _claim_folder(folder, chosen)
    items = list_items(chosen)
    missing = [item for item in items if not (folder / item.path).is_file()]
    with bars.Bar(
        total=len(items),
        initial=len(items) - len(missing),
        desc="rendering",
        unit="clip",
        disable=not progress,
    ) as bar:
        for _ in _write_clips(folder, chosen, missing, num_workers):
            bar.update()
    for name, row_of in ((PARAMETERS_FILE, clip_parameters), (QUANTITIES_FILE, clip_quantities)):
        _write_csv(folder / name, [row_of(chosen, item) for item in items])


def _claim_folder(folder: pathlib.Path, settings: SyntheticSettings) -> None:
    """Makes the folder, or checks that it holds a data set of these settings."""
    wanted = {"format_version": FORMAT_VERSION, **dataclasses.asdict(settings)}
    path = folder / SETTINGS_FILE
    if folder.exists() and not folder.is_dir():
        raise SyntheticError(f"{folder} is a file; name a folder for the data set")
    if not path.is_file():
        # A run killed at its very start leaves a partial settings file.
        names = [place.name for place in folder.iterdir()] if folder.is_dir() else []
        if any(name != SETTINGS_FILE + PARTIAL_SUFFIX for name in names):
            raise SyntheticError(
                f"{folder} holds other files and no {SETTINGS_FILE}; name a new or empty folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _write_text(path, json.dumps(wanted, indent=2) + "\n")
        return
    try:
        found = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise SyntheticError(f"{path} cannot be read ({error}); name another folder") from error
    differing = [
        f"{name} {found.get(name)} (asked for: {value})"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if differing:
        raise SyntheticError(
            f"{folder} holds a data set with {', '.join(differing)}; "
            "name another folder or ask for the same settings"
        )


def _write_clips(
    folder: pathlib.Path, settings: SyntheticSettings, items: list[Item], num_workers: int | None
) -> Iterator[None]:
    """Renders and writes clips, in this process or in several; yields once a clip."""
    num_workers = min(num_workers or cores.count(), max(len(items), 1))
    if num_workers == 1:
        for item in items:
            yield _write_clip(folder, settings, item)
        return
    executor = concurrent.futures.ProcessPoolExecutor(
        num_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        # In blocks, so that an error or an interruption finds few clips already handed out.
        block = 32 * num_workers
        for start in range(0, len(items), block):
            part = items[start : start + block]
            count = len(part)
            yield from executor.map(
                _write_clip, [folder] * count, [settings] * count, part, chunksize=4
            )
    except concurrent.futures.process.BrokenProcessPool as error:
        raise SyntheticError(
            "a rendering process was killed (out of memory?); run again, with fewer --num_workers "
            "if it happens again: finished clips are kept"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Readies a rendering process: the parent handles Ctrl-C, and its death ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def _write_clip(folder: pathlib.Path, settings: SyntheticSettings, item: Item) -> None:
    frames, waveform = render_clip(settings, item)
    write_mp4(
        folder / item.path,
        frames,
        waveform,
        frame_rate=settings.frame_rate,
        sample_rate=settings.sample_rate,
    )


def _write_csv(path: pathlib.Path, rows: list[dict[str, object]]) -> None:
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)


def _write_text(path: pathlib.Path, text: str) -> None:
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    partial.write_text(text)
    os.replace(partial, path)
