import re

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.benchmark.input import input_time
from actcl_tf.data.prepare import prepare
from actcl_tf.data.records import records
from actcl_tf.storage.errors import DataError
from tests import split_files
from tests.media_files import write_clip


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    clips = [split_files.ramp_clip(f"clip {i}", 20 + i) for i in range(12)]
    split_files.write_split(folder, "train", clips, 3)
    return str(folder)


def test_every_phase_is_timed_and_the_rest_watched(data_dir):
    data = config.DataConfig(data_dir=data_dir, num_frames=4, image_size=16)
    settings = input_time.Settings(input_rounds=2, input_batches=2, input_clips=24, input_shards=20)
    result = input_time.measure(data, settings, 4, 0)
    alone = [name for name in result.rates if name.endswith(", alone")]
    assert len(alone) == 5
    assert list(result.rates)[-2:] == [input_time.WHOLE, input_time.LIMIT]
    assert all(len(rates) == 2 and min(rates) > 0 for rates in result.rates.values())
    assert (result.frames, result.shards, result.clips) == (4, 20, 24)
    assert result.first_batch > 0
    assert all(10 < megabytes < 100_000 for megabytes in result.memory)
    text = input_time.table(result)
    assert re.search(r"First batch after \d+\.\d\d s, of 20 shards", text)
    assert "MB after 2 clips" in text and "together, augmented on the host" in text
    pairs = zip(result.rates[input_time.WHOLE], result.rates[input_time.LIMIT], strict=True)
    assert input_time.to_dict(result)["share"] == pytest.approx(
        np.median([a / b for a, b in pairs])
    )


def test_the_same_clips_are_read_from_their_videos(tmp_path):
    for i in range(6):
        write_clip(tmp_path / "videos" / "train" / f"{i}.mp4", 1.5)
    write_clip(tmp_path / "videos" / "test" / "a.mp4", 1.5)
    quiet = prepare.Execution(progress=False)
    prepare.prepare_folder(
        str(tmp_path / "videos"), str(tmp_path / "data"), execution=quiet, min_seconds=0.5
    )
    data = config.DataConfig(data_dir=str(tmp_path / "data"), num_frames=4, image_size=16)
    settings = input_time.Settings(
        input_rounds=1, input_batches=1, input_videos=str(tmp_path / "videos")
    )
    result = input_time.measure(data, settings, 4, 0)
    assert result.rates[input_time.MEDIA][0] > 0
    # Memory and shards are left alone unless asked for.
    manifest = records.read_manifest(tmp_path / "data" / "train")
    assert result.memory is None and result.shards == manifest.num_shards
    assert "Memory" not in input_time.table(result)
    (tmp_path / "videos" / "train" / "0.mp4").unlink()
    with pytest.raises(DataError, match="gives 5 clips of split 'train', and --data_dir holds 6"):
        input_time.measure(data, settings, 4, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_rounds": 0}, "--input_rounds=0: must be at least 1"),
        ({"input_shards": -1}, "--input_shards=-1: must be at least 0"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(config.ConfigError, match=message):
        input_time.Settings(**values)


def test_clips_that_are_too_short_are_told(data_dir):
    data = config.DataConfig(data_dir=data_dir, num_frames=40, image_size=16)
    with pytest.raises(DataError, match="--num_frames=40: a clip has only"):
        input_time.measure(data, input_time.Settings(), 4, 0)
