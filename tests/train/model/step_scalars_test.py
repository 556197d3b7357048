import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import dictionary, losses, negative_sampling
from actcl_tf.train.model import diagnosis, step_scalars


def _result():
    return losses.InfoNCE(
        loss=tf.constant([1.0, 3.0]),
        positive=tf.constant([0.5, 0.7]),
        similarity=tf.constant([[0.2, 0.4], [0.6, 9.0]]),
        mask=tf.constant([[True, True], [True, False]]),
        rank=tf.constant([0, 4]),
        bound=tf.constant([0.1, 0.3]),
    )


def test_means_over_the_global_batch():
    queue = dictionary.Dictionary(4, 2)
    key = tf.constant([[1.0, 0.0]])
    queue.remember(
        dictionary.KeyBatch(*(tf.constant([7], tf.int64), key, key, *[tf.zeros([1], tf.int64)] * 2))
    )
    picks = negative_sampling.Picks(tf.constant([3, 1]), tf.constant(1))
    sampled = dictionary.Sampled(picks, tf.constant([True]), tf.zeros([1, 2]))
    sampling = diagnosis.Sampling(sampled, None, None)
    results = {"video_to_audio": _result(), "audio_to_video": _result()}
    found = step_scalars.summarise(results, {"audio": queue}, {"audio": sampling}, tf.constant(2))
    expected = {
        "loss/video_to_audio": 2.0,
        "contrast/top1/video_to_audio": 0.5,
        "contrast/top5/video_to_audio": 1.0,
        "contrast/mutual_information_bound/video_to_audio": 0.2,
        "contrast/similarity/positive/video_to_audio": 0.6,
        "contrast/similarity/negative/video_to_audio": (0.3 + 0.6) / 2,
        "loss/total": 4.0,
        "dictionary/filled/audio": 0.25,
        "dictionary/picked/audio": 1.0,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)
    assert len(found) == 2 * 6 + 3


def test_a_query_without_negatives_counts_as_zero():
    result = _result()._replace(mask=tf.fill([2, 2], False))
    found = step_scalars.summarise({"video_to_audio": result}, {}, {}, tf.constant(2))
    assert float(found["contrast/similarity/negative/video_to_audio"]) == pytest.approx(0.0)
