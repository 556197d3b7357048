"""How far two right ways of computing the same may lie apart, on any processor.

Kernels add up the products of a layer in orders of their own, with wider or narrower vectors, with
fused steps or without, so that the last bits of a value tell the processor and not the program.
"""

import numpy as np


def of_sums(num_terms: int, num_layers: int = 1) -> float:
    """Relative tolerance of float32 values that are sums of products.

    Each addition rounds by up to half an epsilon, to either side: a random walk of `num_terms`
    steps, and of as many again for each layer that follows. Four standard deviations are allowed.
    """
    return float(4 * np.finfo(np.float32).eps * np.sqrt(num_terms * num_layers))


def of_mixed(dtype: str, num_layers: int) -> float:
    """Relative tolerance, by norm, of a network that computes in half precision.

    Each layer rounds its inputs, its kernel, its products and what its normalisation makes of them,
    by up to an epsilon: a processor without such units also rounds sums while it adds them up.
    """
    eps = {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]
    return eps * float(np.sqrt(4 * num_layers))


# Networks of tests are at most as deep and as wide as a 3D-ResNet-10 whose last stage has 64
# channels: ten layers of sums of 3 x 3 x 3 x 64 products.
NETWORK = of_sums(27 * 64, 10)


def assert_close(found, expected, rtol: float = NETWORK, err_msg: str = "") -> None:
    """Checks that values differ by at most `rtol` of the largest of those expected."""
    expected = np.asarray(expected)
    atol = rtol * float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=err_msg)
