"""Names beside figures: short, no formulas, and text whatever they are."""

import pytest

from actcl_tf.reporting import drawing


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dog", "dog"),
        ("a dog that barks at a cat", "a dog that barks at a…"),
        ("$x$", r"\$x\$"),
        ("ü 犬", "ü 犬"),
        ("d\udce9g", r"d\udce9g"),
        ("a\nb", r"a\nb"),
    ],
)
def test_names_can_be_drawn(tmp_path, name, shown):
    assert drawing.shorten(name) == shown
    figure = drawing.new_figure(1.0)
    figure.text(0, 0, drawing.shorten(name))
    assert drawing.save(figure, tmp_path / "figure.png").stat().st_size > 0
