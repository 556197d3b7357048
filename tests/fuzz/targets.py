"""What reads files of strangers: each writes a good input, breaks it, and has it read."""

import abc
import contextlib
import dataclasses
import json
import pathlib
import sqlite3

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.catalogs import datasets
from actcl_tf.data.input import bad_clip_search, skip_ledger, slots, tagged_errors, training_clips
from actcl_tf.data.media import clip_cutting
from actcl_tf.data.media.containers.errors import MediaError
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.data.records import clip_order, record_check, records, shards, split_scan
from actcl_tf.evaluate.features import encoders
from actcl_tf.evaluate.results import comparison, results
from actcl_tf.models import weights_file
from actcl_tf.pretrained import layout
from actcl_tf.search import collection, store
from actcl_tf.search.segments import AUDIO, VIDEO, Segment
from actcl_tf.search.store import Entry, Facts
from actcl_tf.search.store_writing import Writer
from actcl_tf.train import run_checks
from actcl_tf.train.runs import checkpoints, errors, run_folder
from tests import made_results, media_files, split_files
from tests.fuzz import mutations
from tests.fuzz.mutations import Rng

INDEX_COLUMNS = (
    *("made_with.digest", "made_with.embedding_size", "made_with.window_seconds"),
    *("made_with.matrices", "files.root", "files.name", "files.size", "files.left_out"),
    *("files.checksum", "segments.file", "segments.start", "segments.has_audio"),
)

# The errors whose messages are meant for people.
NAMED = (
    records.DataError,
    config.ConfigError,
    MediaError,
    errors.CheckpointError,
    layout.PretrainedError,
    results.ResultError,
    comparison.ComparisonError,
)


class Target(abc.ABC):
    """A reader and what it is given.

    Attributes:
      size: how many times as long as others it may take over a case.
    """

    size = 1

    def __init__(self, folder: pathlib.Path):
        """Takes an empty folder to write in."""
        self.folder = folder

    @abc.abstractmethod
    def write(self, rng: Rng) -> None:
        """Writes one broken input."""

    @abc.abstractmethod
    def read(self) -> None:
        """Reads it; may raise one of NAMED."""


class Records(Target):
    """Single records: what is told of them, and what training makes of them."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        self.good = [
            split_files.ramp_clip(f"{i}", num_frames=6, label=i).SerializeToString()
            for i in range(4)
        ]
        self.record = b""
        spec = tf.TensorSpec([], tf.string)
        self.parse = tf.function(records.parse_example).get_concrete_function(spec)

    def write(self, rng: Rng) -> None:
        self.record = _broken_record(rng, mutations.pick(rng, self.good))

    def read(self) -> None:
        # What is wrong, training is told in words by what follows.
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            self.parse(tf.constant(self.record))
        record_check.read_facts(self.record, every_frame=True)


class Shards(Target):
    """Shards of a split, as training and tools/inspect_records.py read them."""

    size = 6  # Each case is 48 records, read three times.

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        clips = [split_files.ramp_clip(f"{i}", num_frames=6, label=i) for i in range(48)]
        self.records = [clip.SerializeToString() for clip in clips]
        (self.path,) = split_files.write_split(folder, "train", clips)
        data = config.DataConfig(
            data_dir=str(folder), num_frames=4, image_size=16, color_jitter=0.0
        )
        manifest, paths = shards.open_split(folder, "train")
        make_clip = training_clips.build_training_clips(data, manifest, seed=0)
        make_clip = tf.function(make_clip, autograph=False)  # Traced once for all cases.
        order = clip_order.build_order(manifest, paths, seed=0, stream=0, shuffle_buffer=8)
        self.slots = slots.Slots(order, make_clip)

    def write(self, rng: Rng) -> None:
        with tf.io.TFRecordWriter(str(self.path)) as writer:
            for record in self.records:
                writer.write(record if rng.integers(2) else _broken_record(rng, record))
        if not rng.integers(3):
            self.path.write_bytes(mutations.of_bytes(rng, self.path.read_bytes()))

    def read(self) -> None:
        found = bad_clip_search.find(self.slots, 0, len(self.records))
        assert "\n" not in found, f"more than a line: {found}"
        ledger = self.folder / skip_ledger.FILE_NAME
        ledger.unlink(missing_ok=True)
        skipping, good = skip_ledger.SkipLedger(ledger, tell=False), 0
        try:
            for clip in skipping.clips(self.slots, 2, num_epochs=1):
                assert np.isfinite(clip["audio"]).all(), "sound that is not finite came through"
                good += 1
        except tf.errors.OpError as error:  # As training, which says what is marked.
            assert "none of the" in tagged_errors.message_of(error, skip_ledger.TAG), error
        assert good + skipping.times == len(self.records)
        skip_ledger.SkipLedger(ledger)
        (split,) = split_scan.find_splits(self.folder)
        split_scan.scan([split], every_frame=True, progress=False)


def _broken_record(rng: Rng, record: bytes) -> bytes:
    kinds = (mutations.of_bytes, mutations.of_record, mutations.of_jpegs)
    return mutations.pick(rng, kinds)(rng, record)


_CODECS = {
    "ts": ("libx264", "aac"),
    "vob": ("mpeg2video", "mp2"),
    "mkv": ("libx264", "aac"),
    "mp4": ("libx264", "aac"),
    "wmv": ("wmv2", "wmav2"),
    "avi": ("mpeg4", "libmp3lame"),
    "ogv": ("libvpx", "libopus"),
}
_STARTS = (0.0, 7.0, 1000.0, 95442.9)  # The last: the counter of MPEG-TS starts anew in it.


class Media(Target):
    """Videos that start late, are put together from several, or are broken; cut into clips."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        rng = np.random.default_rng(0)
        frames = [rng.integers(0, 255, (32, 32, 3), np.uint8) for _ in range(25)]
        self.pieces = {
            (suffix, start, late): self._piece(folder, frames, suffix, start, late)
            for suffix in _CODECS
            for start in _STARTS
            for late in (0.0, 0.3)
            if suffix != "avi"
            or start == 0  # It has no stamps: it repeats its first frame until then.
        }
        self.path, self.most_clips = folder / "video", 0

    def _piece(self, folder, frames, suffix, start, late) -> bytes:
        path = folder / f"piece.{suffix}"
        rate = 48000 if suffix == "ogv" else 44100
        video, audio = _CODECS[suffix]
        made = media_files.write_coded(
            path,
            frames,
            media_files.tone(1, rate),
            video=video,
            audio=audio,
            sample_rate=rate,
            start=start,
            sound_start=start + late,
        )
        return made.read_bytes()

    def write(self, rng: Rng) -> None:
        suffix = mutations.pick(rng, list(_CODECS))
        mine = [content for (kind, *_), content in self.pieces.items() if kind == suffix]
        pieces = [mutations.pick(rng, mine) for _ in range(rng.integers(1, 4))]
        self.most_clips = 3 * len(pieces)  # Of 0.4 s in 1 s, and a short hole after it.
        if rng.integers(2):  # What is broken may say that it lasts as long as it likes.
            pieces[-1], self.most_clips = mutations.of_bytes(rng, pieces[-1]), 10**9
        self.path.write_bytes(b"".join(pieces))

    def read(self) -> None:
        for streams in ("both", "video"):
            options = ReadOptions(12.5, 16000, 32, 95, 0.4, 0.4, -50.0, streams)
            found = clip_cutting.read_clips(self.path, options)
            clips = [clip for clip in found if isinstance(clip, clip_cutting.MediaClip)]
            for clip, before in zip(clips, [None, *clips], strict=False):
                assert len(clip.frames_jpeg) == 5, "a clip of another length"
                assert before is None or clip.start >= before.end - 1e-6, "clips overlap"
                if streams == "both":
                    assert clip.waveform.shape == (6400,), "sound of another length"
                    assert np.isfinite(clip.waveform).all(), "sound that is not finite"
            assert len(clips) <= self.most_clips, f"{len(clips)} clips, more than were recorded"


@dataclasses.dataclass
class _Lists:
    """Lists of a data set: their names with their texts, media, and what separates cells."""

    texts: dict[str, str]
    media: tuple[str, ...] = ()
    separator: str = ","


_CATALOGS = {
    "csv": _Lists(
        {
            "list.csv": "video_path,start,end,label,split,caption\na.mp4,0,1.5,x,train,hm\n"
            'b.mp4,1,,y,test,"so, so"\nc.mp4,,,,val,\n'
        }
    ),
    "ucf101": _Lists(
        {
            "ucfTrainTestlist/classInd.txt": "1 Archery\n2 Bowling\n",
            **{
                f"ucfTrainTestlist/{part}list0{n}.txt": f"Archery/v_a_g0{k}_c01.avi {n}\n"
                for n in (1, 2, 3)
                for part, k in (("train", 1), ("test", 2))
            },
        },
        ("UCF-101/Archery/v_a_g01_c01.avi", "UCF-101/Archery/v_a_g02_c01.avi"),
        " ",
    ),
    "hmdb51": _Lists(
        {f"splits/run_test_split{n}.txt": "one.avi 1\ntwo.avi 2\n" for n in (1, 2, 3)},
        ("run/one.avi", "run/two.avi"),
        " ",
    ),
    "esc50": _Lists(
        {
            "meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take\n"
            "1-1-A-0.wav,1,0,dog,True,1,A\n2-1-A-1.wav,2,1,rain,False,2,A\n"
        },
        ("audio/1-1-A-0.wav", "audio/2-1-A-1.wav"),
    ),
    "kinetics": _Lists(
        {
            "train.csv": "label,youtube_id,time_start,time_end,split\n"
            'singing,0347ZoDXyP0,95,105,train\n"tap dancing",a347ZoDXyP0,1,11,train\n'
        },
        ("train/0347ZoDXyP0_000095_000105.mp4", "train/a347ZoDXyP0.mp4"),
    ),
    "audioset": _Lists(
        {
            "eval_segments.csv": '# comment\n--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n',
            "class_labels_indices.csv": "index,mid,display_name\n0,/m/068hy,Pets\n"
            '1,/m/07q6cd_,"Squeak, or so"\n',
        },
        ("clips/--4gqARaEJE_0_10.wav",),
    ),
    "ontology": _Lists(
        {
            "eval_segments.csv": "--4gqARaEJE, 0.000, 10.000, /m/068hy\n",
            "ontology.json": '[{"id": "/m/068hy", "name": "Pets", "restrictions": []}, '
            '{"id": "/m/0", "name": "x", "restrictions": ["abstract"]}]',
        },
        ("clips/--4gqARaEJE_0_10.wav",),
    ),
    "vggsound": _Lists(
        {"vggsound.csv": "---g-f_I2yQ,1,people marching,test\nb--g-f_I2yQ,30,rain,train\n"},
        ("video/---g-f_I2yQ_000001.mp4", "video/b--g-f_I2yQ.mp4"),
    ),
}


class Catalogs(Target):
    """The lists of every data set, and a CSV file of one's own."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        for name, lists in _CATALOGS.items():
            for each in (*lists.texts, *lists.media):
                (folder / name / each).parent.mkdir(parents=True, exist_ok=True)
                (folder / name / each).write_bytes(lists.texts.get(each, "").encode())
        self.name = ""

    def write(self, rng: Rng) -> None:
        if self.name:  # The last case's.
            for name, text in _CATALOGS[self.name].texts.items():
                (self.folder / self.name / name).write_text(text)
        self.name = mutations.pick(rng, list(_CATALOGS))
        lists = _CATALOGS[self.name]
        broken = mutations.pick(rng, list(lists.texts))
        content = _broken_text(rng, lists.texts[broken], broken, lists.separator)
        (self.folder / self.name / broken).write_bytes(content)

    def read(self) -> None:
        root = str(self.folder / self.name)
        if self.name == "csv":
            datasets.read("csv", f"{root}/list.csv")
            return
        name = {"ontology": "audioset"}.get(self.name, self.name)
        read = datasets.read(name, root)
        assert all(pathlib.Path(clip.path).is_relative_to(root) for clip in read.clips)


def _broken_text(rng: Rng, text: str, name: str, separator: str) -> bytes:
    if rng.integers(3):
        if name.endswith(".json"):
            text = mutations.of_json(rng, text)
        else:
            text = mutations.of_cells(rng, text, separator)
        return text.encode("utf-8", "surrogatepass")
    return mutations.of_bytes(rng, text.encode())


class Metadata(Target):
    """What data sets, runs, exports, results, indices and weights say of themselves."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        clips = [split_files.ramp_clip(f"{i}", num_frames=6, label=i) for i in range(4)]
        split_files.write_split(folder / "data", "train", clips)
        self.run = config.from_flat(
            {
                **{"data_dir": str(folder / "data"), "run_dir": str(folder / "run")},
                **{"num_frames": 4, "image_size": 16, "batch_size": 2, "negatives": "in_batch"},
            }
        )
        self.facts = run_checks.check(self.run)
        run_folder.open_run(self.run, self.facts)
        _write_export(folder / "export" / layout.PAIR / "1" / "assets", self.run)
        results.write(_made(folder / "result"), made_results.result(made_results.measurement()))
        with Writer(folder / "index", Facts("0123456789abcdef", "/m", 2, 0.5)) as writer:
            segments = (Segment(0.0, True, True), Segment(0.5, False, True))
            rows = {VIDEO: np.zeros([1, 2], "f"), AUDIO: np.ones([2, 2], "f")}
            writer.append(Entry("/videos", "a.mp4", 10, 17, segments, {}), rows)
            writer.commit()
        line = {"shard": "a", "record": 1, "why": "its checksum is wrong", "slot": 3}
        (folder / "run" / skip_ledger.FILE_NAME).write_text(json.dumps(line) + "\n")
        head = b'{"a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}'
        weights = len(head).to_bytes(8, "little") + head + bytes(8)
        (folder / "a.safetensors").write_bytes(weights)
        readers = {
            "data/train/manifest.json": self._read_data,
            "run/run.json": self._read_run,
            f"run/{skip_ledger.FILE_NAME}": self._read_ledger,
            f"export/{layout.PAIR}/1/assets/{layout.METADATA}": self._read_export,
            "result/result.json": self._read_result,
            f"index/{store.INDEX}": self._read_index,
            "a.safetensors": self._read_weights,
        }
        self.files = {name: (read, (folder / name).read_bytes()) for name, read in readers.items()}
        for name in self.files:
            self.name = name
            self.read()  # All are good as they are.

    def write(self, rng: Rng) -> None:
        (self.folder / self.name).write_bytes(self.files[self.name][1])  # The last case's.
        self.name = mutations.pick(rng, list(self.files))
        content = self.files[self.name][1]
        if self.name.endswith(("json", "jsonl")):
            content = _broken_text(rng, content.decode(), "a.json", ",")
        elif self.name.endswith("safetensors") and rng.integers(2):
            head = content[8:-8].decode()
            broken = _broken_text(rng, head, "a.json", ",")
            content = len(broken).to_bytes(8, "little") + broken + bytes(8)
        else:
            content = mutations.of_bytes(rng, content)
        (self.folder / self.name).write_bytes(content)
        if self.name.endswith(store.INDEX) and rng.integers(2):
            self._change_a_column(rng)

    def _change_a_column(self, rng: Rng) -> None:
        """Makes a database that is sound, and holds what nobody wrote."""
        path = self.folder / "index" / store.INDEX
        path.write_bytes(self.files[self.name][1])
        table, column = mutations.pick(rng, INDEX_COLUMNS).split(".")
        kept = [n for n in mutations.NUMBERS if isinstance(n, float) or abs(n) < 2**63]
        words = [word.encode("utf-8", "surrogatepass") for word in mutations.WORDS]
        value = mutations.pick(rng, [None, *kept, *words])
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute(f"UPDATE {table} SET {column} = ?", [value])

    def read(self) -> None:
        self.files[self.name][0]()

    def _read_data(self) -> None:
        manifest = records.read_manifest(self.folder / "data" / "train")
        shards.open_split(self.folder / "data", "train")
        run_checks.check(self.run)
        training_clips.build_training_clips(self.run.data, manifest, seed=0)
        split_scan.find_splits(self.folder / "data")

    def _read_run(self) -> None:
        run, facts = run_folder.read_run(str(self.folder / "run"))
        assert run.train.steps > 0 and facts.num_audio_samples > 0
        run_folder.open_run(self.run, self.facts)

    def _read_ledger(self) -> None:
        skip_ledger.SkipLedger(self.folder / "run" / skip_ledger.FILE_NAME, tell=False)

    def _read_export(self) -> None:
        found = encoders.open_checkpoint(str(self.folder / "export"))
        assert found.frame_rate > 0

    def _read_result(self) -> None:
        found = results.read(self.folder / "result")
        groups = comparison.compare([found, found])
        for show in (comparison.text, comparison.markdown, comparison.csv_text):
            show(groups).encode("utf-8", "surrogatepass")

    def _read_index(self) -> None:
        collection.Collection(str(self.folder / "index"))

    def _read_weights(self) -> None:
        weights_file.read_tensors(str(self.folder / "a.safetensors"))


def _made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True)
    return folder


def _write_export(folder: pathlib.Path, run: config.PretrainConfig) -> None:
    held = {
        **{"format": layout.FORMAT, "step": 3, "frame_rate": 10.0, "sample_rate": 16000},
        **{"num_audio_samples": 8000, "image_size": 16, "config": run.to_dict()},
    }
    (_made(folder) / layout.METADATA).write_text(json.dumps(held))


class Checkpoints(Target):
    """The files of a checkpoint, of a small model."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        self.model = tf.Module()
        self.model.step = tf.Variable(5, dtype=tf.int64)
        self.model.weights = tf.Variable(tf.ones([64, 32]))
        checkpoints.Manager(self.model, str(folder), 2, {}).save()
        self.files = {path: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
        self.read()

    def write(self, rng: Rng) -> None:
        for path, content in self.files.items():
            path.write_bytes(content)
        path = mutations.pick(rng, sorted(self.files))
        path.write_bytes(mutations.of_bytes(rng, self.files[path]))

    def read(self) -> None:
        self.model.weights.assign(tf.zeros([64, 32]))
        checkpoints.Manager(self.model, str(self.folder), 2, {}).restore()
        assert (self.model.weights.numpy() == 1.0).all(), "other values were restored"


TARGETS = {
    "records": Records,
    "shards": Shards,
    "media": Media,
    "catalogs": Catalogs,
    "metadata": Metadata,
    "checkpoints": Checkpoints,
}
