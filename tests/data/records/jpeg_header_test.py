import pytest

from actcl_tf.data.records import jpeg_header
from actcl_tf.storage.errors import DataError
from tests.contract_writer import jpeg

GOOD = jpeg(size=(48, 64))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"mode": "L"},
        {"optimize": True, "quality": 5},
        {"exif": b"Exif\0\0" + bytes(3000), "comment": "a comment \xff\xd9"},
        {"size": (1, 1)},
        {"size": (300, 7)},
    ],
)
def test_size_of_what_another_library_wrote(options):
    size = options.setdefault("size", (48, 64))
    assert jpeg_header.read_size(jpeg(**options), whole=True) == size


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_size_of_a_png(mode):
    data = jpeg(size=(48, 64), kind="PNG", mode=mode)
    assert jpeg_header.read_size(data, whole=True) == (48, 64)
    with pytest.raises(DataError, match="is cut off"):
        jpeg_header.read_size(data[:-5], whole=True)


def test_padding_before_a_marker_and_after_the_end():
    assert jpeg_header.read_size(GOOD[:2] + b"\xff" + GOOD[2:] + bytes(9), whole=True) == (48, 64)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is empty"),
        (b"hello", "is no image, expected a JPEG"),
        (jpeg(kind="PNG")[:20], "is a PNG with a damaged header"),
        (jpeg(kind="PNG")[:16] + bytes(8), "is a PNG with a damaged header"),
        (jpeg(kind="PNG")[:16] + b"\0\1\0\0" * 2, "claims 65536 x 65536 pixels"),
        (jpeg(kind="GIF", mode="P"), "is a GIF image"),
        (jpeg(kind="WEBP"), "is a WebP image"),
        (jpeg(kind="BMP"), "is a BMP image"),
        (b"\xff\xd8", "damaged header"),
        (GOOD[:60], "damaged header"),
        (GOOD[:2] + bytes(400), "damaged header"),
        (b"\xff\xd8\xff\xd9", "damaged header"),
        (GOOD.replace(b"\0\x30\0\x40\3", b"\0\0\0\x40\3"), "damaged header"),
    ],
)
def test_what_is_no_jpeg(data, words):
    with pytest.raises(DataError, match=words):
        jpeg_header.read_size(data)


def test_a_cut_is_seen_where_it_is_asked_for():
    cut = GOOD[:-2]
    assert jpeg_header.read_size(cut) == (48, 64)
    with pytest.raises(DataError, match="is cut off"):
        jpeg_header.read_size(cut, whole=True)
