"""Plan of the built-in data set: its settings, its clips and their true parameters."""

import dataclasses
from typing import NamedTuple

import numpy as np

from actcl_tf import config
from actcl_tf.data.synthetic import categories, scene, sharing

_TAKE_STREAM = 3
SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


class SyntheticError(config.UserError, ValueError):
    """Wrong settings or an unusable folder; the message is one line that says what to do."""


@dataclasses.dataclass(frozen=True)
class SyntheticSettings:
    """What a data set is made of.

    Attributes:
      num_train, num_test: clips in each split.
      seed: seed of every random draw.
      zipf: exponent of the categories' frequencies in the training split; 0 is balanced. The test
        split is always balanced.
      builds: 1 to 16 builds of object; there are 16 categories for each.
      takes: clips that are recorded of one object in the training split, as clips of one long video
        are; 1: each clip shows an object of its own. Objects of the test split are recorded once.
      shared_causes: what audio and video have in common, see `sharing.shared_groups`.
      size: height and width of the frames in pixels, even.
      frame_rate: frames a second.
      seconds: length of a clip.
      sample_rate: samples a second, one of SAMPLE_RATES.
    """

    num_train: int = 1000
    num_test: int = 200
    seed: int = 0
    zipf: float = 0.0
    builds: int = 1
    takes: int = 1
    shared_causes: str = "all"
    size: int = 96
    frame_rate: float = 12.5
    seconds: float = 3.0
    sample_rate: int = 16000

    def __post_init__(self) -> None:
        self._check("num_train", self.num_train >= 0, "at least 0")
        self._check("num_test", self.num_test >= 0, "at least 0")
        self._check("seed", self.seed >= 0, "at least 0")
        self._check("zipf", 0.0 <= self.zipf <= 5.0, "0 (balanced) to 5")
        self._check("builds", 1 <= self.builds <= len(categories.BUILDS), "1 to 16")
        self._check("takes", self.takes >= 1, "at least 1")
        try:
            sharing.shared_groups(self.shared_causes)
        except ValueError:
            groups = ", ".join(sharing.GROUPS)
            self._check(
                "shared_causes", False, f"category, all, or category+ and one of {groups}, ..."
            )
        self._check("size", 32 <= self.size <= 1024 and self.size % 2 == 0, "even, 32 to 1024")
        self._check("frame_rate", 1.0 <= self.frame_rate <= 60.0, "1 to 60")
        self._check("seconds", 0.5 <= self.seconds <= 60.0, "0.5 to 60")
        allowed = ", ".join(map(str, SAMPLE_RATES))
        self._check("sample_rate", self.sample_rate in SAMPLE_RATES, f"one of {allowed}")
        if self.num_train + self.num_test == 0:
            raise SyntheticError("--num_train=0 and --num_test=0: at least one clip is needed")

    def _check(self, name: str, good: bool, allowed: str) -> None:
        if not good:
            raise SyntheticError(f"--{name}={getattr(self, name)}: must be {allowed}")

    @property
    def num_frames(self) -> int:
        """Frames of a clip (T)."""
        return round(self.seconds * self.frame_rate)

    @property
    def num_samples(self) -> int:
        """Samples of a clip (S)."""
        return round(self.seconds * self.sample_rate)


@dataclasses.dataclass(frozen=True)
class Item:
    """One clip to be rendered: its place, its category and the object that it shows.

    Attributes:
      split: train or test.
      index: number within the split.
      category: one of `categories.list_categories`.
      first: index of the first clip of the same object.
    """

    split: str
    index: int
    category: str
    first: int

    @property
    def path(self) -> str:
        """Path within the data set's folder, with forward slashes."""
        return f"{self.split}/{self.category}/{self.index:05d}.mp4"


def category_counts(num_clips: int, zipf: float, seed: int, builds: int = 1) -> dict[str, int]:
    """Clips of each category, as near to the wanted frequencies as whole numbers allow.

    Args:
      num_clips: clips in all.
      zipf: the r-th most frequent category has a share proportional to r ** -zipf; 0: all equal.
      seed: decides which category has which rank.
      builds: 1 to 16.

    Returns:
      Category to count, in the order of `categories.list_categories`; the sum is `num_clips`.
      Each category has at least one clip where there are as many clips as categories.
    """
    names = categories.list_categories(builds)
    num_categories = len(names)
    floor = 1 if num_clips >= num_categories else 0
    shares = np.arange(1, num_categories + 1, dtype=np.float64) ** -zipf
    wanted = shares / shares.sum() * num_clips
    counts = np.maximum(np.floor(wanted).astype(int), floor)
    # Largest remainders get what is left; what the floor of one took too much is paid by the
    # most frequent.
    order = np.argsort(-(wanted - np.floor(wanted)), kind="stable")
    for rank in order[: max(num_clips - counts.sum(), 0)]:
        counts[rank] += 1
    while counts.sum() > num_clips:
        counts[np.argmax(counts)] -= 1
    ranks = np.random.default_rng([seed, 1]).permutation(num_categories)
    return {name: int(counts[rank]) for name, rank in zip(names, ranks, strict=True)}


def list_items(settings: SyntheticSettings) -> list[Item]:
    """All clips of a data set, split by split, categories in random order."""
    items = []
    for split, number, zipf, takes in (
        ("train", settings.num_train, settings.zipf, settings.takes),
        ("test", settings.num_test, 0.0, 1),
    ):
        counts = category_counts(number, zipf, settings.seed, settings.builds)
        names = [name for name, count in counts.items() for _ in range(count)]
        rng = np.random.default_rng([settings.seed, 2, *split.encode()])
        of_category: dict[str, list[int]] = {name: [] for name in counts}
        for index, place in enumerate(rng.permutation(number)):
            others = of_category[names[place]]
            others.append(index)
            first = others[(len(others) - 1) // takes * takes]
            items.append(Item(split, index, names[place], first))
    return items


class ClipScene(NamedTuple):
    """What a clip shows.

    Attributes:
      seen: causes of the video.
      heard: causes of the audio.
      nuisance: of both.
    """

    seen: scene.Causes
    heard: scene.Causes
    nuisance: scene.Nuisance


def draw_scene(settings: SyntheticSettings, item: Item) -> ClipScene:
    """The scene of a clip."""
    of_object = (settings.seed, item.split, item.first)
    seconds = settings.seconds
    seen = scene.draw_causes(*of_object, item.category, seconds)
    nuisance = scene.draw_nuisance(*of_object)
    other = seen
    if settings.shared_causes != "all":
        other = sharing.draw_other(*of_object, item.category, seconds)
    if item.index != item.first:
        rng = np.random.default_rng([settings.seed, _TAKE_STREAM, item.index, *item.split.encode()])
        seen, nuisance = sharing.retake(seen, nuisance, rng, seconds)
        other, _ = sharing.retake(other, nuisance, rng, seconds)
    return ClipScene(seen, sharing.share(seen, other, settings.shared_causes), nuisance)


def clip_parameters(settings: SyntheticSettings, item: Item) -> dict[str, object]:
    """True parameters of a clip: one row of `parameters.csv`.

    Args:
      settings: of the data set.
      item: which clip.

    Returns:
      Column to value: path, split, category and first (index of the object's first clip); then the
      causes that are seen (motion, material, build, radius as a share of the frame, pitch in Hz at
      mid height, period in seconds, phase, base_height, travel, events: times of the beats in
      seconds, with spaces between); those heard, from heard_radius to heard_events; then the
      nuisance.
    """
    seen, heard, nuisance = draw_scene(settings, item)
    row = {"path": item.path, "split": item.split, "category": item.category, "first": item.first}
    for name in ("motion", "material", "build"):
        row[name] = getattr(seen, name)
    for prefix, causes in (("", seen), ("heard_", heard)):
        for name in ("radius", "pitch", "period", "phase", "base_height", "travel"):
            row[prefix + name] = f"{getattr(causes, name):.5f}"
        events = scene.event_times(causes, settings.seconds)
        events = events[(events >= 0) & (events < settings.seconds)]
        row[f"{prefix}events"] = " ".join(f"{time:.3f}" for time in events)
    for field in dataclasses.fields(nuisance):
        value = getattr(nuisance, field.name)
        if field.name.endswith("_colors"):
            value = " ".join(f"{part:.3f}" for color in value for part in color)
        row[field.name] = f"{value:.5f}" if isinstance(value, float) else value
    return row


def clip_quantities(settings: SyntheticSettings, item: Item) -> dict[str, str]:
    """What a regression can be asked for: one row of `quantities.csv`.

    Args:
      settings: of the data set.
      item: which clip.

    Returns:
      Column to value: path, then for "video" what is seen and for "audio" what is heard:
      video/size (octaves of the radius), video/period (octaves), video/height (mean, as a share of
      the frame), video/travel, and so on.
    """
    seen, heard, _ = draw_scene(settings, item)
    row = {"path": item.path}
    for modality, causes in (("video", seen), ("audio", heard)):
        for name, value in {
            "size": np.log2(causes.radius),
            "period": np.log2(causes.period),
            "height": causes.base_height + 0.5 * causes.travel,
            "travel": causes.travel,
        }.items():
            row[f"{modality}/{name}"] = f"{value:.5f}"
    return row
