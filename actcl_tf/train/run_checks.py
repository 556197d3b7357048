"""What is refused before any work: a configuration that contradicts the data or the devices."""

import hashlib

from actcl_tf import config
from actcl_tf.config import fitting_sizes
from actcl_tf.data.input import clip_spec
from actcl_tf.data.records import records
from actcl_tf.storage import files
from actcl_tf.train.placement import strategy
from actcl_tf.train.runs import run_folder


def check(run: config.PretrainConfig) -> run_folder.DataFacts:
    """Checks a configuration against the data.

    Args:
      run: the configuration.

    Returns:
      The facts of the data that the model depends on.

    Raises:
      records.DataError: the data cannot be used.
      config.ConfigError: the configuration contradicts the data.
    """
    folder = files.join(run.data.data_dir, run.data.train_split)
    is_whole = run.data.on_bad_record == "fail"
    manifest = records.read_manifest(folder, check_shards=is_whole)
    spec = clip_spec.build_clip_spec(run.data, manifest)
    _check_sizes(run, manifest.num_clips)
    return run_folder.DataFacts(
        frame_rate=float(manifest.frame_rate),
        sample_rate=int(manifest.sample_rate),
        num_audio_samples=spec.samples,
        num_clips=manifest.num_clips,
        digest=_digest(files.join(folder, records.MANIFEST)),
        classes=tuple(manifest.classes),
    )


def _check_sizes(run: config.PretrainConfig, num_clips: int) -> None:
    """Refuses a batch and a dictionary that the training clips cannot fill."""
    contrast, batch = run.contrast, run.train.batch_size
    held = f"the split '{run.data.train_split}' has {num_clips} clips"
    if not contrast.uses_pool:
        if batch > num_clips:
            fitting = fitting_sizes.largest_power_of_two(num_clips)
            raise config.ConfigError(
                f"--batch_size={batch}: {held}; --batch_size={fitting} fits them"
            )
        return
    size = contrast.dictionary_size
    if size + batch <= num_clips:
        return
    sizes = fitting_sizes.fitting_sizes(num_clips, batch_size=batch, dictionary_size=size)
    remedy = (
        f"more clips, {fitting_sizes.MIN_CLIPS} at the least, are needed"
        if sizes is None
        else f"--batch_size={sizes[0]} --dictionary_size={sizes[1]} fits them"
    )
    raise config.ConfigError(
        f"--batch_size={batch} --dictionary_size={size}: with --negatives={contrast.negatives} "
        f"both together must be at most the number of training clips, and {held}; {remedy}"
    )


def warnings(run: config.PretrainConfig) -> list[str]:
    """What is allowed and hardly meant: one line each."""
    train = run.train
    if not train.warmup_steps or train.warmup_steps < train.steps:
        return []
    return [
        f"--warmup_steps={train.warmup_steps}: the learning rate rises to the end of the "
        f"{train.steps} steps (--steps) and never reaches its schedule; a tenth of them is usual"
    ]


def _digest(manifest: str) -> str:
    """A fingerprint of what a split holds."""
    text = files.read_text(manifest).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


def check_placement(run: config.PretrainConfig, placement: strategy.Placement) -> None:
    """Checks a configuration against what it is to run on.

    Args:
      run: the configuration.
      placement: devices and workers.

    Raises:
      config.ConfigError: they contradict; the message names the flags.
    """
    train, contrast, together = run.train, run.contrast, placement.workers
    replicas = placement.strategy.num_replicas_in_sync
    if train.batch_size % replicas:
        raise config.ConfigError(
            f"--batch_size={train.batch_size}: must be divisible by the {replicas} replicas of "
            f"--strategy={train.strategy}"
        )
    if contrast.pool_sharding and contrast.pool_size % replicas:
        raise config.ConfigError(
            f"--pool_size={contrast.pool_size}: must be divisible by the {replicas} replicas of "
            f"--strategy={train.strategy} for --pool_sharding"
        )
    if contrast.pool_sharding and together.count > 1:
        raise config.ConfigError(
            "--pool_sharding: parts of pools on several workers cannot be saved; use it with the "
            "replicas of one machine"
        )
    if train.batch_size // replicas % train.accumulate_steps:
        raise config.ConfigError(
            f"--accumulate_steps={train.accumulate_steps}: must divide the "
            f"{train.batch_size // replicas} clips that each of the {replicas} replicas has of "
            f"--batch_size={train.batch_size}"
        )
    redrawn = contrast.uses_pool and contrast.pool == "epoch"
    if redrawn and together.count > 1 and contrast.pool_size % train.batch_size:
        raise config.ConfigError(
            f"--pool_size={contrast.pool_size}: must be a multiple of --batch_size="
            f"{train.batch_size} with --pool=epoch and several workers"
        )
    if run.data.on_bad_record == "skip" and together.count > 1:
        raise config.ConfigError(
            "--on_bad_record=skip: several workers cannot agree on the clips that one of them "
            "leaves out; prepare the data again, or train on one machine"
        )
