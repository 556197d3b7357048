"""What is contrasted with what."""

import dataclasses

from actcl_tf.config.fields import SCHEDULES, check_allowed, check_range, field

NEGATIVES = ("active", "random", "hardest", "moco", "in_batch")
SAMPLED_NEGATIVES = ("active", "random", "hardest")
CONTRASTS = ("cross_modal", "within_modal", "joint")
POOLS = ("stream", "epoch")
GRADIENT_SPACES = ("last_layer", "embedding")
GRADIENT_ENCODERS = ("key", "query")
SEEDINGS = ("blocked", "plain", "greedy", "afkmc2", "two_level")
FIRST_PICKS = ("uniform", "largest_norm")
KEY_STATISTICS = ("batch", "moving")


@dataclasses.dataclass(frozen=True)
class ContrastConfig:
    """Where the negatives come from and what is contrasted with what."""

    negatives: str = field("active", "How negatives are chosen.", NEGATIVES)
    contrast: str = field("cross_modal", "What is contrasted with what.", CONTRASTS)
    pool: str = field(
        "stream", "Candidates: the last keys seen, or random clips redrawn each epoch.", POOLS
    )
    dictionary_size: int = field(3840, "Keys in each dictionary (K).")
    pool_size: int = field(38400, "Candidate keys in each pool (N).")
    pool_sharding: bool = field(
        False,
        "Keep another part of the pools on each replica and sample in two levels, so that memory "
        "and sampling time of a large pool fall with the number of replicas.",
    )
    temperature: float = field(0.7, "Temperature of the softmax of the loss (tau).")
    sampler_temperature: float = field(
        1.0,
        "Temperature of the pseudo-posterior in active sampling (tau_s). Low ones take candidates "
        "far from all queries for the most uncertain; with 1, as published, directions decide.",
    )
    key_momentum: float = field(0.999, "Momentum of the key encoders (m).")
    key_momentum_schedule: str = field(
        "constant", "constant, or cosine: from --key_momentum to 1 over the run.", SCHEDULES
    )
    key_statistics: str = field(
        "batch",
        "Statistics of the key encoders' batch normalisation: of the batch, or moving averages "
        "that follow by momentum. In small batches a query and its key would know each "
        "other by the batch they share: use moving, or larger batches.",
        KEY_STATISTICS,
    )
    gradient_space: str = field(
        "last_layer", "Gradient embedding: of the last layer, or of its output.", GRADIENT_SPACES
    )
    gradient_encoder: str = field(
        "key", "Whose last layer the candidates are seen through.", GRADIENT_ENCODERS
    )

    seeding: str = field(
        "blocked",
        "How active sampling seeds: exactly (blocked; plain is the same law, slowly), with local "
        "trials (greedy), by Markov chains (afkmc2), or on parts of the pool (two_level).",
        SEEDINGS,
    )
    first_pick: str = field(
        "uniform", "First pick of active sampling: any candidate, or the longest.", FIRST_PICKS
    )
    chain_length: int = field(200, "Steps of each Markov chain of --seeding=afkmc2.")
    seeding_shards: int = field(8, "Parts of the pool for --seeding=two_level.")

    def __post_init__(self) -> None:
        check_allowed(self)
        check_range(self, "dictionary_size", 1)
        check_range(self, "pool_size", 1)
        check_range(self, "chain_length", 1)
        parts = self.pool_size if self.seeding == "two_level" else float("inf")
        check_range(self, "seeding_shards", 1, parts)
        check_range(self, "temperature", 0.0, open_low=True)
        check_range(self, "sampler_temperature", 0.0, open_low=True)
        check_range(self, "key_momentum", 0.0, 1.0)

    @property
    def uses_dictionary(self) -> bool:
        """Whether negatives are kept from one step to the next."""
        return self.negatives != "in_batch"

    @property
    def uses_pool(self) -> bool:
        """Whether negatives are picked out of a pool of candidates."""
        return self.negatives in SAMPLED_NEGATIVES

    @property
    def num_views(self) -> int:
        """Augmented views of each clip that a step needs: 1 or 2."""
        return 1 if self.contrast == "cross_modal" else 2
