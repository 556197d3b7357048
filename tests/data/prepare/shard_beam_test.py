import dataclasses
import shutil

import pytest

from actcl_tf.data import catalogs
from actcl_tf.data.prepare import prepare, shard_writing
from actcl_tf.storage.errors import DataError
from tests.data.prepare.prepare_test import contents, write_scene
from tests.media_files import tone, write_clip

SETTINGS = shard_writing.PrepareSettings(
    short_side=32, clip_seconds=1.0, clips_per_shard=2, filters="silent,duplicate"
)
LOCAL = prepare.Execution(num_workers=1, progress=False)
SEVERAL_PROCESSES = (
    "--runner=DirectRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=2",
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for index in range(9):
        write_scene(root / f"class {index % 2}" / f"ü{index}.mp4", index, 1.2 + index % 3)
    shutil.copy(root / "class 0" / "ü0.mp4", root / "class 1" / "copy.mp4")
    write_clip(root / "class 1" / "silent.mp4", 1.2, sounds=[0 * tone(1.2)])
    (root / "class 0" / "empty.mp4").write_bytes(b"")
    return root


# Beam's own workers take their time to start; tests of the tool run it in one process.
@pytest.mark.slow
def test_several_processes_of_beam_make_what_local_ones_make(videos, tmp_path):
    catalog = catalogs.from_folder(str(videos), test_fraction=0.3)
    beam = dataclasses.replace(LOCAL, runner="beam", pipeline_args=SEVERAL_PROCESSES)
    local = prepare.prepare(catalog, str(tmp_path / "local"), SETTINGS, LOCAL)
    beamed = prepare.prepare(catalog, str(tmp_path / "beam"), SETTINGS, beam)
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
    assert beamed.manifests == local.manifests
    assert beamed.made == local.made > 9
    assert sorted(beamed.failures) == ["duplicate", "empty", "silent"]
    assert len(beamed.failures["duplicate"]) == 1


def test_a_job_that_cannot_run_is_told_and_gone_on_with(videos, tmp_path):
    catalog = catalogs.from_folder(str(videos), test_fraction=0.3)
    wrong = dataclasses.replace(LOCAL, runner="beam", pipeline_args=("--runner=NoSuchRunner",))
    with pytest.raises(DataError, match=r"the Beam job failed \(.*NoSuchRunner.*goes on where"):
        prepare.prepare(catalog, str(tmp_path / "data"), SETTINGS, wrong)
    summary = prepare.prepare(catalog, str(tmp_path / "data"), SETTINGS, LOCAL)
    prepare.prepare(catalog, str(tmp_path / "whole"), SETTINGS, LOCAL)
    assert summary.made > 9
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")
