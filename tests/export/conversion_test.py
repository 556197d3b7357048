"""Exports under compilers and runtimes other than TensorFlow's own: XLA, and ONNX."""

import subprocess
import sys
import venv

import numpy as np
import pytest
import tensorflow as tf

from tests import exports

# Converts the frames' signature, and one window of sound, whose length the spectrogram must know.
ONNX_PROGRAM = """
import sys
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

folder, inputs, outputs = sys.argv[1:]
given, found = np.load(inputs), {}
video, audio = (tf.saved_model.load(f"{folder}/{part}/1") for part in ("video", "audio"))
window = tf.TensorSpec([1, given["audio/window"].shape[1]], tf.float32, "audio")
functions = {
    "video": (lambda video_: video.signatures["video"](video=video_),
              tf.TensorSpec([None, None, None, None, 3], tf.uint8, "video")),
    "audio": (lambda audio_: audio.encode(audio_, training=False), window),
}
for part, (function, spec) in functions.items():
    function = tf.function(function, input_signature=[spec], autograph=False)
    model, _ = tf2onnx.convert.from_function(function, input_signature=[spec], opset=17)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (name,) = (each.name for each in session.get_inputs())
    names = sorted(function.get_concrete_function().structured_outputs)  # In TensorFlow's order.
    for case in (each for each in given if each.startswith(part)):
        values = session.run(None, {name: given[case]})
        found.update({f"{case}/{key}": value for key, value in zip(names, values, strict=True)})
np.savez(outputs, **found)
"""


def _inputs():
    rng = np.random.default_rng(1)
    sound = exports.tones(1, 20000)
    return {
        "video/long": exports.pixels(rng, 2, 11, 48, 90),
        "video/large": exports.pixels(rng, 1, 8, 80, 100),  # Filtered when it is resized.
        "video/small": exports.pixels(rng, 1, 8, 12, 20),
        "audio/window": sound[:, : exports.NUM_SAMPLES],
        "audio/long": sound,
        "audio/short": sound[:, :400],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return exports.save(exports.small_run(), tmp_path_factory.mktemp("export") / "model")


@pytest.mark.parametrize("part", ["video", "audio"])
def test_signatures_without_files_compile(folder, part):
    """XLA takes all of `video` and `audio`; nothing that decodes, `video_jpeg` and `audio_wav`."""
    model = tf.saved_model.load(str(folder / part / "1"))
    run = model.signatures[part]

    @tf.autograph.experimental.do_not_convert
    def call(value):
        return run(**{part: value})

    compiled = tf.function(call, jit_compile=True)
    for name, value in _inputs().items():
        if name.startswith(part):
            expected = run(tf.constant(value))
            for key, found in compiled(tf.constant(value)).items():
                np.testing.assert_allclose(found, expected[key], atol=1e-3, err_msg=name)


def test_pairs_compile(folder):
    model = tf.saved_model.load(str(folder / "pair" / "1"))
    run = model.signatures["serving_default"]

    @tf.autograph.experimental.do_not_convert
    def call(video, audio):
        return run(video=video, audio=audio)

    inputs = _inputs()
    pair = [tf.constant(inputs[name]) for name in ("video/large", "audio/long")]
    found = tf.function(call, jit_compile=True)(*pair)
    for key, expected in call(*pair).items():
        np.testing.assert_allclose(found[key], expected, atol=1e-3, err_msg=key)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no such TensorFlow for this Python")
def test_onnx_gives_the_same(folder, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    # Newer releases of onnx need a newer ml_dtypes than this TensorFlow does.
    packages = ["tensorflow==2.15.*", "numpy<2", "tf2onnx", "onnx==1.17.*", "onnxruntime"]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    check_onnx(python, folder, tmp_path)


def check_onnx(python, folder, scratch):
    """Compares the answers of ONNX Runtime, in the environment of a Python, with TensorFlow's."""
    inputs = _inputs()
    del inputs["audio/long"], inputs["audio/short"]
    files = [str(scratch / name) for name in ("inputs.npz", "outputs.npz")]
    np.savez(files[0], **inputs)
    subprocess.run([python, "-c", ONNX_PROGRAM, str(folder), *files], check=True, cwd=scratch)
    found = np.load(files[1])
    models = {p: tf.saved_model.load(str(folder / p / "1")) for p in ("video", "audio")}
    for name, value in inputs.items():
        part = name.split("/")[0]
        for key, expected in models[part].signatures[part](tf.constant(value)).items():
            np.testing.assert_allclose(found[f"{name}/{key}"], expected, atol=1e-3, err_msg=name)
