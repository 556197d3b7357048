"""The nearest-neighbour protocol: the training clips most alike vote; nothing is trained."""

import numpy as np
import sklearn
from sklearn.neighbors import NearestNeighbors

from actcl_tf.evaluate.protocols import prediction
from actcl_tf.evaluate.protocols.protocol_settings import Settings

# MiB of distances that exist at one time.
_BLOCK = 128


def fit_predict(task: prediction.Task, settings: Settings, seed: int = 0) -> prediction.Prediction:
    """Scores each test clip by a vote of its k nearest training clips.

    The score of a class is the sum of exp(cosine / temperature) over those of the k neighbours
    that are of the class (Wu et al. 2018, section 3.4), divided by the sum over all k: a share of
    the votes, which keeps the numbers finite at any temperature and the order of a clip's classes
    as it is. A row of zeros has cosine 0 to everything.

    Args:
      task: of `prediction.check`; where clips may have several labels, a neighbour votes for each
        of its labels with its whole weight.
      settings: number of neighbours (all training clips, if there are fewer) and temperature: the
        lower, the more the nearest counts.
      seed: nothing is random.

    Returns:
      Shares from 0 to 1, and -1 for classes without a training clip; `chosen`: `k`, the number of
      neighbours used.
    """
    del seed
    k, temperature = min(settings.knn_k, len(task.train_x)), settings.knn_temperature
    index = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(task.train_x)
    with sklearn.config_context(working_memory=_BLOCK):
        distance, nearest = index.kneighbors(task.test_x)
    # The nearest has distance 1 - cosine and weighs 1; its cosine cancels in the shares.
    weight = np.exp((distance.min(axis=1, keepdims=True) - distance) / temperature)
    votes = np.zeros((len(distance), task.num_classes))
    rows = np.arange(len(distance))
    for place in range(k):
        voters, share = nearest[:, place], weight[:, place]
        if task.multi_label:
            votes += share[:, None] * task.train_y[voters]
        else:
            votes[rows, task.train_y[voters]] += share
    total = weight.sum(axis=1) if task.multi_label else votes.sum(axis=1)
    shares = votes / total[:, None]
    if task.multi_label:
        present = np.flatnonzero(task.train_y.any(axis=0))
    else:
        present = np.unique(task.train_y)
    return prediction.Prediction(
        prediction.spread(shares[:, present], present, task.num_classes), {"k": k}
    )
