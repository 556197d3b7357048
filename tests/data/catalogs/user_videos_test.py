import pytest
import tensorflow as tf

from actcl_tf.data import catalogs
from actcl_tf.storage.errors import DataError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def table(clips):
    return {clip.name: (clip.split, *(clip.labels or [None])) for clip in clips}


@pytest.mark.parametrize(
    "names, expected",
    [
        # No subfolders: no labels.
        (["b.mp4", "a.webm"], {"a.webm": ("train", None), "b.mp4": ("train", None)}),
        # The first folder is the class, however deep the video lies.
        (
            ["dog/x/1.MP4", "cat/2.mov", "0.mkv"],
            {
                "0.mkv": ("train", None),
                "cat/2.mov": ("train", "cat"),
                "dog/x/1.MP4": ("train", "dog"),
            },
        ),
        # Splits, with and without classes below.
        (
            ["train/dog/1.mp4", "test/cat/2.mp4", "val/3.mp4"],
            {
                "train/dog/1.mp4": ("train", "dog"),
                "test/cat/2.mp4": ("test", "cat"),
                "val/3.mp4": ("val", None),
            },
        ),
        # A class that happens to be called train.
        (
            ["train/1.mp4", "bus/2.mp4"],
            {"train/1.mp4": ("train", "train"), "bus/2.mp4": ("train", "bus")},
        ),
        # Names in other scripts; what is hidden or no video is left alone.
        (
            ["каша/ü 犬.mp4", "каша/readme.txt", ".hidden/a.mp4", "каша/._a.mp4", "каша/a.wav"],
            {"каша/ü 犬.mp4": ("train", "каша")},
        ),
    ],
)
def test_folder_layouts(tmp_path, names, expected):
    touch(tmp_path, *names)
    catalog = catalogs.from_folder(str(tmp_path), test_fraction=0.0)
    clips = catalog.clips
    assert catalog.classes == tuple(sorted({label for _, label in expected.values() if label}))
    assert table(clips) == expected
    assert all((tmp_path / clip.name).samefile(clip.path) for clip in clips)


def test_unlabelled_keeps_splits_only(tmp_path):
    touch(tmp_path, "train/dog/1.mp4", "test/cat/2.mp4")
    catalog = catalogs.from_folder(str(tmp_path)).without_labels()
    assert table(catalog.clips) == {
        "train/dog/1.mp4": ("train", None),
        "test/cat/2.mp4": ("test", None),
    }
    assert catalog.classes == ()


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, "a/1.mp4")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(catalogs.from_folder(str(tmp_path)).clips) == 1


def test_classes_are_sorted_over_all_splits():
    clips = [catalogs.Clip("", str(i), labels=(label,)) for i, label in enumerate("cabca")]
    assert catalogs.classes_of([*clips, catalogs.Clip("", "x")]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "videos, fraction, expected",
    [(800, 0.2, 160), (10, 0.25, 3), (4, 0.1, 0), (3, 0.5, 2), (1, 0.9, 0), (2, 0.9, 1)],
)
def test_draw_has_the_exact_size(videos, fraction, expected):
    clips = [catalogs.Clip("", f"{i}.mp4") for i in range(videos)]
    drawn = catalogs.draw_test_split(clips, fraction, seed=1)
    assert [clip.name for clip in drawn] == [clip.name for clip in clips]
    assert sum(clip.split == "test" for clip in drawn) == expected


def test_draw_is_by_video_and_by_seed():
    clips = [catalogs.Clip("", f"{i % 50}.mp4", start=i) for i in range(200)]
    draws = [table(catalogs.draw_test_split(clips, 0.3, seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    drawn = catalogs.draw_test_split(reversed(clips), 0.3, 0)
    sides = {}
    for clip in drawn:
        sides.setdefault(clip.name, set()).add(clip.split)
    assert all(len(side) == 1 for side in sides.values())
    assert table(drawn) == draws[0]


@pytest.mark.parametrize("make", [False, True])
def test_missing_and_empty_folders(tmp_path, make):
    folder = tmp_path / "videos"
    if make:
        touch(folder, "notes.txt")
    with pytest.raises(DataError, match=r"--input=.*videos: (no video|there is no such)"):
        catalogs.from_folder(str(folder))


def write_csv(folder, text):
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_csv(tmp_path):
    path = write_csv(
        tmp_path,
        'video_path,start,end,label\n"a, b.mp4",1.5,3,dog\nü.mp4,,,\nsub/c.mp4,10,,cat\n',
    )
    catalog = catalogs.from_csv(path, test_fraction=0.0)
    assert catalog.clips == (
        catalogs.Clip(str(tmp_path / "a, b.mp4"), "a, b.mp4", 1.5, 3.0, ("dog",), "train"),
        catalogs.Clip(str(tmp_path / "ü.mp4"), "ü.mp4", 0.0, None, (), "train"),
        catalogs.Clip(str(tmp_path / "sub/c.mp4"), "sub/c.mp4", 10.0, None, ("cat",), "train"),
    )
    assert catalog.classes == ("cat", "dog")
    other = catalogs.from_csv(path, folder="/videos")
    assert other.clips[0].path == "/videos/a, b.mp4"


def test_csv_with_captions_and_remote_paths(tmp_path):
    path = write_csv(tmp_path, "video_path,caption\ngs://a/b.mp4,a dög\nc.mp4,\n")
    first, second = catalogs.from_csv(path, test_fraction=0.0).clips
    assert (first.path, first.caption) == ("gs://a/b.mp4", "a dög")
    assert (second.path, second.caption) == (str(tmp_path / "c.mp4"), None)


def test_csv_captions_keep_their_line_breaks(tmp_path):
    path = write_csv(tmp_path, 'video_path,caption\na.mp4,"one\ntwo"\nb.mp4,x\u2028y\n')
    clips = catalogs.from_csv(path, test_fraction=0.0).clips
    assert [clip.caption for clip in clips] == ["one\ntwo", "x\u2028y"]


def test_csv_with_a_byte_order_mark(tmp_path):
    path = write_csv(tmp_path, "\ufeffvideo_path,label\r\na.mp4,x\r\n")
    assert catalogs.from_csv(path).clips[0].labels == ("x",)


def test_csv_that_is_no_text(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"video_path\n\xff\xfe.mp4\n")
    with pytest.raises(DataError, match=r"--csv=.*list.csv is no UTF-8 text"):
        catalogs.from_csv(str(tmp_path / "list.csv"))


def test_a_folder_of_another_file_system():
    for name in ("dog/1.mp4", "cat/.hidden.mp4", "cat/2.mov", ".git/3.mp4"):
        tf.io.gfile.makedirs(f"ram://own/{name.split('/')[0]}")
        with tf.io.gfile.GFile(f"ram://own/{name}", "wb") as file:
            file.write(b"x")
    catalog = catalogs.from_folder("ram://own", test_fraction=0.0)
    assert table(catalog.clips) == {"cat/2.mov": ("train", "cat"), "dog/1.mp4": ("train", "dog")}
    assert catalog.clips[1].path == "ram://own/dog/1.mp4"


def test_csv_with_splits(tmp_path):
    path = write_csv(tmp_path, "video_path,split\na.mp4,test\nb.mp4,Train\nc.mp4,\nd.mp4,DEV \n")
    read = catalogs.from_csv(path)
    assert [clip.split for clip in read.clips] == ["test", "train", "train", "val"]
    assert read.decision == "Splits from the column split: test, train, val; classes: 0."


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "first line must name the column video_path, and may name start, .* got nothing"),
        ("a.mp4,0,1,dog\n", "must name the column video_path, and may .* got a.mp4,0,1,dog"),
        ("video_path,begin\na.mp4,0\n", "may name .*label, split and caption, got .*,begin"),
        ("video_path,start\n", "names no video"),
        ("video_path,start,end\na.mp4,1\n", "csv:2: expected 3 values"),
        ("video_path,start\na.mp4,1,2\n", "csv:2: expected 2 values"),
        ("video_path,start\n,1\n", "csv:2: expected 2 values, first a path"),
        # Before Python 3.11, its reader refuses such a line by itself.
        ("video_path\na\0b.mp4\n", "video_path must be a path, got |line contains NUL"),
        ("video_path,start\na.mp4,-1\n", "csv:2: start must be seconds, at least 0, got '-1'"),
        ("video_path,start\na.mp4,1\nb.mp4,x\n", "csv:3: start must be seconds.*'x'"),
        ("video_path,end\na.mp4,nan\n", "csv:2: end must be seconds"),
        ("video_path,start,end\na.mp4,2,2\n", "csv:2: end must be later than start"),
        ("video_path,split\na.mp4,dog\n", "csv:2: split must be one of train.*'dog'"),
        ("video_path,label\na.mp4,x\na.mp4,y\n", "a.mp4.* is listed 2 times"),
    ],
)
def test_wrong_csv_names_the_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        catalogs.from_csv(write_csv(tmp_path, text))


def test_missing_csv(tmp_path):
    with pytest.raises(DataError, match=r"--csv=.*none.csv cannot be read"):
        catalogs.from_csv(str(tmp_path / "none.csv"))
