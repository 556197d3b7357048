"""Readers of parts of clips: shared processes, and what they say of bad files."""

import concurrent.futures
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.input import media_reader, tagged_errors
from actcl_tf.data.media.decoder_messages import SegmentRequest
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.storage.errors import DataError
from tests.media_files import write_clip

OPTIONS = ReadOptions(12.5, 16000, 32, 90)


@pytest.fixture
def reader():
    made = media_reader.MediaReader(OPTIONS, 2, 60.0)
    yield made
    made.close()


def ask(path, first=0):
    return SegmentRequest(str(path), 0.0, first, 4, 1, first * 1280, 5120)


def test_many_threads_share_the_processes(tmp_path, reader):
    paths = [write_clip(tmp_path / f"{i}.mp4", 2.0, levels=(20 + 20 * i,)) for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        spans = list(pool.map(lambda i: reader.read(ask(paths[i % 6], i % 3)), range(24)))
    again = [reader.read(ask(paths[i % 6], i % 3)) for i in range(24)]
    for one, other in zip(spans, again, strict=True):
        assert one.frames_jpeg == other.frames_jpeg
        np.testing.assert_array_equal(one.waveform, other.waveform)
    assert len({tuple(span.frames_jpeg) for span in spans}) == 6


def test_a_bad_file_is_named_with_what_to_do(tmp_path, reader):
    with pytest.raises(DataError) as error:
        reader.read(ask(tmp_path / "gone.mp4"))
    assert str(error.value).startswith(
        f"--input=media: {tmp_path}/gone.mp4 was good and cannot be read any more at 0.00 seconds "
        "(missing"
    )
    assert "put the file back as it was" in str(error.value)


def test_a_dead_process_costs_one_part(tmp_path, reader):
    path = write_clip(tmp_path / "a.mp4", 2.0)
    for _ in range(2):
        reader.read(ask(path))
    os.kill(reader._decoders[0]._process.pid, signal.SIGKILL)
    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(len(reader.read(ask(path)).frames_jpeg))
        except DataError as error:
            outcomes.append("crashed" if "crashed" in str(error) else str(error))
    assert sorted(outcomes, key=str) == [4] * 5 + ["crashed"]


def test_a_message_is_found_in_what_tensorflow_says(tmp_path, reader):
    def fail(_):
        reader.read(ask(tmp_path / "gone.mp4"))

    dataset = tf.data.Dataset.range(1).map(lambda i: tf.numpy_function(fail, [i], tf.int64))
    with pytest.raises(tf.errors.OpError) as error:
        list(dataset)
    message = tagged_errors.message_of(error.value, media_reader.TAG)
    assert message.startswith("--input=media: ") and "gone.mp4" in message
    assert "\n" not in message
    assert tagged_errors.message_of(ValueError("something else"), media_reader.TAG) == ""


def test_the_same_settings_share_a_reader():
    reader = media_reader.shared(OPTIONS, 1, 5.0)
    assert media_reader.shared(OPTIONS, 1, 5.0) is reader
    assert media_reader.shared(OPTIONS._replace(short_side=64), 1, 5.0) is not reader
