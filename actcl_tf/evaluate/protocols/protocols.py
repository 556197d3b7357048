"""The protocols of an evaluation by name, each with the function that measures by it."""

from collections.abc import Callable, Iterator, Sequence

from actcl_tf.evaluate.features import feature_sets
from actcl_tf.evaluate.protocols import classifiers, finetune_protocol, frozen, retrieval_protocol
from actcl_tf.evaluate.protocols.context import Context
from actcl_tf.evaluate.results import results

Rows = Callable[[Context, Sequence[feature_sets.FeatureSet]], Iterator[results.Measurement]]

PROTOCOLS: dict[str, Rows] = {
    **dict.fromkeys(classifiers.CLASSIFIERS, frozen.rows),
    retrieval_protocol.RETRIEVAL: retrieval_protocol.rows,
    finetune_protocol.FINETUNE: finetune_protocol.rows,
}
