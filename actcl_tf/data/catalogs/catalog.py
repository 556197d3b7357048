"""What a data set's layout comes down to: a list of clips with labels and splits."""

import dataclasses
import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable

from actcl_tf.config.dataset_choice import ALL as ALL
from actcl_tf.config.dataset_choice import check_test_fraction
from actcl_tf.data.catalogs.walking import NOTHING, Found

TRAIN, TEST, VAL = "train", "test", "val"
SPLITS = (TRAIN, TEST, VAL)
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "tests", "testing", "eval", "evaluation", "holdout"), TEST),
    **dict.fromkeys(("val", "valid", "validate", "validation"), VAL),
    **dict.fromkeys(("dev", "devel", "development"), VAL),
}
_OF_SPLIT = re.compile(r"(.+?)(sets?|data|splits?|videos?|clips?|files?|samples?)?")


@dataclasses.dataclass(frozen=True)
class Clip:
    """A span of a video that is to become one clip, or several if it is long.

    Attributes:
      path: of the video, as it can be opened.
      name: of the video, relative to the data set, with `/` between folders.
      start: of the span, seconds from the beginning of the video.
      end: of the span, seconds; None: to the end of the video.
      labels: machine names of its classes: none, one, or several in a multi-label data set.
      split: name of the split; empty where it is still to be drawn.
      folds: its part in each official split of the data set, such as ("train", "test", ""); empty
        where the data set has but one.
      caption: a sentence about it.
    """

    path: str
    name: str
    start: float = 0.0
    end: float | None = None
    labels: tuple[str, ...] = ()
    split: str = ""
    folds: tuple[str, ...] = ()
    caption: str | None = None


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The clips of a data set.

    Attributes:
      clips: those that are on disk.
      classes: machine names of all classes, sorted, also of those that nothing is on disk of; a
        label's index is its place here.
      missing: names of clips that the data set lists and that are not on disk.
      streams: what its clips are used for, of `records.STREAMS`.
      multi_label: whether a clip may have several labels.
      class_texts: names of the classes as people read them; empty: the machine names.
      found: what was found on disk beside the clips.
      decision: where splits and classes come from, a sentence for people; empty: from the data
        set's own lists.
    """

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    missing: tuple[str, ...] = ()
    streams: str = "both"
    multi_label: bool = False
    class_texts: tuple[str, ...] = ()
    found: Found = NOTHING
    decision: str = ""

    def text_of(self, name: str) -> str:
        """The name of a class as people read it."""
        return self.class_texts[self.classes.index(name)] if self.class_texts else name

    def without_labels(self) -> "Catalog":
        """The same clips for training alone."""
        clips = tuple(dataclasses.replace(clip, labels=()) for clip in self.clips)
        return dataclasses.replace(self, clips=clips, classes=(), multi_label=False, class_texts=())


def split_of(name: str) -> str:
    """The split that people mean by a name, such as Train_set or dev; empty if it is none's."""
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))
    found = _OF_SPLIT.fullmatch(letters)
    return SPLIT_NAMES.get(found[1], "") if found else ""


def composed(text: str) -> str:
    """A name in Unicode's composed form (NFC), in which names are compared and stored.

    Some systems write an accented letter as a letter and an accent, which reads the same.
    """
    return unicodedata.normalize("NFC", text)


def of_clips(clips: Iterable[Clip], found: Found = NOTHING, decision: str = "") -> Catalog:
    """A catalog of clips whose labels are all the classes there are; see `Catalog`."""
    clips = tuple(clips)
    classes = tuple(classes_of(clips))
    return Catalog(clips, classes, found=found, decision=f"{decision}; classes: {len(classes)}.")


def draw_test_split(clips: Iterable[Clip], fraction: float, seed: int) -> list[Clip]:
    """Puts round(fraction x videos) videos into the test split and the others into train.

    The draw is by video, so that all clips of one video are on one side, and a function of the seed
    and the names alone.
    """
    check_test_fraction(fraction)
    clips = list(clips)
    videos = sorted({clip.name for clip in clips}, key=lambda name: draw_key(name, seed))
    # One video at least is left to train on.
    count = min(math.floor(fraction * len(videos) + 0.5), len(videos) - 1)
    drawn = set(videos[:count])
    return [
        dataclasses.replace(clip, split=TEST if clip.name in drawn else TRAIN) for clip in clips
    ]


def draw_key(name: str, seed: int) -> bytes:
    """A stable random number of a name and a seed, to sort by."""
    return hashlib.sha256(f"{seed}:{composed(name)}".encode("utf-8", "surrogateescape")).digest()


def classes_of(clips: Iterable[Clip]) -> list[str]:
    """Names of all classes, sorted; a label's index is its place here."""
    return sorted({label for clip in clips for label in clip.labels})
