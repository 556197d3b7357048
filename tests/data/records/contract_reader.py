"""Reads clips by the contract of the field alone: nothing of this project is used here.

DMVR's builders parse a `tf.train.SequenceExample` with the specifications below and take the first
row of the waveform; MediaSequence's accessors say which keys hold one value, which a list, and of
which type.
"""

import tensorflow as tf

DMVR_CONTEXT = {
    "clip/label/index": tf.io.VarLenFeature(tf.int64),
    "clip/label/text": tf.io.VarLenFeature(tf.string),
    "caption/string": tf.io.VarLenFeature(tf.string),
}
DMVR_IMAGE = {"image/encoded": tf.io.FixedLenSequenceFeature((), tf.string)}
DMVR_AUDIO = {"WAVEFORM/feature/floats": tf.io.VarLenFeature(tf.float32)}

# Key -> type and, for context features, whether there may be several values.
MEDIA_SEQUENCE_CONTEXT = {
    "example/id": ("bytes_list", False),
    "clip/start/timestamp": ("int64_list", False),
    "clip/end/timestamp": ("int64_list", False),
    "clip/label/index": ("int64_list", True),
    "clip/label/string": ("bytes_list", True),
    "image/format": ("bytes_list", False),
    "image/height": ("int64_list", False),
    "image/width": ("int64_list", False),
    "image/frame_rate": ("float_list", False),
    "image/channels": ("int64_list", False),
    "WAVEFORM/feature/sample_rate": ("float_list", False),
    "WAVEFORM/feature/num_channels": ("int64_list", False),
}
MEDIA_SEQUENCE_LISTS = {
    "image/encoded": ("bytes_list", False),
    "image/timestamp": ("int64_list", False),
    "WAVEFORM/feature/floats": ("float_list", True),
    "WAVEFORM/feature/timestamp": ("int64_list", False),
}


def read_like_dmvr(path, *, image=True, audio=True):
    """Clips of a shard: frames [T, H, W, 3] uint8, sound [S], labels [L], names, captions."""
    lists = {**(DMVR_IMAGE if image else {}), **(DMVR_AUDIO if audio else {})}

    def parse(record):
        context, sequences = tf.io.parse_single_sequence_example(record, DMVR_CONTEXT, lists)
        clip = {key: tf.sparse.to_dense(value) for key, value in context.items()}
        if audio:
            clip["audio"] = tf.sparse.to_dense(sequences["WAVEFORM/feature/floats"])[0]
        if image:
            clip["image"] = tf.map_fn(
                lambda jpeg: tf.io.decode_jpeg(jpeg, channels=3),
                sequences["image/encoded"],
                fn_output_signature=tf.uint8,
            )
        return clip

    return list(tf.data.TFRecordDataset(path).map(parse).as_numpy_iterator())


def read_like_media_sequence(record):
    """Context and feature lists of a record, as Python values; keys of neither are left out."""
    example = tf.train.SequenceExample.FromString(record)
    context = {}
    for key, (kind, several) in MEDIA_SEQUENCE_CONTEXT.items():
        if key in example.context.feature:
            assert example.context.feature[key].WhichOneof("kind") == kind, key
            values = list(getattr(example.context.feature[key], kind).value)
            assert several or len(values) == 1, key
            context[key] = values if several else values[0]
    lists = {}
    for key, (kind, several) in MEDIA_SEQUENCE_LISTS.items():
        if key in example.feature_lists.feature_list:
            features = example.feature_lists.feature_list[key].feature
            assert {feature.WhichOneof("kind") for feature in features} == {kind}, key
            values = [list(getattr(feature, kind).value) for feature in features]
            assert several or {len(value) for value in values} == {1}, key
            lists[key] = values if several else [value for (value,) in values]
    return context, lists
