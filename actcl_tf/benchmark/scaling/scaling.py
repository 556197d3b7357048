"""What a training step costs each of many replicas, for pools of many sizes: measured or foretold.

Bytes are counted from the shapes of the run's own variables. Seconds and scratch memory are those
of the run's own sampler on this machine, measured at small sizes and fitted. What replicas exchange
is turned into seconds by a bandwidth; how long a message is on its way is left out.
"""

from typing import NamedTuple

from actcl_tf import config
from actcl_tf.benchmark.scaling import scaling_costs, scaling_counts, scaling_settings


class Setting(NamedTuple):
    """What one setting costs each replica.

    Attributes:
      gathered_bytes: that a replica receives in gathers at a step.
      kept_bytes: of dictionaries and pools.
      scratch_bytes: that sampling both dictionaries takes besides, at its peak.
      sampling_seconds: of a step, for both dictionaries.
      exchange_seconds: of a step, for gathers and sums, gradients included.
      step_seconds: of a step, encoders included.
      fits: whether what is kept and the scratch fit into memory.
    """

    gathered_bytes: float
    kept_bytes: int
    scratch_bytes: float
    sampling_seconds: float
    exchange_seconds: float
    step_seconds: float
    fits: bool

    @property
    def memory_bytes(self) -> float:
        """All that has to fit."""
        return self.kept_bytes + self.scratch_bytes

    @property
    def sampling_share(self) -> float:
        """The part of the step that goes into sampling."""
        return self.sampling_seconds / self.step_seconds


class Row(NamedTuple):
    """One number of replicas and one size of the pools.

    Attributes:
      pool_size: N.
      replicas: R.
      batch_size: M, the global batch.
      dictionary_size: K; the configured one, or M where that is more.
      whole: with the whole pools on each replica; None where the pool is too small for K and M.
      sharded: with --pool_sharding; None there as well, and with one replica.
    """

    pool_size: int
    replicas: int
    batch_size: int
    dictionary_size: int
    whole: Setting | None
    sharded: Setting | None

    @property
    def choice(self) -> str:
        """The faster setting of those that fit: whole, sharded, none, or - for no such run."""
        if self.whole is None:
            return "-"
        settings = {"whole": self.whole, "sharded": self.sharded}
        fitting = {name: s for name, s in settings.items() if s is not None and s.fits}
        return min(fitting, key=lambda name: fitting[name].step_seconds) if fitting else "none"

    @property
    def chosen(self) -> Setting | None:
        """The setting of the choice; None where there is none."""
        return {"whole": self.whole, "sharded": self.sharded}.get(self.choice)


class Result(NamedTuple):
    """The table and what it was made of.

    Attributes:
      rows: by pool, then by replicas.
      counts: the run's shapes.
      measured: unit costs of one dictionary.
    """

    rows: list[Row]
    counts: scaling_counts.Counts
    measured: scaling_costs.Measured


def measure(run: config.PretrainConfig, settings: scaling_settings.Settings) -> Result:
    """Counts the bytes of a run, measures its sampler, and works out the table.

    Args:
      run: the configuration; its batch and pool size are those of the settings instead.
      settings: sizes, and what is known of the machines.

    Raises:
      config.ConfigError: the run has no pool.
    """
    if not run.contrast.uses_pool:
        raise config.ConfigError(
            f"--negatives={run.contrast.negatives}: has no pool to sample from; choose active, "
            "random or hardest"
        )
    counts = scaling_counts.count(run)
    # The larger one, should they differ: the same cost is then counted for both.
    largest = max(counts.modalities, key=lambda each: each.pool_row)
    measured = scaling_costs.measure(settings, run.contrast, largest)
    return Result(tabulate(run, settings, counts, measured.costs), counts, measured)


def tabulate(
    run: config.PretrainConfig,
    settings: scaling_settings.Settings,
    counts: scaling_counts.Counts,
    costs: scaling_costs.Costs,
) -> list[Row]:
    """The rows that counts and costs come to."""
    rows = []
    for pool_size in settings.scaling_pools:
        for replicas in settings.scaling_replicas:
            batch_size = replicas * settings.scaling_replica_batch
            dictionary_size = max(run.contrast.dictionary_size, batch_size)
            whole = sharded = None
            if pool_size >= dictionary_size + batch_size:
                sizes = {
                    "dictionary_size": dictionary_size,
                    "pool_size": pool_size,
                    "replicas": replicas,
                }
                whole = _setting(settings, counts, costs, is_sharded=False, **sizes)
                if replicas > 1:
                    sharded = _setting(settings, counts, costs, is_sharded=True, **sizes)
            rows.append(
                Row(
                    pool_size=pool_size,
                    replicas=replicas,
                    batch_size=batch_size,
                    dictionary_size=dictionary_size,
                    whole=whole,
                    sharded=sharded,
                )
            )
    return rows


def _setting(
    settings: scaling_settings.Settings,
    counts: scaling_counts.Counts,
    costs: scaling_costs.Costs,
    *,
    dictionary_size: int,
    pool_size: int,
    replicas: int,
    is_sharded: bool,
) -> Setting:
    picks = replicas * settings.scaling_replica_batch
    own = -(-pool_size // replicas) if is_sharded else pool_size
    items = scaling_counts.exchange(counts, settings.scaling_replica_batch, replicas, is_sharded)
    gathered = sum(i.received(replicas) for i in items if i.how == scaling_counts.GATHER)
    exchanged = sum(item.received(replicas) for item in items)
    kept = scaling_counts.kept_bytes(counts, dictionary_size, own)
    # Nothing keeps the dictionaries from being sampled at the same time.
    number = len(counts.modalities)
    scratch = number * costs.scratch_bytes(pool_size, picks, replicas, is_sharded)
    if is_sharded:
        scratch += replicas * picks * sum(each.pool_row for each in counts.modalities)
    sampling = number * costs.seconds(pool_size, picks, replicas, is_sharded)
    sampling /= settings.scaling_speed
    exchange = exchanged / (settings.scaling_bandwidth * 1e9)
    return Setting(
        gathered_bytes=gathered,
        kept_bytes=kept,
        scratch_bytes=scratch,
        sampling_seconds=sampling,
        exchange_seconds=exchange,
        step_seconds=settings.scaling_step_seconds + sampling + exchange,
        fits=kept + scratch <= settings.scaling_memory_gb * 1e9,
    )
