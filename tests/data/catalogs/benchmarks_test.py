"""Trees of the true layouts, each of real media: one small file, copied to every name."""

import json
import os
import shutil

import pytest

from actcl_tf.config import ConfigError
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import prepare, shard_writing
from actcl_tf.data.records import records
from actcl_tf.storage.errors import DataError
from tests.media_files import tone, write_clip, write_media


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A video with sound and a sound, by ending."""
    folder = tmp_path_factory.mktemp("media")
    return {
        ".wav": write_media(folder / "a.wav", sounds=[tone(1.2)], sound_codec="pcm_s16le"),
        **{ending: write_clip(folder / f"a{ending}", 1.2) for ending in (".avi", ".mp4", ".mkv")},
    }


@pytest.fixture
def tree(tmp_path, media):
    """A function that makes files: media by their ending, lists from their text."""

    def make(*names, **lists):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(media[path.suffix], path)
        for name, text in lists.get("lists", {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return str(tmp_path)

    return make


def table(catalog):
    return {clip.name: (clip.split, *clip.labels) for clip in catalog.clips}


def prepared(catalog, output):
    """The catalog, prepared; a manifest a split."""
    settings = shard_writing.PrepareSettings(short_side=32)
    execution = prepare.Execution(num_workers=1, progress=False)
    return prepare.prepare(catalog, str(output), settings, execution).manifests


UCF_CLASSES = "1 ApplyEyeMakeup\r\n2 Archery\r\n37 HandstandPushups\r\n"
UCF_CLIPS = [
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01",
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01",
    "HandstandPushups/v_HandStandPushups_g02_c01",
    "Archery/v_Archery_g03_c02",
]
# Train lists carry the number of the class, test lists do not.
UCF_FOLDS = [((1, 2), (0, 3)), ((0, 3), (1, 2)), ((0, 1, 3), (2,))]


def ucf_lists(place):
    lists = {f"{place}classInd.txt": UCF_CLASSES}
    for number, (train, test) in enumerate(UCF_FOLDS, 1):
        rows = "".join(f"{UCF_CLIPS[i]}.avi 1\r\n" for i in train)
        lists[f"{place}trainlist0{number}.txt"] = rows
        lists[f"{place}testlist0{number}.txt"] = "".join(f"{UCF_CLIPS[i]}.avi\r\n" for i in test)
    return lists


@pytest.mark.parametrize("place, videos", [("ucfTrainTestlist/", "UCF-101/"), ("", "")])
@pytest.mark.parametrize("ending", [".avi", ".mp4"])
def test_ucf101(tree, place, videos, ending):
    # The last one is missing; one has another class's way of writing its name.
    root = tree(*(f"{videos}{clip}{ending}" for clip in UCF_CLIPS[:3]), lists=ucf_lists(place))
    for fold, (train, test) in enumerate(UCF_FOLDS, 1):
        catalog = catalogs.from_ucf101(root, fold=fold)
        expected = {
            f"{videos}{UCF_CLIPS[i]}{ending}": (split, UCF_CLIPS[i].split("/")[0])
            for split, part in (("train", train), ("test", test))
            for i in part
            if i != 3
        }
        assert table(catalog) == expected
        assert catalog.missing == (UCF_CLIPS[3] + ".avi",)
        assert catalog.classes == ("ApplyEyeMakeup", "Archery", "HandstandPushups")
        assert catalog.streams == "video"
        for clip in catalog.clips:
            assert clip.split == clip.folds[fold - 1] and os.path.isfile(clip.path)
    whole = catalogs.from_ucf101(root, fold="all")
    assert {clip.split for clip in whole.clips} == {"all"}
    assert [clip.folds for clip in whole.clips] == [
        clip.folds for clip in sorted(whole.clips, key=lambda clip: whole.clips.index(clip))
    ]
    roles = {clip.name.split("_")[-2]: clip.folds for clip in whole.clips}
    assert roles == {
        "g01": ("test", "train", "train"),
        "g08": ("train", "test", "train"),
        "g02": ("train", "test", "test"),
    }


HMDB_CLIPS = {
    "brush_hair": ["April_09_brush_hair_u_nm_np1_ba_goo_0", "Aussie_(#1)_&_co;_brush_hair_1"],
    "wave": ["April_09_brush_hair_u_nm_np1_ba_goo_0", "20060723sfjffbitemebaby_wave_u_2"],
}
HMDB_FLAGS = {1: ["1", "2"], 2: ["2", "1"], 3: ["0", "1"]}


@pytest.mark.parametrize("place", ["testTrainMulti_7030_splits", "splits", "."])
def test_hmdb51(tree, place):
    lists = {
        f"{place}/{label}_test_split{fold}.txt": "".join(
            f"{name}.avi {flag} \n" for name, flag in zip(names, flags, strict=True)
        )
        for label, names in HMDB_CLIPS.items()
        for fold, flags in HMDB_FLAGS.items()
    }
    paths = [f"{label}/{name}.avi" for label, names in HMDB_CLIPS.items() for name in names]
    root = tree(*paths[:3], lists=lists)
    first = catalogs.from_hmdb51(root, fold=1)
    # Clips of two classes may have one name.
    assert table(first) == {
        paths[0]: ("train", "brush_hair"),
        paths[1]: ("test", "brush_hair"),
        paths[2]: ("train", "wave"),
    }
    assert first.missing == (paths[3],)
    assert (first.classes, first.streams) == (("brush_hair", "wave"), "video")
    third = catalogs.from_hmdb51(root, fold="3")  # Clips that it does not use are not missing.
    assert table(third) == {paths[1]: ("train", "brush_hair")}
    assert third.missing == (paths[3],)
    whole = {clip.name: clip.folds for clip in catalogs.from_hmdb51(root, fold="all").clips}
    assert whole == {
        paths[0]: ("train", "test", ""),
        paths[1]: ("test", "train", "train"),
        paths[2]: ("train", "test", ""),
    }


ESC_LIST = (
    "filename,fold,target,category,esc10,src_file,take\n"
    "1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    "2-5-A-14.wav,2,14,chirping_birds,False,5,A\n"
    "5-9-B-0.wav,5,0,dog,True,9,B\n"
)


def test_esc50(tree, tmp_path):
    root = tree("audio/1-100032-A-0.wav", "audio/2-5-A-14.wav", lists={"meta/esc50.csv": ESC_LIST})
    catalog = catalogs.from_esc50(root, fold=2)
    assert table(catalog) == {
        "audio/1-100032-A-0.wav": ("train", "dog"),
        "audio/2-5-A-14.wav": ("test", "chirping_birds"),
    }
    assert (catalog.classes, catalog.missing) == (("chirping_birds", "dog"), ("5-9-B-0.wav",))
    assert catalog.clips[0].folds == ("test", "train", "train", "train", "train")
    manifests = prepared(catalog, tmp_path / "out")
    assert manifests["test"].streams == "audio" and manifests["test"].missing == 1
    assert {name: manifest.num_clips for name, manifest in manifests.items()} == {
        "train": 1,
        "test": 1,
    }


def test_esc10_of_real_recordings(shared_data, tmp_path):
    folder = str(shared_data / "esc10")
    whole = catalogs.from_esc50(folder, fold="all")
    assert len(whole.clips) == 400 and whole.missing == ()
    assert len(whole.classes) == 10 and list(whole.classes) == sorted(whole.classes)
    for fold in range(1, 6):
        splits = [clip.split for clip in catalogs.from_esc50(folder, fold=fold).clips]
        assert (splits.count("train"), splits.count("test")) == (320, 80)
    # Clips cut from one recording are in one fold.
    recordings = {}
    for clip in whole.clips:
        recording = clip.name.split("-")[1]
        recordings.setdefault(recording, set()).add(clip.folds)
    assert {len(folds) for folds in recordings.values()} == {1}


KINETICS_LISTS = {
    "train.csv": "label,youtube_id,time_start,time_end,split,is_cc\n"
    "playing piano,-0123456789,20,30,train,0\n"
    '"using remote controller (not gaming)",abcdefghijk,5,15,train,0\n'
    "bowling,missing_one,1,11,train,0\n",
    "annotations/val.csv": "label,youtube_id,time_start,time_end,split\n"
    "playing piano,ABCDEFGHIJK,0,10,validate\n",
    "annotations/test.csv": "youtube_id,time_start,time_end,split\nxyzxyzxyzxy,105,115,test\n",
}
KINETICS_FILES = {
    "train/playing piano/-0123456789_000020_000030.mp4": ("train", "playing piano"),
    "train/using_remote_controller/abcdefghijk_000005.mkv": (
        "train",
        "using remote controller (not gaming)",
    ),
    "val/ABCDEFGHIJK_0_10.mp4": ("val", "playing piano"),
    "xyzxyzxyzxy.mp4": ("test",),
}


def test_kinetics(tree):
    root = tree(*KINETICS_FILES, lists=KINETICS_LISTS)
    catalog = catalogs.from_kinetics(root)
    assert table(catalog) == KINETICS_FILES
    assert catalog.missing == ("missing_one_000001_000011",)
    assert catalog.classes == ("bowling", "playing piano", "using remote controller (not gaming)")
    assert {(clip.start, clip.end) for clip in catalog.clips} == {(0.0, None)}
    # A file called by the id alone may be the whole video.
    whole = {
        clip.name: (clip.start, clip.end)
        for clip in catalogs.from_kinetics(root, whole_videos=True).clips
    }
    assert whole.pop("xyzxyzxyzxy.mp4") == (105.0, 115.0)
    assert set(whole.values()) == {(0.0, None)}


def test_a_file_that_could_be_of_two_clips_is_of_none(tree):
    rows = "label,youtube_id,time_start,time_end,split\n" + "".join(
        f"{label},{video},{start},{start + 10},{split}\n"
        for label, video, start, split in (
            ("weaving fabric", "dMzycn1d3qU", 1, "train"),
            ("yarn spinning", "dMzycn1d3qU", 20, "val"),
            ("bowling", "ABCDEFGHIJK", 3, "val"),
        )
    )
    root = tree("dMzycn1d3qU.mp4", "ABCDEFGHIJK.mp4", lists={"all.csv": rows})
    catalog = catalogs.from_kinetics(root)
    assert table(catalog) == {"ABCDEFGHIJK.mp4": ("val", "bowling")}
    assert catalog.missing == ("dMzycn1d3qU_000001_000011", "dMzycn1d3qU_000020_000030")
    # Of the whole video each has its span.
    whole = catalogs.from_kinetics(root, whole_videos=True)
    assert [(clip.start, clip.end, *clip.labels) for clip in whole.clips] == [
        (1.0, 11.0, "weaving fabric"),
        (20.0, 30.0, "yarn spinning"),
        (3.0, 13.0, "bowling"),
    ]
    # A file of its own comes before one that is shared, which is then the other's.
    tree("train/dMzycn1d3qU_000001_000011.mp4")
    assert {clip.name: clip.labels for clip in catalogs.from_kinetics(root).clips} == {
        "train/dMzycn1d3qU_000001_000011.mp4": ("weaving fabric",),
        "dMzycn1d3qU.mp4": ("yarn spinning",),
        "ABCDEFGHIJK.mp4": ("bowling",),
    }


def test_kinetics_sounds(tree):
    assert len(set(catalogs.KINETICS_SOUNDS)) == 31
    root = tree(*KINETICS_FILES, lists=KINETICS_LISTS)
    catalog = catalogs.from_kinetics_sounds(root)
    assert {clip.labels for clip in catalog.clips} == {("playing piano",)}
    assert catalog.classes == tuple(sorted(catalogs.KINETICS_SOUNDS))
    assert catalog.missing == ("missing_one_000001_000011",)


AUDIOSET_LISTS = {
    "balanced_train_segments.csv": "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=2, num_segs=2\n# YTID, start_seconds, end_seconds, positive_labels\n"
    '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/0bt9lr"\n'
    '-0RWZT-miFs, 420.500, 430.500, "/m/09x0r"\n',
    "eval_segments.csv": "# YTID, start_seconds, end_seconds, positive_labels\n"
    'abcdefghijk, 30.000, 40.000, "/m/09x0r,/m/0bt9lr"\nnot_on_disk, 0.0, 10.0, "/m/068hy"\n',
}
AUDIOSET_CLASSES = (
    'index,mid,display_name\n0,/m/09x0r,"Speech"\n72,/m/068hy,"Domestic animals, pets"\n'
    '74,/m/0bt9lr,"Dog"\n'
)
ONTOLOGY = [
    {"id": "/m/0dgw9r", "name": "Human sounds", "restrictions": ["abstract"]},
    {"id": "/m/09x0r", "name": "Speech", "restrictions": []},
    {"id": "/m/068hy", "name": "Domestic animals, pets", "restrictions": []},
    {"id": "/m/0bt9lr", "name": "Dog", "restrictions": []},
]


@pytest.mark.parametrize(
    "classes",
    [{"class_labels_indices.csv": AUDIOSET_CLASSES}, {"ontology.json": json.dumps(ONTOLOGY)}],
)
@pytest.mark.parametrize(
    "names",
    [
        ("a/--4gqARaEJE_0_10.mp4", "-0RWZT-miFs_420500_430500.mp4", "eval/abcdefghijk.mkv"),
        ("Y--4gqARaEJE.wav", "-0RWZT-miFs_420.500.mp4", "abcdefghijk_30.000_40.000.mp4"),
        ("--4gqARaEJE_0.mp4", "-0RWZT-miFs.mp4", "Yabcdefghijk_000030.mp4"),
    ],
)
def test_audioset(tree, tmp_path, classes, names):
    catalog = catalogs.from_audioset(tree(*names, lists={**AUDIOSET_LISTS, **classes}))
    expected = [
        ("train", "/m/068hy", "/m/0bt9lr"),
        ("train", "/m/09x0r"),
        ("test", "/m/09x0r", "/m/0bt9lr"),
    ]
    assert table(catalog) == dict(zip(names, expected, strict=True))
    assert catalog.classes == ("/m/068hy", "/m/09x0r", "/m/0bt9lr")
    assert catalog.text_of("/m/068hy") == "Domestic animals, pets"
    assert catalog.multi_label and len(catalog.missing) == 1
    if names[0].endswith(".wav"):
        return
    manifests = prepared(catalog, tmp_path / "out")
    assert manifests["train"].multi_label
    assert manifests["train"].classes == ["/m/068hy", "/m/09x0r", "/m/0bt9lr"]


def test_vggsound(tree):
    rows = (
        "---g-f_I2yQ,1,people marching,test\n"
        '--0PQM4-hqg,30,"waterfall burbling, loud",train\n'
        "--56QUhyDQM,185,playing tennis,train\n"
    )
    names = ("video/---g-f_I2yQ_000001.mp4", "--0PQM4-hqg_000030_000040.mp4")
    catalog = catalogs.from_vggsound(tree(*names, lists={"vggsound.csv": rows}))
    assert table(catalog) == {
        names[0]: ("test", "people marching"),
        names[1]: ("train", "waterfall burbling, loud"),
    }
    assert catalog.missing == ("--56QUhyDQM_000185_000195",)
    assert len(catalog.classes) == 3


def test_videos_come_before_the_sounds_taken_out_of_them(tree):
    names = ("audio/---g-f_I2yQ_000001.wav", "video/---g-f_I2yQ_000001.mp4", "audio/b_000002.wav")
    rows = "---g-f_I2yQ,1,people marching,test\nb,2,people marching,train\n"
    catalog = catalogs.from_vggsound(tree(*names, lists={"vggsound.csv": rows}))
    assert [clip.name for clip in catalog.clips] == [names[1], names[2]]


@pytest.mark.parametrize("name", ["vggsound", "audioset"])
def test_a_clip_that_is_listed_twice_is_in_one_split(tree, name):
    lists = {
        "vggsound.csv": "a,1,x,train\na,1,y,test\n",
        "balanced_train_segments.csv": 'a, 1, 11, "/m/09x0r"\n',
        "eval_segments.csv": 'a, 1, 11, "/m/068hy"\n',
        "class_labels_indices.csv": AUDIOSET_CLASSES,
    }
    catalog = catalogs.read(name, tree("a_000001.mp4", lists=lists))
    assert [clip.split for clip in catalog.clips] == ["train"] and catalog.missing == ()


def test_unlabelled_data_has_no_classes(tree):
    root = tree("abcdefghijk.mp4", lists={**AUDIOSET_LISTS, "ontology.json": json.dumps(ONTOLOGY)})
    catalog = catalogs.from_audioset(root).without_labels()
    assert [(clip.split, clip.labels) for clip in catalog.clips] == [("test", ())]
    assert (catalog.classes, catalog.class_texts, catalog.multi_label) == ((), (), False)


@pytest.mark.parametrize("name", [n for n in catalogs.DATASETS if n not in ("folder", "csv")])
def test_a_folder_that_looks_otherwise_is_drawn_as_expected(tree, name):
    root = tree("somewhere/else.mp4")
    with pytest.raises(DataError) as error:
        catalogs.read(name, root)
    text = str(error.value)
    assert text.startswith(f"--input={root}: ") and "it holds somewhere. Expected:" in text
    assert catalogs.DATASETS[name].layout in text


def test_lists_without_media_say_so(tree):
    root = tree(lists=ucf_lists("ucfTrainTestlist/"))
    with pytest.raises(DataError, match=r"none of the 4 clips of the list is there, such as Apply"):
        catalogs.from_ucf101(root)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("ucf101", {"fold": 4}, "--fold=4: must be from 1 to 3, or all"),
        ("hmdb51", {"fold": "0"}, "--fold=0: must be from 1 to 3, or all"),
        ("esc50", {"fold": "six"}, "--fold=six: must be from 1 to 5, or all"),
        ("kinetics", {"fold": 1}, "--fold=1: means nothing for --dataset=kinetics"),
        ("ucf101", {"test_fraction": 0.1}, "--test_fraction=0.1: means nothing for"),
        ("imagenet", {}, "--dataset=imagenet: must be one of folder, csv, ucf101"),
    ],
)
def test_wrong_options_are_named(tree, name, options, message):
    with pytest.raises(ConfigError, match=message):
        catalogs.read(name, tree("a.mp4"), **options)


@pytest.mark.parametrize(
    "name, lists, message",
    [
        ("hmdb51", {f"wave_test_split{i}.txt": "a.avi 3\n" for i in (1, 2, 3)}, "0, 1 or 2"),
        (
            "hmdb51",
            {f"wave_test_split{i}.txt": "a.avi 1\nb.avi 0\na.avi 2\n" for i in (1, 2, 3)},
            "wave_test_split1.txt: a.avi is listed as 1 and as 2",
        ),
        (
            "esc50",
            {"meta/esc50.csv": "filename,fold\na.wav,1\n"},
            "columns filename, fold, category",
        ),
        (
            "esc50",
            {"meta/esc50.csv": "filename,fold,category\na.wav,6,dog\n"},
            "esc50.csv:2: fold of a.wav must be 1 to 5, got '6'",
        ),
        (
            "esc50",
            {"meta/esc50.csv": "filename,fold,category\na.wav,1,dog\na.wav,2,dog\n"},
            "a.wav is listed twice, with other folds or categories",
        ),
        (
            "kinetics",
            {"a.csv": "a,b\n1,2\n"},
            r"a.csv: expected the columns youtube_id, time_start",
        ),
        (
            "kinetics",
            {"train.csv": "label,youtube_id,time_start,time_end\nx,y,a,b\n"},
            r"train.csv:2: time_start and time_end must be seconds",
        ),
        (
            "kinetics",
            {"a.csv": "label,youtube_id,time_start,time_end,split\nx,y,1,2,dev\n"},
            "split must be train, validate or test, got 'dev'",
        ),
        (
            "kinetics",
            {
                f"{i}.csv": f"label,youtube_id,time_start,time_end,split\nx,y,1,2,{split}\n"
                for i, split in enumerate(("train", "val"))
            },
            r"y_000001_000002 is listed as val .* and as train",
        ),
        (
            "audioset",
            {"eval_segments.csv": "a, 1, 2\n", "class_labels_indices.csv": AUDIOSET_CLASSES},
            "eval_segments.csv:1: expected an id, two times",
        ),
        (
            "audioset",
            {
                "eval_segments.csv": 'a, 1, 2, "/m/none"\n',
                "class_labels_indices.csv": AUDIOSET_CLASSES,
            },
            "/m/none is no class of the class list",
        ),
        ("audioset", {"eval_segments.csv": "", "ontology.json": "{}x"}, "is no ontology"),
        ("vggsound", {"vggsound.csv": "a,1,x,dev\n"}, "vggsound.csv:1: expected id,start"),
    ],
)
def test_wrong_lists_name_the_file(tree, name, lists, message):
    with pytest.raises(DataError, match=message):
        catalogs.read(name, tree("a.mp4", lists=lists))


def test_pictures_of_a_benchmark_become_records(tree, tmp_path):
    root = tree(*(f"UCF-101/{c}.avi" for c in UCF_CLIPS), lists=ucf_lists("ucfTrainTestlist/"))
    manifests = prepared(catalogs.from_ucf101(root, fold="all"), tmp_path / "out")
    assert list(manifests) == ["all"]
    assert (manifests["all"].num_clips, manifests["all"].streams) == (4, "video")
    assert records.read_manifest(tmp_path / "out" / "all") == manifests["all"]
