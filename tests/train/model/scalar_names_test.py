import pytest

from actcl_tf.train.model import scalar_names


@pytest.mark.parametrize(
    ("name", "scalars", "expected"),
    [
        ("a/b", {"a/b/x": 1.0, "a/b/y": 2.0, "a/c": 3.0}, [1.0, 2.0]),
        ("a/b", {"a/b": 1.0, "a/bc": 2.0, "x/a/b": 3.0}, [1.0]),
        ("a/b", {}, []),
    ],
)
def test_values_of_a_name_and_of_its_parts(name, scalars, expected):
    assert scalar_names.parts(name, scalars) == expected
