"""The documented requests to TensorFlow Serving, answered by an export.

TensorFlow Serving is no Python package: here a server of a few lines takes the same messages, and
hands their tensors to the SavedModel.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import io
import json
import pathlib
import re
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests import media_files

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "actcl_tf" / "export" / "README.md"


@pytest.fixture(scope="module")
def signatures(exported_model):
    return tf.saved_model.load(str(exported_model / "pair" / "1")).signatures


def _block(kind):
    (code,) = re.findall(rf"^```python {kind}\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    return code


def _run(code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, str(DOCUMENT), "exec"), {})
    return said.getvalue()


@pytest.fixture
def grpc_port(signatures):
    class Server(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "pair"
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            run = signatures[request.model_spec.signature_name]
            answer = predict_pb2.PredictResponse()
            for key, value in run(**{k: tf.constant(v) for k, v in inputs.items()}).items():
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_the_grpc_request_is_answered(grpc_port, tmp_path, monkeypatch):
    code = _block("grpc").replace("localhost:8500", f"localhost:{grpc_port}")
    assert _run(code, tmp_path, monkeypatch) == "(1, 16)\n"


def _decoded(value):
    """Values of a request; {"b64": text} stands for bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_decoded(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def rest_port(signatures):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/pair:predict"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rows, run = body["instances"], signatures[body["signature_name"]]
            inputs = {key: tf.constant([_decoded(row[key]) for row in rows]) for key in rows[0]}
            outputs = {key: value.numpy().tolist() for key, value in run(**inputs).items()}
            answers = [{key: outputs[key][i] for key in outputs} for i in range(len(rows))]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"predictions": answers}).encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_rest_request_is_answered(rest_port, signatures, tmp_path, monkeypatch):
    (tmp_path / "sounds").mkdir()
    sound = (32767 * media_files.tone(2.0)).astype(np.int16)
    wav = tf.audio.encode_wav(sound.reshape(-1, 1) / 32768, 16000).numpy()
    (tmp_path / "sounds" / "bell.wav").write_bytes(wav)
    code = _block("rest").replace("localhost:8501", f"localhost:{rest_port}")
    features = signatures["audio_wav"](audio_wav=tf.constant([wav]))["features"]
    assert _run(code, tmp_path, monkeypatch) == f"16 {features.shape[1]}\n"
