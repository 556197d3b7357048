"""What a training step costs each of many replicas, for pools of many sizes: measured or foretold.

Bytes are counted from the shapes of the run's own variables. Seconds and scratch memory are those
of the run's own sampler on this machine, measured at small sizes and fitted. What replicas exchange
is turned into seconds by a bandwidth; how long a message is on its way is left out.
"""

import itertools
from typing import Any, NamedTuple

from actcl_tf import config
from actcl_tf.benchmark.scaling import (
    sampled_step,
    scaling_costs,
    scaling_counts,
    scaling_settings,
)

# What each replica keeps of the pools: all; or a part, --pool_sharding.
WAYS = ("whole", "sharded")


class Result(NamedTuple):
    """The table and what it was made of.

    Attributes:
      rows: by pool, then by replicas; see `tabulate`.
      counts: the run's shapes.
      costs: of one dictionary.
      points: that the costs are fitted to, see `sampled_step.measure`.
      held_out: likewise, that they are not fitted to, with what they foretell.
    """

    rows: list[dict[str, Any]]
    counts: scaling_counts.Counts
    costs: scaling_costs.Costs
    points: list[dict[str, Any]]
    held_out: list[dict[str, Any]]


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
    points, held_out = sampled_step.measure(settings, run.contrast, counts.largest)
    costs = scaling_costs.fit_costs(points)
    held_out = [{**point, **costs.foretell(point)} for point in held_out]
    return Result(tabulate(run, settings, counts, costs), counts, costs, points, held_out)


def tabulate(
    run: config.PretrainConfig,
    settings: scaling_settings.Settings,
    counts: scaling_counts.Counts,
    costs: scaling_costs.Costs,
) -> list[dict[str, Any]]:
    """The rows that counts and costs come to.

    Returns:
      Of each row, plain values:
        pool_size: N.
        replicas: R.
        batch_size: M, the global batch.
        dictionary_size: K; the configured one, or M where that is more.
        whole, sharded: what each way costs, see `_cost`; None where the pool is too small for K and
          M, and of parts with one replica.
        choice: the faster one of the ways that fit; "none" does; or "-" where there is neither.
    """
    rows = []
    for pool_size, replicas in itertools.product(settings.scaling_pools, settings.scaling_replicas):
        batch_size = replicas * settings.scaling_replica_batch
        dictionary_size = max(run.contrast.dictionary_size, batch_size)
        row = {
            "pool_size": pool_size,
            "replicas": replicas,
            "batch_size": batch_size,
            "dictionary_size": dictionary_size,
            **dict.fromkeys(WAYS),
            "choice": "-",
        }
        if pool_size >= dictionary_size + batch_size:
            row["whole"] = _cost(settings, counts, costs, row)
            if replicas > 1:
                row["sharded"] = _cost(settings, counts, costs, row, parts=replicas)
            fitting = [way for way in WAYS if row[way] is not None and row[way]["fits"]]
            row["choice"] = min(fitting, key=lambda w: row[w]["step_seconds"], default="none")
        rows.append(row)
    return rows


def _cost(
    settings: scaling_settings.Settings,
    counts: scaling_counts.Counts,
    costs: scaling_costs.Costs,
    row: dict[str, Any],
    parts: int = 1,
) -> dict[str, float]:
    """What a step costs each replica, with the pools whole or in parts.

    Returns:
      gathered_bytes: that a replica receives in gathers.
      kept_bytes: of dictionaries and pools.
      scratch_bytes: that sampling both dictionaries takes besides, at its peak.
      sampling_seconds: for both dictionaries.
      exchange_seconds: for gathers and sums, gradients included.
      step_seconds: of all, encoders included.
      fits: whether what is kept and the scratch fit into memory.
    """
    replicas, picks = row["replicas"], row["batch_size"]
    own = -(-row["pool_size"] // parts)
    given = scaling_counts.exchange(counts, settings.scaling_replica_batch, replicas, parts > 1)
    # A replica receives, and as much it sends, in a ring of all replicas.
    gathered = (replicas - 1) * sum(given.gathered.values())
    summed = 2 * (replicas - 1) / replicas * sum(given.summed.values())
    kept = scaling_counts.kept_bytes(counts, row["dictionary_size"], own)
    # Nothing keeps the dictionaries from being sampled at the same time.
    number = len(counts.modalities)
    scratch = number * costs.scratch_bytes(own, picks, parts)
    if parts > 1:
        scratch += replicas * picks * sum(each.pool_row for each in counts.modalities)
    sampling = number * (costs.sampling_seconds(own, picks, parts) + costs.remember(own, picks))
    sampling /= settings.scaling_speed
    exchange = (gathered + summed) / (settings.scaling_bandwidth * 1e9)
    return {
        "gathered_bytes": gathered,
        "kept_bytes": kept,
        "scratch_bytes": scratch,
        "sampling_seconds": sampling,
        "exchange_seconds": exchange,
        "step_seconds": settings.scaling_step_seconds + sampling + exchange,
        "fits": kept + scratch <= settings.scaling_memory_gb * 1e9,
    }
