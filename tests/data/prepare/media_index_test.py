"""Training on videos directly: the same clips, in the same order, as from records."""

import shutil

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.data.input import clip_sources, pipeline, training_clips
from actcl_tf.data.prepare import media_index, prepare
from actcl_tf.data.prepare.shard_writing import PrepareSettings
from actcl_tf.data.records import records, shards
from actcl_tf.storage.errors import DataError
from tests.media_files import tone, write_clip, write_coded

CUTTING = {"clip_seconds": 2.0, "short_side": 40}
QUIET = prepare.Execution(progress=False, num_workers=2)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """22 good clips of two classes in 11 videos, one of which begins late, and a silent one.

    The last one is two recordings put end to end, whose time stamps start anew.
    """
    folder = tmp_path_factory.mktemp("media") / "videos"
    for i in range(10):
        name = folder / ("cat" if i % 2 else "dog") / f"é {i}.mp4"
        late = {"sounds": [tone(4.3)], "sound_start": 0.2} if i == 3 else {}
        write_clip(name, 4.5, levels=(20 + 20 * i, 60, 100), **late)
    parts = []
    for shade in (40, 160):
        frames = [np.full([64, 80, 3], shade + i, np.uint8) for i in range(60)]
        kinds = {"video": "mpeg2video", "audio": "mp2", "sample_rate": 44100}
        sound = tone(2.4, 44100, frequency=5.0 * shade)
        parts.append(write_coded(folder / "part.vob", frames, sound, **kinds).read_bytes())
    (folder / "part.vob").rename(folder / "dog" / "joined.vob")
    (folder / "dog" / "joined.vob").write_bytes(b"".join(parts))
    write_clip(folder / "cat" / "silent.mp4", 2.0, sounds=[0 * tone(2.0)])
    return folder


@pytest.fixture(scope="module")
def both(videos, tmp_path_factory):
    """Configurations of the same videos, straight and from records."""
    folder = tmp_path_factory.mktemp("both")
    index = media_index.build_index(
        str(videos),
        str(folder / "cache"),
        PrepareSettings(is_index=True, **CUTTING),
        execution=QUIET,
    )
    prepare.prepare_folder(str(videos), str(folder / "records"), execution=QUIET, **CUTTING)
    shared = {"num_frames": 4, "frame_stride": 2, "image_size": 24}
    return (
        config.DataConfig(data_dir=index.output_dir, input="media", num_workers=2, **shared),
        config.DataConfig(data_dir=str(folder / "records"), **shared),
    )


def assert_same(one, other, count):
    ones, others = (list(dataset.take(count).as_numpy_iterator()) for dataset in (one, other))
    assert len(ones) == len(others) > 0
    for batch, expected in zip(ones, others, strict=True):
        assert batch.keys() == expected.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], expected[key], err_msg=key)


def test_an_index_says_what_a_preparation_would_find(both):
    for split in ("train", "test"):
        found, expected = (records.read_manifest(f"{each.data_dir}/{split}") for each in both)
        assert found.is_index and not expected.is_index
        for name in (
            *("num_clips", "num_shards", "classes", "min_frames", "min_samples", "height", "width"),
            *("duration", "failures", "frame_rate", "sample_rate", "streams"),
        ):
            assert getattr(found, name) == getattr(expected, name), name
    assert sum(shard["bytes"] for shard in found.shards) < 2000


@pytest.mark.parametrize(("views", "start_step"), [(1, 0), (2, 0), (1, 7)])
def test_batches_are_those_of_records_also_after_a_restart(both, views, start_step):
    clips = [training_clips.open_training_clips(each, seed=3, views=views) for each in both]
    make = [
        pipeline.build_train_dataset(
            each, batch_size=5, seed=3, start_step=start_step, make_clip=make_clip
        )
        for each, make_clip in zip(both, clips, strict=True)
    ]
    assert make[0].element_spec == make[1].element_spec
    assert_same(*make, 6)


def test_evaluation_and_random_clips_are_those_of_records(both):
    assert_same(
        *(pipeline.build_eval_dataset(d, split="train", batch_size=7, num_windows=3) for d in both),
        99,
    )
    assert_same(
        *(
            pipeline.build_random_dataset(d, num_clips=9, batch_size=4, seed=1, epoch=2)
            for d in both
        ),
        99,
    )


def test_an_index_is_made_once_a_place(videos, tmp_path):
    settings = PrepareSettings(is_index=True, **CUTTING)
    first = media_index.build_index(str(videos), str(tmp_path), settings, execution=QUIET)
    again = media_index.build_index(str(videos), str(tmp_path), settings, execution=QUIET)
    assert first.made > 0 == again.made
    assert first.output_dir == again.output_dir
    copy = shutil.copytree(videos, tmp_path / "copy")
    elsewhere = media_index.build_index(str(copy), str(tmp_path), settings, execution=QUIET)
    assert elsewhere.made == first.made and elsewhere.output_dir != first.output_dir


def test_what_an_index_cannot_do_is_refused(videos, tmp_path):
    with pytest.raises(config.ConfigError, match="--filters=silent,dark: needs prepared records"):
        PrepareSettings(is_index=True, filters="silent,dark")
    with pytest.raises(ValueError, match="is_index=True"):
        media_index.build_index(str(videos), str(tmp_path), PrepareSettings())
    with pytest.raises(DataError, match="no video in it"):
        media_index.build_index(str(tmp_path), str(tmp_path), PrepareSettings(is_index=True))


def test_records_and_indices_are_not_taken_for_each_other(both):
    media, stored = both
    with pytest.raises(DataError, match=r"--input=records: .*/train holds media"):
        pipeline.build_train_dataset(
            config.DataConfig(data_dir=media.data_dir), batch_size=2, seed=0
        )
    with pytest.raises(DataError, match=r"--input=media: .*/train holds records"):
        pipeline.build_train_dataset(
            config.DataConfig(data_dir=stored.data_dir, input="media"), batch_size=2, seed=0
        )
    with pytest.raises(DataError, match="only says where clips are in their videos"):
        shards.open_split(media.data_dir, "train")
    with pytest.raises(config.ConfigError, match="--input=media: a --data_service"):
        config.from_flat({"input": "media", "data_service": "grpc://a:1"})


def test_sources_say_how_many_clips_to_work_on(both):
    for each, calls in zip(both, (4, -1), strict=True):
        manifest = records.read_manifest(f"{each.data_dir}/train")
        assert clip_sources.build_source(each, manifest).num_parallel_calls == calls
