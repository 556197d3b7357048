import pytest
import tensorflow as tf

from actcl_tf.data.input import tagged_errors


@pytest.mark.parametrize(
    "text, told",
    [
        ("", ""),
        ("something else", ""),
        ("--flag: it is gone", "--flag: it is gone"),
        ("trace\n  DataError: --flag: it is gone\nmore --flag: later", "--flag: it is gone"),
    ],
)
def test_message_of(text, told):
    assert tagged_errors.message_of(ValueError(text), "--flag: ") == told


def test_what_python_raises_below_a_data_set_is_found():
    def fail(_):
        raise ValueError("--flag: number 3")

    dataset = tf.data.Dataset.range(1).map(lambda n: tf.numpy_function(fail, [n], tf.int64))
    with pytest.raises(tf.errors.OpError) as error:
        list(dataset)
    assert tagged_errors.message_of(error.value, "--flag: ") == "--flag: number 3"
