"""How fast clips come out of the input pipeline, phase by phase, beside JPEG decoding alone.

Each phase is timed alone, on what the phase before it left in memory, and all of them together,
from records and, where the videos are named, from these. The limit is what TensorFlow's decoder
needs for the very number of whole frames that the clips are made of, with nothing around it. Ways
of running take turns, each begun anew, so that a machine whose speed drifts treats them alike and
nothing is prefetched while another is timed.
"""

import atexit
import collections
import dataclasses
import itertools
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark.input.input_settings import Settings
from actcl_tf.console import bars
from actcl_tf.data.input import clip_sampling, pipeline, training_clips
from actcl_tf.data.prepare import media_index, shard_writing
from actcl_tf.data.records import clip_order, records, shards
from actcl_tf.storage import files

LIMIT = "JPEG decoding alone"
WHOLE = "whole pipeline"
MEDIA = "together, from the videos"
_SAMPLE = 256  # Clips whose frames the limit decodes, over and over.
_HELD = 64  # Clips that phases alone work on, over and over.
_WARM_UP = 2  # Batches before the clock starts.


class Result(NamedTuple):
    """What was measured.

    Attributes:
      rates: phase -> clips a second in each round.
      frames: of a clip.
      bytes_a_clip: read from disk.
      first_batch: seconds from nothing to the first batch.
      shards: of the split that it was timed on.
      memory: resident megabytes after a tenth of the clips and after all; None if not watched.
      clips: that memory was watched over.
    """

    rates: dict[str, list[float]]
    frames: int
    bytes_a_clip: float
    first_batch: float
    shards: int
    memory: tuple[float, float] | None
    clips: int

    @property
    def share(self) -> float:
        """Speed of the whole as a share of the limit's: the median of the rounds' ratios."""
        pairs = zip(self.rates[WHOLE], self.rates[LIMIT], strict=True)
        return statistics.median(whole / limit for whole, limit in pairs)


def measure(data: config.DataConfig, settings: Settings, batch_size: int, seed: int) -> Result:
    """Times the training input of a run.

    Args:
      data: data section of the run; `data_dir` must be prepared.
      settings: how much is measured.
      batch_size: clips a batch.
      seed: of the run.

    Raises:
      records.DataError: the data is missing or damaged.
    """
    manifest, paths = shards.open_split(data.data_dir, data.train_split)

    def raw() -> tf.data.Dataset:
        order = clip_order.build_order(
            manifest, paths, seed=seed, stream=0, shuffle_buffer=data.shuffle_buffer
        )
        return order.records()

    def whole(**changes: Any) -> tf.data.Dataset:
        return pipeline.build_train_dataset(
            dataclasses.replace(data, **changes), batch_size=batch_size, seed=seed
        )

    jpegs = _frames(data, paths)
    phases: dict[str, Callable[[], tf.data.Dataset]] = {
        "read, alone": lambda: raw().batch(batch_size),
        **_phases_alone(data, manifest, raw(), batch_size, seed),
        "together, augmented on the device": lambda: whole(augment_on="device"),
        "together, augmented on the host": lambda: whole(augment_on="host"),
        WHOLE: whole,
        LIMIT: lambda: _decoding(jpegs).batch(batch_size * data.num_frames),
    }
    if settings.input_videos:
        index = _index(settings.input_videos, manifest)
        phases[MEDIA] = lambda: whole(data_dir=index, input="media")
    with _FirstBatchData(data, manifest, paths, settings.input_shards) as folder:
        started = time.perf_counter()
        next(iter(whole(data_dir=folder)))
        first_batch = time.perf_counter() - started
    rates: dict[str, list[float]] = {name: [] for name in phases}
    turns = itertools.product(range(settings.input_rounds), phases.items())
    for _, (name, make) in bars.Bar(
        turns, "timing", settings.input_rounds * len(phases), unit="phase"
    ):
        rates[name].append(_rate(make(), settings.input_batches, batch_size))
    memory = _watch_memory(whole(), settings.input_clips, batch_size)
    size = sum(files.size(path) for path in paths)
    return Result(
        rates=rates,
        frames=data.num_frames,
        bytes_a_clip=size / manifest.num_clips,
        first_batch=first_batch,
        shards=settings.input_shards or len(paths),
        memory=memory,
        clips=settings.input_clips,
    )


def _phases_alone(
    data: config.DataConfig,
    manifest: records.Manifest,
    raw: tf.data.Dataset,
    batch_size: int,
    seed: int,
) -> dict[str, Callable[[], tf.data.Dataset]]:
    """Each phase of a clip on what the phase before it made of some clips, held in memory."""
    clips = training_clips.build_training_clips(data, manifest, seed=seed)
    on_host = dataclasses.replace(clips, config=dataclasses.replace(data, augment_on="host"))
    read = raw.take(_HELD).cache()
    sampled = read.map(clips.sample).cache()
    decoded = sampled.map(on_host.decode).cache()
    augmented = decoded.map(on_host.augment).cache()
    for held in (read, sampled, decoded, augmented):
        collections.deque(held, maxlen=0)  # Caches fill as they are read.

    def alone(held: tf.data.Dataset, phase: Callable) -> Callable[[], tf.data.Dataset]:
        return lambda: (
            held.repeat().map(phase, tf.data.AUTOTUNE).batch(batch_size).with_options(_one_thread())
        )

    return {
        "parse and sample, alone": alone(read, clips.sample),
        "decode and crop, alone": alone(sampled, clips.decode),
        "augment on the host, alone": alone(decoded, on_host.augment),
        "batch, alone": lambda: augmented.repeat().batch(batch_size),
    }


def _index(videos: str, manifest: records.Manifest) -> str:
    """Folder of the index of the videos that a split was prepared from."""
    names = {f.name for f in dataclasses.fields(shard_writing.PrepareSettings)} - {"is_index"}
    held = {name: value for name, value in manifest.settings.items() if name in names}
    settings = shard_writing.PrepareSettings(**{**held, "filters": "silent"}, is_index=True)
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = media_index.build_index(videos, folder, settings)
    index = found.manifests.get(manifest.split)
    if index is None or index.num_clips != manifest.num_clips:
        raise records.DataError(
            f"--input_videos={videos}: gives {index.num_clips if index else 0} clips of split "
            f"{manifest.split!r}, and --data_dir holds {manifest.num_clips}: name the videos that "
            "it was prepared from"
        )
    return found.output_dir


def _one_thread() -> tf.data.Options:
    """One thread a clip, as in the pipeline."""
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1
    return options


def _frames(data: config.DataConfig, paths: list[str]) -> np.ndarray:
    """The encoded frames of the first span of some clips: [clips, T] bytes."""
    span = clip_sampling.span_frames(data.num_frames, data.frame_stride)
    found = []
    for record in tf.data.TFRecordDataset(paths).take(_SAMPLE):
        frames = records.parse_example(record)["frames_jpeg"]
        if len(frames) < span:
            raise records.DataError(
                f"--num_frames={data.num_frames}: a clip has only {len(frames)} frames"
            )
        found.append(frames[: span : data.frame_stride].numpy())
    return np.concatenate(found)


def _decoding(jpegs: np.ndarray) -> tf.data.Dataset:
    """Frames decoded one by one, whole, on as many threads as there are."""
    return (
        tf.data.Dataset.from_tensor_slices(jpegs)
        .repeat()
        # The video is dropped at once: copying it is none of the decoder's work.
        .map(
            lambda jpeg: tf.shape(
                tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
            ),
            tf.data.AUTOTUNE,
            deterministic=False,
        )
        .with_options(_one_thread())
    )


def _rate(dataset: tf.data.Dataset, batches: int, batch_size: int) -> float:
    """Clips a second of a data set begun anew, after a warm-up."""
    iterator = iter(dataset)
    for _ in range(_WARM_UP):
        next(iterator)
    started = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return batches * batch_size / (time.perf_counter() - started)


class _FirstBatchData:
    """A copy of some clips in many shards, as a context; or the data as it is."""

    def __init__(
        self, data: config.DataConfig, manifest: records.Manifest, paths: list[str], count: int
    ):
        self._data, self._manifest, self._paths, self._count = data, manifest, paths, count

    def __enter__(self) -> str:
        if not self._count:
            return self._data.data_dir
        self._folder = tempfile.TemporaryDirectory()  # Removed in __exit__.
        split = files.join(self._folder.name, self._data.train_split)
        files.make_folder(split)
        kept = list(tf.data.TFRecordDataset(self._paths).take(_SAMPLE).as_numpy_iterator())
        infos = []
        for index in range(self._count):
            name = records.shard_name(self._data.train_split, index, self._count)
            with tf.io.TFRecordWriter(files.join(split, name)) as writer:
                writer.write(kept[index % len(kept)])
            size = files.size(files.join(split, name))
            infos.append({"name": name, "clips": 1, "bytes": size})
        manifest = dataclasses.replace(
            self._manifest, num_clips=self._count, num_shards=self._count, shards=infos
        )
        records.write_manifest(split, manifest)
        return self._folder.name

    def __exit__(self, *_: object) -> None:
        if self._count:
            self._folder.cleanup()


def _resident_megabytes() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def _watch_memory(
    dataset: tf.data.Dataset, clips: int, batch_size: int
) -> tuple[float, float] | None:
    """Resident memory after a tenth of so many clips, and after all of them."""
    if not clips:
        return None
    first = 0.0
    batches = max(clips // batch_size, 2)
    for index, _ in enumerate(bars.Bar(dataset.take(batches), "memory", batches, unit="batch")):
        if index == batches // 10:
            first = _resident_megabytes()
    return first, _resident_megabytes()


def table(result: Result) -> str:
    """The figures as text for the terminal."""
    lines = [f"{'':34}{'clips/s':>10}{'ms a clip':>12}{'share of the limit':>22}"]
    for name, rates in result.rates.items():
        ratios = [rate / limit for rate, limit in zip(rates, result.rates[LIMIT], strict=True)]
        rate = statistics.median(rates)
        lines.append(
            f"{name:34}{rate:10.1f}{1000 / rate:12.2f}{statistics.median(ratios):10.2f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        )
    rounds = len(result.rates[WHOLE])
    limit, whole = (statistics.median(result.rates[name]) for name in (LIMIT, WHOLE))
    lines += [
        f"Medians of {rounds} rounds in turns; in brackets, the smallest and the largest share.",
        f"JPEG decoding: {1000 / limit / result.frames:.3f} ms a frame on all cores.",
        f"Read: {whole * result.bytes_a_clip / 1e6:.1f} MB a second, "
        f"{result.bytes_a_clip / 1e3:.0f} kB a clip.",
        f"First batch after {result.first_batch:.2f} s, of {result.shards} shards.",
    ]
    if result.memory is not None:
        lines.append(
            f"Memory: {result.memory[0]:.0f} MB after {result.clips // 10} clips, "
            f"{result.memory[1]:.0f} MB after {result.clips}."
        )
    return "\n".join(lines)


def to_dict(result: Result) -> dict[str, Any]:
    """The figures, ready for JSON."""
    return {**result._asdict(), "share": result.share}
