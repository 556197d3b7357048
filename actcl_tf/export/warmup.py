"""Requests that TensorFlow Serving runs before it takes a model into service.

Without them the first requests of users would wait for the graph to be optimised.
"""

import io
import pathlib
import wave

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from actcl_tf.export.modules import Spec

FILE = "assets.extra/tf_serving_warmup_requests"  # Where TensorFlow Serving looks for them.


def inputs(spec: Spec) -> dict[str, np.ndarray]:
    """Input name -> one clip of grey frames, or of faint noise."""
    side = spec.image_size
    frames = np.full([1, spec.num_frames, side, side, 3], 128, np.uint8)
    waves = np.random.default_rng(0).normal(0.0, 0.01, [1, spec.num_audio_samples])
    jpeg = tf.io.encode_jpeg(frames[0, 0]).numpy()
    return {
        "video": frames,
        "video_jpeg": np.array([[jpeg] * spec.num_frames], object),
        "audio": waves.astype(np.float32),
        "audio_wav": np.array([_wav(waves[0], spec.sample_rate)], object),
    }


def write(saved_model: pathlib.Path, name: str, spec: Spec) -> None:
    """Writes one request for each signature of a SavedModel, beside its graph.

    Args:
      saved_model: folder of the SavedModel.
      name: of the model in TensorFlow Serving.
      spec: what the encoders take.
    """
    clips = inputs(spec)
    signatures = tf.saved_model.load(str(saved_model)).signatures
    path = saved_model / FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in signatures:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for each in signatures[signature].structured_input_signature[1]:
                request.inputs[each].CopyFrom(tf.make_tensor_proto(clips[each]))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def _wav(waveform: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((waveform * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
