"""What the sampler of a run picks out of its pools, over and over again."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.contrast import negative_sampling
from actcl_tf.inspection import dictionary_state
from actcl_tf.train.model import dictionaries, encoding

# Batches that are encoded; encoding takes nearly all of the time, and drawing next to none.
_ENCODED = 8


class PickCounts(NamedTuple):
    """How often the candidates of a pool were picked.

    Attributes:
      counts: [N] int64, times that the candidate of each slot was picked.
      first: [M] int64, slots of the first draw's picks.
      draws: how often was drawn.
      batches: training batches that the queries are of.
    """

    counts: np.ndarray
    first: np.ndarray
    draws: int
    batches: int


def count(
    state: dictionary_state.RunState, batches: Iterable[dict[str, tf.Tensor]], draws: int
) -> dict[str, PickCounts]:
    """Samples from the pools again and again, as training would, and counts.

    The queries are those of the checkpoint's query towers on a batch, normalised by its own
    statistics as in training; seeds go on where the run's end. Each of the first draws has the
    queries of a batch; where there are more draws, the rest have queries drawn from all of these.
    Unlike in training, neither pool, dictionary nor the layer that the pool is seen through
    changes, and every key of the pool may be picked each time, whether its clip is in the
    dictionary or not.

    Args:
      state: of a run with pools.
      batches: `num_batches(draws)` global batches of training clips: `video`, `audio`, `seed`.
      draws: how often to sample.

    Returns:
      Modality of the keys -> counts.
    """
    train = state.run.config.train
    sampler = dictionaries.build_sampler(state.run.config.contrast)
    towers = {"video": state.run.video_tower, "audio": state.run.audio_tower}
    served = sorted({dictionary.serves for dictionary in state.dictionaries.values()})

    @tf.function(reduce_retracing=True)
    def encode(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            m: towers[m](batch[m], seeds=batch["seed"], training=True).embedding for m in served
        }

    drawn = {modality: [] for modality in state.dictionaries}
    encoded = [encode({name: batch[name] for name in (*served, "seed")}) for batch in batches]
    for draw, queries in enumerate(queries_of_draws(encoded, draws, train.seed)):
        for index, modality in enumerate(encoding.MODALITIES):
            step = state.run.step + draw
            seed = tf.random.experimental.stateless_fold_in([train.seed, 2 * step + index], 0)
            drawn[modality].append(
                _draw(sampler, state.dictionaries[modality], queries, train.batch_size, seed)
            )
    return {
        modality: counted(slots, len(state.dictionaries[modality].pool.ids), len(encoded))
        for modality, slots in drawn.items()
    }


def num_batches(draws: int) -> int:
    """Batches whose clips are encoded for so many draws."""
    return min(draws, _ENCODED)


def queries_of_draws(
    encoded: list[dict[str, tf.Tensor]], draws: int, seed: int
) -> Iterator[dict[str, tf.Tensor]]:
    """The queries of each draw: a batch each, then as many of all batches, none of them twice.

    Args:
      encoded: modality -> [M, D] of each batch; at least one where `draws` is not 0.
      draws: how often is drawn.
      seed: of the later draws.
    """
    yield from encoded[:draws]
    if draws <= len(encoded):
        return
    everything = {m: tf.concat([each[m] for each in encoded], axis=0) for m in encoded[0]}
    size = len(next(iter(encoded[0].values())))
    total = len(next(iter(everything.values())))
    rng = np.random.default_rng(seed)
    for _ in range(draws - len(encoded)):
        rows = rng.permutation(total)[:size]
        yield {m: tf.gather(each, rows) for m, each in everything.items()}


def counted(drawn: list[np.ndarray], pool_size: int, batches: int) -> PickCounts:
    """Counts how often each slot is among the picks.

    Args:
      drawn: slots picked, one array a draw.
      pool_size: N.
      batches: training batches that the queries were of.
    """
    picked = np.concatenate([np.zeros(0, np.int64), *drawn])
    first = drawn[0] if drawn else np.zeros(0, np.int64)
    return PickCounts(np.bincount(picked, minlength=pool_size), first, len(drawn), batches)


def most_and_least(
    counts: np.ndarray, candidates: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The candidates picked most often, and those picked least; ties in random order.

    Args:
      counts: [N] int64.
      candidates: slots that could be picked.
      size: how many of each at most; no candidate is among both.
      rng: orders candidates of equal counts.

    Returns:
      Two arrays of slots: from the highest count down, and from the lowest up.
    """
    shuffled = rng.permutation(candidates)
    ordered = shuffled[np.argsort(counts[shuffled], kind="stable")]
    most = ordered[::-1][: min(size, (len(ordered) + 1) // 2)]
    least = ordered[: min(size, len(ordered) // 2)]
    return most, least


def _draw(
    sampler: object,
    dictionary: dictionary_state.DictionaryState,
    queries: dict[str, tf.Tensor],
    num_picks: int,
    seed: tf.Tensor,
) -> np.ndarray:
    """Slots of one draw, [up to M] int64."""
    picked = negative_sampling.choose(
        sampler,
        tf.constant(dictionary.pool.ids >= 0),
        num_picks,
        seed=seed,
        features=tf.constant(dictionary.pool.features),
        last_layer=dictionary.last_layer,
        queries=queries[dictionary.serves],
    )
    return picked.indices.numpy()[: int(picked.count)].astype(np.int64)
