"""Writes runs whose dictionaries and pools are known, without training them."""

import dataclasses

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.train import model_building, run_checks
from actcl_tf.train.runs import checkpoints, run_folder


def clip_ids(num_clips):
    """Ids of the clips that `conftest.write_tiny_split` writes; clip i is of class i % 3."""
    return records.clip_id_of([f"train/{i}" for i in range(num_clips)]).numpy()


def unit_vectors(rng, shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(queue, ids, rng):
    """Enqueues keys of clips, and whatever else the queue keeps of them."""
    rows = {}
    for name, variable in queue.columns.items():
        shape = [len(ids), *variable.shape[1:]]
        made = unit_vectors(rng, shape) if len(shape) == 2 else np.zeros(shape)
        rows[name] = made.astype(variable.dtype.as_numpy_dtype)
    queue.enqueue(np.array(ids, np.int64), rows)


def save_run(run, *, in_dictionary=12, in_pool=18, step=3):
    """Writes a run with one checkpoint; clips 0.. are in the dictionaries, 5.. in the pools."""
    facts = run_checks.check(run)
    run_folder.open_run(run, facts)
    model = model_building.build_model(run, facts, "float32")
    rng, ids = np.random.default_rng(1), clip_ids(facts.num_clips)
    for target in model.dictionaries.values():
        fill(target.queue, ids[:in_dictionary], rng)
        if target.pool is not None:
            fill(target.pool, ids[5 : 5 + in_pool], rng)
    model.step.assign(step)
    checkpoints.Manager(model, run.train.run_dir, 1, model.query_towers).save()
    return model


def remove_labels(folder):
    """Takes the labels out of a split."""
    for path in folder.glob("*.tfrecord"):
        examples = [tf.train.SequenceExample.FromString(r.numpy()) for r in read_shard(path)]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for example in examples:
                for key in (records.LABEL_INDEX, records.LABEL_TEXT, records.LABEL_STRING):
                    del example.context.feature[key]
                writer.write(example.SerializeToString())
    manifest = dataclasses.replace(records.read_manifest(folder), classes=[])
    records.write_manifest(folder, manifest)


def read_shard(path):
    """The serialized records of a shard."""
    return list(tf.data.TFRecordDataset(str(path)))
