import concurrent.futures
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from actcl_tf.benchmark import fresh_process, host

SIZE = 64 * 2**20


def _peak_of_sorting(jit):
    host.forget_freed_memory()
    numbers = tf.random.stateless_uniform([SIZE // 4 // 64, 64], [0, 0])
    call = tf.function(lambda x: tf.reduce_sum(tf.sort(x, axis=1)[::2]), jit_compile=jit)
    call(numbers).numpy()
    return os.getpid(), host.peak_extra_bytes(lambda: call(numbers).numpy())


# Starts TensorFlow anew four times. Quick tests of the benchmark see what two ways take, too.
@pytest.mark.slow
def test_what_tensorflow_takes_is_seen_in_a_second_call():
    # In a process whose fork server is not that of other tests, with the kernels that they have.
    command = f"from {__name__} import check; check()"
    root = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check():
    before = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    seen = {}
    for jit in (False, True):
        context = fresh_process.context()
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as fresh:
            process, seen[jit] = fresh.submit(_peak_of_sorting, jit).result(timeout=600)
        assert process != os.getpid()
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == before
    if sys.platform != "linux":  # The peak cannot be reset elsewhere.
        assert set(seen.values()) == {None}
        return
    # Sorting makes at least one copy of all numbers.
    assert min(seen.values()) > 0.9 * SIZE and max(seen.values()) < 6 * SIZE
