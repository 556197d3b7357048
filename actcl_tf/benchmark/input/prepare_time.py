"""How fast videos become records, beside the `ffmpeg` program doing the same to the same videos.

Both decode video and audio, sample the video at a constant rate, scale it, encode JPEG, and
resample and mix the audio, with as many processes. They take turns, so that a machine whose speed
drifts treats them alike. What ffmpeg leaves behind are loose files; what we leave are checked,
shuffled shards.
"""

import concurrent.futures
import dataclasses
import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
from typing import Any, NamedTuple

from actcl_tf import config
from actcl_tf.benchmark import turns
from actcl_tf.benchmark.input.prepare_settings import Settings
from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import prepare, shard_writing

# mjpeg's quantiser scale that gives files about as large as quality 90 of libjpeg does.
_FFMPEG_QUALITY = 3
# Whole videos, as ffmpeg takes them, and nothing left out.
_STORED = shard_writing.PrepareSettings(clip_seconds=3600.0, filters="")


class Rounds(NamedTuple):
    """Seconds that each round took, and what was made.

    Attributes:
      ours: seconds of each round of ours.
      ffmpeg: seconds of each round of ffmpeg's.
      videos: number of videos in a round.
      clips: number of clips that ours made of them.
      our_bytes: of the shards.
      ffmpeg_bytes: of ffmpeg's files.
      num_workers: processes of each.
    """

    ours: list[float]
    ffmpeg: list[float]
    videos: int
    clips: int
    our_bytes: int
    ffmpeg_bytes: int
    num_workers: int

    @property
    def speed(self) -> float:
        """Our speed as a multiple of ffmpeg's: the median of the rounds' ratios."""
        return statistics.median(
            theirs / ours for ours, theirs in zip(self.ours, self.ffmpeg, strict=True)
        )


def find_ffmpeg() -> str:
    """The program, of the development extra or of the machine.

    Raises:
      ConfigError: there is none.
    """
    try:
        import imageio_ffmpeg  # Of the development extra.

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
    if not found:
        raise config.ConfigError(
            "--what=prepare: needs the ffmpeg program; `make venv` installs one (imageio-ffmpeg)"
        )
    return found


def measure(settings: Settings, folder: str) -> Rounds:
    """Prepares the same videos both ways in turns.

    Args:
      settings: how often, and how.
      folder: of whole videos with audio.

    Raises:
      ConfigError: there is no ffmpeg program, or it cannot read a video.
      DataError: there is no video.
    """
    program = find_ffmpeg()
    found = catalogs.from_folder(folder, test_fraction=0.0)
    catalog = dataclasses.replace(found, clips=found.clips[: settings.prepare_videos])
    num_workers = settings.prepare_workers or cores.count()
    execution = prepare.Execution(num_workers=num_workers, progress=False)
    paths = [clip.path for clip in catalog.clips]
    ours, theirs = [], []
    for _ in bars.Bar(range(settings.prepare_rounds), "timing", unit="round"):
        with tempfile.TemporaryDirectory() as made:
            target = os.path.join(made, "data")
            seconds, summary = turns.timed(prepare.prepare, catalog, target, _STORED, execution)
            ours.append(seconds)
            our_bytes = _bytes_below(made)
        with tempfile.TemporaryDirectory() as made:
            seconds, _ = turns.timed(_convert_all, program, paths, made, num_workers)
            theirs.append(seconds)
            ffmpeg_bytes = _bytes_below(made)
    clips = sum(manifest.num_clips for manifest in summary.manifests.values())
    return Rounds(
        ours=ours,
        ffmpeg=theirs,
        videos=len(paths),
        clips=clips,
        our_bytes=our_bytes,
        ffmpeg_bytes=ffmpeg_bytes,
        num_workers=num_workers,
    )


def _convert_all(program: str, paths: list[str], folder: str, num_workers: int) -> None:
    folders = [os.path.join(folder, str(index)) for index in range(len(paths))]
    with concurrent.futures.ThreadPoolExecutor(num_workers) as pool:
        list(pool.map(_convert, itertools.repeat(program), paths, folders))


def _convert(program: str, path: str, folder: str) -> None:
    """One video by ffmpeg: numbered JPEG files and raw float samples in a folder of its own."""
    os.mkdir(folder)
    side = _STORED.short_side
    scale = f"scale='if(lt(iw,ih),min(iw,{side}),-2)':'if(lt(iw,ih),-2,min(ih,{side}))':flags=area"
    command = [program, "-nostdin", "-v", "error", "-i", path]
    command += ["-map", "0:v:0", "-vf", f"fps={_STORED.frame_rate},{scale}"]
    command += ["-q:v", str(_FFMPEG_QUALITY), os.path.join(folder, "%05d.jpg")]
    command += ["-map", "0:a:0", "-ac", "1", "-ar", str(_STORED.sample_rate)]
    command += ["-f", "f32le", os.path.join(folder, "audio.f32")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise config.ConfigError(f"{path}: ffmpeg cannot convert it ({done.stderr.strip()})")


def _bytes_below(folder: str) -> int:
    return sum(p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file())


def table(rounds: Rounds) -> str:
    """The figures as text for the terminal."""
    lines = [f"{'':8}{'videos/s':>10}{'seconds':>10}{'range':>16}{'MB written':>12}"]
    for name, seconds, size in (
        ("ours", rounds.ours, rounds.our_bytes),
        ("ffmpeg", rounds.ffmpeg, rounds.ffmpeg_bytes),
    ):
        median = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        lines.append(
            f"{name:8}{rounds.videos / median:10.1f}{median:10.2f}{spread:>16}{size / 1e6:12.1f}"
        )
    lines.append(
        f"{rounds.videos} videos, {rounds.num_workers} processes, {len(rounds.ours)} rounds in "
        f"turns: {rounds.speed:.2f} times the speed of ffmpeg"
    )
    return "\n".join(lines)


def to_dict(rounds: Rounds) -> dict[str, Any]:
    """The figures, ready for JSON."""
    return {**rounds._asdict(), "speed": rounds.speed}
