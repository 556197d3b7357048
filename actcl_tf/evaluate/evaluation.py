"""A whole evaluation: clips, features, measurements, result."""

import dataclasses
import pathlib
import platform
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import numpy as np
import sklearn
import tensorflow as tf
import tqdm

from actcl_tf import config
from actcl_tf.data import clip_sampling, pipeline, records, shards
from actcl_tf.evaluate import (
    clip_table,
    encoders,
    feature_store,
    features,
    frozen,
    gallery,
    protocols,
    result_page,
    results,
    searches,
    splits,
    windows,
)
from actcl_tf.train import strategy

_RANDOM_WIDTH = 512


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
      name: what tables call the result.
      settings: of the evaluation.
      protocol_settings: what the protocol leaves open.
      run: data and model settings: those of the checkpoint's run, changed by what the user named.
      given: names of the settings that the user named.
      checkpoint: where encoders come from; None for baselines that need none.
      precision: of the encoders' arithmetic, a value of --precision.
      output: folder of the result.
      cache_dir: where features are kept.
      flags: all flags, for the result.
    """

    name: str
    settings: config.EvaluationConfig
    protocol_settings: protocols.Settings
    run: config.PretrainConfig
    given: frozenset[str]
    checkpoint: Optional[encoders.Checkpoint]
    precision: str
    output: pathlib.Path
    cache_dir: pathlib.Path
    flags: dict[str, Any]


class Evaluation:
    """An evaluation whose clips are known.

    Attributes:
      plan: what is to be measured.
      table: all clips.
      folds: what is learned from and what is measured.
      targets: what is predicted; nothing for retrieval of clips without labels.
      modalities: what of the clips is measured, of `config.MODALITIES`.
      seconds: that each phase took so far.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None] = print):
        """Reads which clips there are and checks that the plan can be followed.

        Args:
          plan: what is to be measured.
          say: takes lines for the console.

        Raises:
          config.ConfigError, records.DataError: plan and data do not go together.
        """
        self.plan, self._say = plan, say
        self._first_set = None
        self.seconds = {}
        settings, data_dir = plan.settings, plan.run.data.data_dir
        started = time.perf_counter()
        names = splits.names_of(settings, data_dir)
        with _Bars("reading labels") as bars:
            self.table = clip_table.read(data_dir, names, bars)
        self.folds = splits.find_folds(self.table, settings)
        self.targets = self._find_targets()
        held = self.table.manifest.streams
        self.modalities = settings.modality or (windows.MODALITIES if held == "both" else (held,))
        self.streams = tuple(
            stream
            for stream in windows.MODALITIES
            if any(stream in windows.modalities_of(each) for each in self.modalities)
        )
        self.data = plan.run.data
        if plan.checkpoint is not None:
            self.data = encoders.match_rates(
                self.data, self.table.manifest, plan.checkpoint, plan.given
            )
        self.num_samples = self._num_samples()
        self.seconds["reading labels"] = time.perf_counter() - started

    def _find_targets(self) -> list[clip_table.Targets]:
        try:
            return clip_table.find_targets(self.table, self.plan.settings.label_pattern)
        except records.DataError:
            across = self.table.manifest.streams == "both"
            if self.plan.settings.protocol == searches.RETRIEVAL and across:
                return []  # Sound and picture find each other without labels.
            raise

    def _num_samples(self) -> Optional[int]:
        """Samples of a window where sound is measured alone; None where pictures are, too."""
        seconds, checkpoint = self.plan.settings.audio_window, self.plan.checkpoint
        rate = self.table.manifest.sample_rate
        if self.streams != ("audio",):
            if seconds:
                raise config.ConfigError(
                    f"--audio_window={seconds:g}: has a meaning where sound is measured alone, "
                    "with --modality=audio; beside pictures, sound has their length"
                )
            return None
        if seconds:
            return round(seconds * rate)
        if checkpoint is not None:
            return checkpoint.num_audio_samples
        data = self.data
        return clip_sampling.num_audio_samples(
            data.num_frames, data.frame_stride, self.table.manifest.frame_rate, rate
        )

    def measure(self) -> list[results.Measurement]:
        """Measures all features by a protocol that leaves encoders as they are.

        Raises:
          config.ConfigError, records.DataError, checkpointing.CheckpointError: something is wrong
            that the user can mend.
          protocols.ProtocolError: nothing can be learned from the training clips of a fold.
        """
        sets, found = self._feature_sets(), []
        self._first_set = sets[0]
        started = time.perf_counter()
        with tqdm.tqdm(desc="measuring", unit="row") as bar:
            for row in self._rows(sets):
                found.append(row)
                bar.set_postfix_str(row.name)
                bar.update()
        self.seconds["measuring"] = time.perf_counter() - started
        return found

    def _rows(self, sets: list[frozen.Frozen]) -> Iterator[results.Measurement]:
        settings, names = self.plan.settings, self.table.filenames
        for each in sets:
            modalities = [
                modality
                for modality in self.modalities
                if all(stream in each.arrays for stream in windows.modalities_of(modality))
            ]
            for targets in self.targets:
                folds = splits.labelled(self.folds, targets)
                for modality in modalities:
                    if settings.protocol == searches.RETRIEVAL:
                        yield searches.within(each, modality, targets, folds, names, settings)
                        continue
                    for subset in splits.subsets(folds, targets, names, settings):
                        yield frozen.measure(
                            each,
                            modality,
                            targets,
                            subset,
                            names,
                            settings,
                            self.plan.protocol_settings,
                        )
            embeddings = [f"{stream}_embedding" in each.arrays for stream in windows.MODALITIES]
            if settings.protocol == searches.RETRIEVAL and all(embeddings):
                yield from searches.across(each, self.folds, names, settings)

    def _feature_sets(self) -> list[frozen.Frozen]:
        """Features of all clips: of the trained encoders, and of the baselines."""
        plan, sets = self.plan, []
        tf.keras.mixed_precision.set_global_policy(strategy.resolve_precision(plan.precision))
        kinds = ("trained", *plan.settings.baselines)
        if plan.checkpoint is None:
            kinds = plan.settings.baselines
        if "log_mel" in kinds and "audio" not in self.streams:
            raise config.ConfigError("--baselines=log_mel: no sound is measured")
        for kind in kinds:
            if kind == "random":
                widths = [each.arrays for each in sets if each.name != "log_mel"]
                sets.append(frozen.Frozen(kind, self._random(widths[0] if widths else None)))
            else:
                sets.append(frozen.Frozen(kind, self._features(kind)))
        return sets

    def _features(self, kind: str) -> feature_store.Arrays:
        started = time.perf_counter()
        num = len(self.table.clip_ids)
        with tqdm.tqdm(total=num, desc=f"encoding ({kind})", unit="clip") as bar:
            try:
                arrays, were_there = feature_store.load_or_make(
                    self.plan.cache_dir,
                    self._about(kind),
                    self.table.clip_ids,
                    lambda: (self._clips(kind), features.WindowEncoder(self._encoders(kind))),
                    lambda done: bar.update(done - bar.n),
                )
            except tf.errors.OpError as error:
                raise self._explained(error) from error
            bar.update(num - bar.n)
        if were_there:
            self._say(f"Features ({kind}) were there already.")
        self.seconds[f"features ({kind})"] = time.perf_counter() - started
        return arrays

    def _encoders(self, kind: str) -> dict[str, encoders.Encode]:
        plan = self.plan
        if kind == "log_mel":
            rate = round(self.table.manifest.sample_rate)
            return encoders.log_mel(rate, plan.run.model.mel_bands)
        make = encoders.load if kind == "trained" else encoders.initialised
        if plan.checkpoint is None:
            raise config.ConfigError(f"--baselines={kind}: needs a --checkpoint")
        found = make(plan.checkpoint)
        return {stream: found[stream] for stream in self.streams}

    def _clips(self, kind: str) -> tf.data.Dataset:
        settings = self.plan.settings
        dataset = None
        for split in self.table.manifests:
            part = pipeline.build_eval_dataset(
                self.data,
                split=split,
                batch_size=settings.encoding_batch_size,
                num_windows=settings.clips,
                crops=settings.crops,
                modalities=self._streams_of(kind),
                num_samples=self.num_samples,
            )
            dataset = part if dataset is None else dataset.concatenate(part)
        return dataset

    def _streams_of(self, kind: str) -> tuple[str, ...]:
        # Pictures stay with log_mel: they say where the windows of the sound are.
        return self.streams if kind != "log_mel" or self.num_samples is None else ("audio",)

    def _about(self, kind: str) -> dict[str, Any]:
        """All that features depend on."""
        settings, data, checkpoint = self.plan.settings, self.data, self.plan.checkpoint
        encoder = {"kind": kind, "mel_bands": self.plan.run.model.mel_bands}
        if kind != "log_mel" and checkpoint is not None:
            encoder = {"kind": kind, "digest": checkpoint.digest}
        return {
            "encoder": encoder,
            "precision": tf.keras.mixed_precision.global_policy().name,
            "data": {"digest": self.table.digest, "splits": list(self.table.manifests)},
            "transform": {
                "streams": list(self._streams_of(kind)),
                "clips": settings.clips,
                "crops": settings.crops,
                "num_frames": data.num_frames,
                "frame_stride": data.frame_stride,
                "image_size": data.image_size,
                "region": data.region,
                "num_samples": self.num_samples,
            },
        }

    def _random(self, like: Optional[feature_store.Arrays]) -> feature_store.Arrays:
        settings, made = self.plan.settings, {}
        names = [name for stream in self.streams for name in (stream, f"{stream}_embedding")]
        for place, name in enumerate(names):
            crops = settings.crops if name.startswith("video") else 1
            shape = (settings.clips * crops, _RANDOM_WIDTH)
            if like is not None and name in like:
                shape = like[name].shape[1:]
            made[name] = feature_store.random_features(
                self.table.clip_ids, shape, seed=settings.seed, stream=place
            )
        return made

    def _explained(self, error: tf.errors.OpError) -> Exception:
        """What to raise instead of TensorFlow's error, which names operations and no files."""
        data_dir = self.data.data_dir
        if isinstance(error, tf.errors.DataLossError):
            for split in self.table.manifests:
                damage = shards.find_damage(data_dir, split)
                if damage:
                    return records.DataError(damage)
        for known in (clip_sampling.TOO_SHORT, clip_sampling.SOUND_TOO_SHORT):
            if known in str(error.message):
                return records.DataError(f"{data_dir}: {known}")
        return records.DataError(f"{data_dir}: a clip cannot be encoded: {error.message}")

    def neighbours(self) -> list[result_page.Neighbours]:
        """Test clips of the first fold with their nearest neighbours, by the first features."""
        if self._first_set is None or not self.targets:
            return []
        targets = self.targets[0]
        fold = splits.labelled(self.folds[:1], targets)[0]
        return gallery.find(
            self._first_set, self.table, fold, targets, self.plan.settings, self.data.data_dir
        )

    def result(self, measurements: list[results.Measurement]) -> results.Result:
        """Everything that was found, ready to be written."""
        plan, table = self.plan, self.table
        return results.Result(
            name=plan.name,
            checkpoint=None if plan.checkpoint is None else plan.checkpoint.facts(),
            data={
                "path": self.data.data_dir,
                "digest": table.digest,
                "num_clips": len(table.clip_ids),
                "streams": table.manifest.streams,
            },
            classes={targets.name: list(targets.classes) for targets in self.targets},
            flags=plan.flags,
            versions={
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "scikit-learn": sklearn.__version__,
                "numpy": np.__version__,
                "actcl_tf": records.TOOL_VERSION,
            },
            seeds=[plan.settings.seed],
            seconds={name: round(value, 3) for name, value in self.seconds.items()},
            measurements=measurements,
        )


class _Bars:
    """A progress bar for each split, one after the other."""

    def __init__(self, what: str):
        self._what, self._bar = what, None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, split: str, done: int, total: int) -> None:
        if self._bar is None or self._bar.desc != f"{self._what} of {split}":
            self.__exit__()
            self._bar = tqdm.tqdm(total=total, desc=f"{self._what} of {split}", unit="clip")
        self._bar.update(done - self._bar.n)
