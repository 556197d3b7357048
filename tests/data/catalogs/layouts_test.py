"""Folders and names as people have them: what is a split, a class, a clip, and what is told."""

import os
import unicodedata

import pytest

from actcl_tf.data import catalogs
from actcl_tf.data.catalogs import file_types, folders, walking
from actcl_tf.storage.errors import DataError
from tests.media_files import write_clip
from tests.permissions import closed, unprivileged

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
PAIR = ["train/dog/1.mp4", "test/dog/2.mp4"]
OF_PAIR = {"train/dog/1.mp4": ("train", "dog"), "test/dog/2.mp4": ("test", "dog")}


def touch(root, names, content=b"x"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def table(clips):
    return {clip.name: (clip.split, *(clip.labels or [None])) for clip in clips}


# Names of files; what each clip is; what is said of splits; what is not taken, and how many of it.
ROWS = {
    "splits": (PAIR, OF_PAIR, "train, test; classes: 1.", {}),
    "a stray file": (
        [*PAIR, "intro.mp4"],
        OF_PAIR,
        "train, test; not used, outside the split folders: 1 (intro.mp4); classes: 1.",
        {},
    ),
    "a stray file beside train alone": (
        ["train/dog/1.mp4", "intro.mp4"],
        {"train/dog/1.mp4": ("train", "dog")},
        "train; not used, outside the split folders: 1 (intro.mp4); classes: 1.",
        {},
    ),
    "capitals": (
        ["Train/dog/1.mp4", "TEST/cat/2.mp4"],
        {"Train/dog/1.mp4": ("train", "dog"), "TEST/cat/2.mp4": ("test", "cat")},
        "train (Train), test (TEST); classes: 2.",
        {},
    ),
    "valid": (
        ["train/dog/1.mp4", "valid/dog/2.mp4"],
        {"train/dog/1.mp4": ("train", "dog"), "valid/dog/2.mp4": ("val", "dog")},
        "train, val (valid); classes: 1.",
        {},
    ),
    "training and validation": (
        ["training/dog/1.mp4", "validation/dog/2.mp4"],
        {"training/dog/1.mp4": ("train", "dog"), "validation/dog/2.mp4": ("val", "dog")},
        "train (training), val (validation); classes: 1.",
        {},
    ),
    "sets": (
        ["Training Set/dog/1.mp4", "Tests/dog/2.mp4", "val_data/cat/3.mp4"],
        {
            "Training Set/dog/1.mp4": ("train", "dog"),
            "Tests/dog/2.mp4": ("test", "dog"),
            "val_data/cat/3.mp4": ("val", "cat"),
        },
        "train (Training Set), test (Tests), val (val_data); classes: 2.",
        {},
    ),
    "videos and clips": (
        ["train-videos/1.mp4", "testClips/2.mp4", "\uff44\uff45\uff56/3.mp4"],
        {
            "train-videos/1.mp4": ("train", None),
            "testClips/2.mp4": ("test", None),
            "\uff44\uff45\uff56/3.mp4": ("val", None),
        },
        "train (train-videos), test (testClips), val (\uff44\uff45\uff56); classes: 0.",
        {},
    ),
    "dev and eval": (
        ["train/1.mp4", "dev/2.mp4", "Eval/3.mp4"],
        {"train/1.mp4": ("train", None), "dev/2.mp4": ("val", None), "Eval/3.mp4": ("test", None)},
        "train, test (Eval), val (dev); classes: 0.",
        {},
    ),
    "val and dev": (
        ["train/1.mp4", "val/2.mp4", "dev/3.mp4"],
        {"train/1.mp4": ("train", None), "val/2.mp4": ("val", None), "dev/3.mp4": ("val", None)},
        "train, val (dev, val); classes: 0.",
        {},
    ),
    "testing": (
        ["train/dog/1.mp4", "testing/dog/2.mp4"],
        {"train/dog/1.mp4": ("train", "dog"), "testing/dog/2.mp4": ("test", "dog")},
        "train, test (testing); classes: 1.",
        {},
    ),
    "a folder of extras beside the splits": (
        [*PAIR, "extras/3.mp4", "extras/4.mp4"],
        OF_PAIR,
        "train, test; not used, outside the split folders: 2 (extras/3.mp4, extras/4.mp4); "
        "classes: 1.",
        {},
    ),
    "no train": (
        ["val/dog/1.mp4", "test/dog/2.mp4"],
        {"val/dog/1.mp4": ("val", "dog"), "test/dog/2.mp4": ("test", "dog")},
        "test, val; classes: 1.",
        {},
    ),
    "one folder around everything": (
        [f"mine/{name}" for name in PAIR],
        {f"mine/{name}": facts for name, facts in OF_PAIR.items()},
        "train, test; classes: 1.",
        {},
    ),
    "folders around everything": (
        [f"a/b/c/{name}" for name in PAIR] + ["a/b/x.mp4", "a/1.txt"],
        {f"a/b/c/{name}": facts for name, facts in OF_PAIR.items()},
        "train, test; not used, outside the split folders: 1 (a/b/x.mp4); classes: 1.",
        {".txt": 1},
    ),
    "a folder beside the one that holds everything": (
        [f"mine/{name}" for name in PAIR] + ["extras/x.mp4"],
        {f"mine/{name}": facts for name, facts in OF_PAIR.items()},
        "train, test; not used, outside the split folders: 1 (extras/x.mp4); classes: 1.",
        {},
    ),
    "splits in classes in a folder": (
        ["mine/dog/train/1.mp4", "mine/dog/test/2.mp4", "mine/cat/train/3.mp4"],
        {
            "mine/dog/train/1.mp4": ("train", "dog"),
            "mine/dog/test/2.mp4": ("test", "dog"),
            "mine/cat/train/3.mp4": ("train", "cat"),
        },
        "train, test; classes: 2.",
        {},
    ),
    "a class named by two folders that read the same": (
        ["train/dog /1.mp4", "test/dog/2.mp4"],
        {"train/dog /1.mp4": ("train", "dog"), "test/dog/2.mp4": ("test", "dog")},
        "train, test; classes: 1.",
        {},
    ),
    "splits in classes": (
        ["dog/train/1.mp4", "dog/test/2.mp4", "cat/train/3.mp4", "cat/4.mp4"],
        {
            "dog/train/1.mp4": ("train", "dog"),
            "dog/test/2.mp4": ("test", "dog"),
            "cat/train/3.mp4": ("train", "cat"),
        },
        "train, test; not used, outside the split folders: 1 (cat/4.mp4); classes: 2.",
        {},
    ),
    "classes": (
        ["dog/1.mp4", "cat/2.mp4"],
        {"dog/1.mp4": ("train", "dog"), "cat/2.mp4": ("train", "cat")},
        "none; test drawn by video: 0 of 2; classes: 2.",
        {},
    ),
    "a class that is called train": (
        ["train/1.mp4", "bus/2.mp4"],
        {"train/1.mp4": ("train", "train"), "bus/2.mp4": ("train", "bus")},
        "none (train stands among other folders: a class); test drawn by video: 0 of 2; "
        "classes: 2.",
        {},
    ),
    "splits by names that are not quite theirs": (
        ["train/1.mp4", "test_b/2.mp4", "Train 2/3.mp4", "vali/4.mp4", "bus/5.mp4"],
        {
            "train/1.mp4": ("train", "train"),
            "test_b/2.mp4": ("train", "test_b"),
            "Train 2/3.mp4": ("train", "Train 2"),
            "vali/4.mp4": ("train", "vali"),
            "bus/5.mp4": ("train", "bus"),
        },
        "none (Train 2, test_b, train, vali look like splits and are not taken as such; rename "
        "them to train, test or val if they are); test drawn by video: 0 of 5; classes: 5.",
        {},
    ),
    "such names in one folder around everything": (
        ["mine/train_1/1.mp4", "mine/tset/2.mp4"],
        {"mine/train_1/1.mp4": ("train", "mine"), "mine/tset/2.mp4": ("train", "mine")},
        "none (train_1, tset look like splits and are not taken as such; rename them to train, "
        "test or val if they are); test drawn by video: 0 of 2; classes: 1.",
        {},
    ),
    "one class whose name is like that of a split": (
        ["trains/1.mp4", "bus/2.mp4"],
        {"trains/1.mp4": ("train", "trains"), "bus/2.mp4": ("train", "bus")},
        "none; test drawn by video: 0 of 2; classes: 2.",
        {},
    ),
    "folders in classes that look like splits here and there": (
        ["dog/train/1.mp4", "dog/park/2.mp4", "cat/test/3.mp4"],
        {
            "dog/train/1.mp4": ("train", "dog"),
            "dog/park/2.mp4": ("train", "dog"),
            "cat/test/3.mp4": ("train", "cat"),
        },
        "none; test drawn by video: 0 of 3; classes: 2.",
        {},
    ),
    "two forms of Unicode": (
        [f"train/{NFC}/1.mp4", f"test/{NFD}/2.mp4"],
        {f"train/{NFC}/1.mp4": ("train", NFC), f"test/{NFD}/2.mp4": ("test", NFC)},
        "train, test; classes: 1.",
        {},
    ),
    "two forms of Unicode, classes alone": (
        [f"{NFC}/1.mp4", f"{NFD}/2.mp4"],
        {f"{NFC}/1.mp4": ("train", NFC), f"{NFD}/2.mp4": ("train", NFC)},
        "none; test drawn by video: 0 of 2; classes: 1.",
        {},
    ),
    "folders of systems beside splits": (
        [
            *PAIR,
            *("$RECYCLE.BIN/1.mp4", "@eaDir/2.mp4", "lost+found/3.mp4", "__MACOSX/4.mp4"),
            *("found.001/8.mp4", "@tmp/9.mp4", "$WinREAgent/10.mp4", "~snapshot/11.mp4"),
            *("System Volume Information/5.mp4", ".Trash-1000/6.mp4", ".AppleDouble/7.mp4"),
        ],
        OF_PAIR,
        "train, test; classes: 1.",
        {"system folder": 11},
    ),
    "folders of systems in classes": (
        ["dog/1.mp4", "dog/@eaDir/1.mp4/thumb.mp4", "#recycle/dog/2.mp4", "cat/.git/3.mp4"],
        {"dog/1.mp4": ("train", "dog")},
        "none; test drawn by video: 0 of 1; classes: 1.",
        {"system folder": 2, "hidden folder": 1},
    ),
    "leftovers of downloads": (
        [
            *("dog/1.mp4", "dog/a.temp.mp4", "dog/b.mp4.part", "dog/c.mp4.crdownload"),
            *("dog/d.webm.part-Frag3", "dog/e.mp4.ytdl", "dog/f.mp4.tmp", "dog/g.part.mkv"),
            *("dog/h.f137.mp4", "dog/h.f140.m4a", "dog/i.f251-drc.webm", "dog/j.fhls-1080.mp4"),
        ],
        {"dog/1.mp4": ("train", "dog")},
        "none; test drawn by video: 0 of 1; classes: 1.",
        {"unfinished download": 7, "part of a download (.f137 and the like)": 4},
    ),
    "hidden files and those of systems": (
        ["dog/1.mp4", "dog/._1.mp4", "dog/.2.mp4", "dog/.DS_Store", "dog/Thumbs.db"],
        {"dog/1.mp4": ("train", "dog")},
        "none; test drawn by video: 0 of 1; classes: 1.",
        {"hidden": 1, "system file": 3},
    ),
    "endings": (
        [*("1.f4v", "2.divx", "3.rmvb", "4.dv", "5.m2v", "6.MP4", "7.ts", "8.wmv")],
        dict.fromkeys(
            ("1.f4v", "2.divx", "3.rmvb", "4.dv", "5.m2v", "6.MP4", "7.ts", "8.wmv"),
            ("train", None),
        ),
        "none; test drawn by video: 0 of 8; classes: 0.",
        {},
    ),
    "what is no video": (
        ["1.mp4", "1.wav", "1.jpg", "2.jpg", "1.srt", "notes.txt", "list", "0.yuv"],
        {"1.mp4": ("train", None)},
        "none; test drawn by video: 0 of 1; classes: 0.",
        {"audio": 1, ".jpg": 2, ".srt": 1, ".txt": 1, "no media": 1, ".yuv": 1},
    ),
    "names with dots, spaces and quotes": (
        ["a b.c/v1.2 (final).mp4", "it's/№ 5.mkv", "$HOME/x y.mov"],
        {
            "a b.c/v1.2 (final).mp4": ("train", "a b.c"),
            "it's/№ 5.mkv": ("train", "it's"),
            "$HOME/x y.mov": ("train", "$HOME"),
        },
        "none; test drawn by video: 0 of 3; classes: 3.",
        {},
    ),
    "a folder of the split without videos": (
        ["train/dog/1.mp4", "test/readme.txt"],
        {"train/dog/1.mp4": ("train", "dog")},
        "train; classes: 1.",
        {".txt": 1},
    ),
}


@pytest.mark.parametrize(("names", "expected", "decision", "ignored"), ROWS.values(), ids=ROWS)
def test_layouts(tmp_path, names, expected, decision, ignored):
    touch(tmp_path, names)
    catalog = catalogs.from_folder(str(tmp_path), test_fraction=0.0)
    assert table(catalog.clips) == expected
    assert catalog.decision == f"Splits from folders: {decision}"
    assert catalog.classes == tuple(sorted({label for _, label in expected.values() if label}))
    assert {kind: len(held) for kind, held in catalog.found.ignored.items()} == ignored
    assert all(os.path.exists(clip.path) for clip in catalog.clips)


def test_videos_beside_a_test_split_alone_are_refused(tmp_path):
    touch(tmp_path, ["test/1.mp4", "2.mp4", "3.mp4"])
    with pytest.raises(DataError, match=r"--input=.*2 videos, such as 2.mp4, lie beside .*test"):
        catalogs.from_folder(str(tmp_path))


def test_a_file_without_an_ending_is_opened(tmp_path):
    video = write_clip(tmp_path / "clip.mp4", 0.4).read_bytes()
    (tmp_path / "clip.mp4").unlink()
    touch(tmp_path, ["dog/video", "dog/No. 5 live", "dog/clip.0042", "VIDEO_TS/AVSEQ01.DAT"], video)
    touch(tmp_path, ["dog/Makefile", "dog/settings.dat"], b"all: test\n" * 100)
    touch(tmp_path, ["dog/none"], b"")
    catalog = catalogs.from_folder(str(tmp_path), test_fraction=0.0)
    assert [clip.name for clip in catalog.clips] == [
        *("VIDEO_TS/AVSEQ01.DAT", "dog/No. 5 live", "dog/clip.0042", "dog/video"),
    ]
    assert catalog.found.ignored == {"no media": ("dog/Makefile", "dog/none", "dog/settings.dat")}


def test_every_ending_that_ffmpeg_knows_has_a_kind():
    """Videos first; audio, stills, subtitles and headerless data are none."""
    videos = "mp4 mov avi mkv webm flv f4v mpg mpeg ts m2ts wmv asf ogv 3gp y4m nut mxf vob gxf"
    videos += " amv av1 bik evo flc insv lrv mp4v r3d smk ssif"
    sounds = "wav mp3 flac ogg m4a opus mka ac3 wma aiff"
    others = "jpg png gif avif heic webp srt ass vtt mks txt nfo json yuv rgb m3u8 mpd py csv"
    for names, kind in ((videos, file_types.VIDEO), (sounds, file_types.AUDIO)):
        assert {file_types.kind_of(f"a.{name}") for name in names.split()} == {kind}
    for name in others.split():
        assert file_types.kind_of(f"a.{name}") == f".{name}"


def test_pipes_and_links_that_lead_nowhere(tmp_path):
    touch(tmp_path, ["dog/1.mp4"])
    os.mkfifo(tmp_path / "dog" / "2.mp4")
    (tmp_path / "dog" / "3").symlink_to(tmp_path / "gone")
    (tmp_path / "dog" / "4.mp4").symlink_to(tmp_path / "gone.mp4")
    found = walking.find(str(tmp_path), walking.VIDEOS)
    # The second is a video that is missing, which the preparation counts.
    assert found.names == ("dog/1.mp4", "dog/4.mp4")
    assert found.ignored == {
        "file that cannot be read": ("dog/3",),
        "no regular file": ("dog/2.mp4",),
    }


def test_folders_that_cannot_be_listed_are_named(tmp_path):
    touch(tmp_path, ["all/dog/1.mp4", "all/cat/2.mp4", "all/lost+found/x/3.mp4", "no/cat/4.mp4"])
    everything, no = str(tmp_path / "all"), str(tmp_path / "no")
    shut = [tmp_path / name for name in ("all/cat", "all/lost+found", "no/cat")]
    with closed(*shut), unprivileged(tmp_path):
        catalog = catalogs.from_folder(everything, test_fraction=0.0)
        with pytest.raises(DataError, match=r"no video in .*cat/ cannot be listed \(Permission"):
            catalogs.from_folder(no)
    assert table(catalog.clips) == {"dog/1.mp4": ("train", "dog")}
    assert catalog.found.unlisted == {"cat": "Permission denied"}
    assert catalog.found.ignored == {"system folder": ("lost+found",)}
    refused = pytest.raises(DataError, match=r"--input=.*no: cannot be listed \(Permission")
    with closed(tmp_path / "no"), unprivileged(tmp_path), refused:
        catalogs.from_folder(no)


@pytest.mark.parametrize(("listed", "on_disk"), [(NFC, NFD), (NFD, NFC), (NFC, NFC)])
def test_a_list_may_name_files_in_the_other_form(tmp_path, listed, on_disk):
    touch(tmp_path, [f"{on_disk}/{on_disk}.mp4"])
    path = tmp_path / "list.csv"
    path.write_text(f"video_path,label\n{listed}/{listed}.mp4,{listed}\n", encoding="utf-8")
    (clip,) = catalogs.from_csv(str(path)).clips
    assert os.path.exists(clip.path)
    assert clip.labels == (NFC,)


def test_an_official_list_may_name_files_in_the_other_form(tmp_path):
    (tmp_path / "vggsound.csv").write_text(f"{NFC}1234567,1,{NFD},train\n", encoding="utf-8")
    touch(tmp_path, [f"video/{NFD}1234567_000001.mp4"])
    catalog = catalogs.from_vggsound(str(tmp_path))
    assert [clip.labels for clip in catalog.clips] == [(NFC,)]
    assert catalog.classes == (NFC,)


def test_the_draw_does_not_depend_on_the_form():
    assert catalogs.draw_key(NFC, 0) == catalogs.draw_key(NFD, 0) != catalogs.draw_key("cafe", 0)


@pytest.mark.parametrize(
    ("kinds", "line"),
    [
        ({}, []),
        (
            {".jpg": ("a.jpg", "b.jpg"), "hidden": (".a",)},
            ["Not taken: 2 .jpg (a.jpg), 1 hidden (.a)."],
        ),
        ({"audio": ("a\nb\x1b[31m.wav",)}, [r"Not taken: 1 audio (a\nb\x1b[31m.wav)."]),
        (
            {f".{i}": (f"x.{i}",) for i in range(10)},
            [
                "Not taken: "
                + ", ".join(f"1 .{i} (x.{i})" for i in range(8))
                + ", 2 of other kinds."
            ],
        ),
    ],
)
def test_what_is_not_taken_is_one_line(kinds, line):
    assert walking.ignored_lines(catalogs.Found(ignored=kinds)) == line


def test_no_name_at_all_is_no_layout():
    assert folders.understand([]).places == []
