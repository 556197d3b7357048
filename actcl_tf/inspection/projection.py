"""Keys as points of a plane, so that neighbours stay neighbours."""

import numpy as np

# More points make t-SNE slow and a map no clearer.
MAX_POINTS = 3000
_MIN_POINTS = 5
_PERPLEXITY = 30.0


def to_plane(keys: np.ndarray) -> np.ndarray | None:
    """Lays keys out by t-SNE, from a start by principal components.

    Args:
      keys: [n, D] float32, unit vectors.

    Returns:
      [n, 2] float32; None for fewer than 5 keys, or if all are alike.

    Source: van der Maaten and Hinton, Visualizing data using t-SNE (JMLR 2008).
    """
    from sklearn import manifold

    if len(keys) < _MIN_POINTS or np.allclose(keys, keys[:1], atol=1e-6):
        return None
    layout = manifold.TSNE(
        perplexity=min(_PERPLEXITY, (len(keys) - 1) / 3),
        init="pca",
        learning_rate="auto",
        random_state=0,
    )
    return layout.fit_transform(keys.astype(np.float32))


def at_most(count: int, size: int, rng: np.random.Generator, always: np.ndarray) -> np.ndarray:
    """Indices of at most `size` of `count` rows, ascending: some for certain, the rest at random.

    Args:
      count: rows there are.
      size: rows wanted.
      rng: draws them.
      always: indices to take in any case.
    """
    others = np.setdiff1d(np.arange(count), always)
    free = min(max(size - len(always), 0), len(others))
    return np.sort(np.concatenate([always, rng.choice(others, free, replace=False)])).astype(int)
