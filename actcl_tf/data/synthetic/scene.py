"""Scenes of the built-in data set: what causes video and audio, and what is nuisance.

A scene is one sounding object. Its `Causes` (motion, material, build, size, rhythm, height) show in
the video *and* in the audio; its `Nuisance` (colours, background, shake, noise, gain ...) comes
from another random stream and says nothing about the causes. `state` gives the object's course at
any times, and both video and audio are made from it, so that they agree by construction.

Units: lengths and positions are shares of the frame's side, heights grow upwards from the lower
edge, times are seconds from the first frame.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from actcl_tf.data.synthetic import categories

MIN_RADIUS = 0.15
MAX_RADIUS = 0.32
# Pitch of the smallest object at mid height, and how fast it falls with the radius: 2.2 octaves
# from the smallest object to the largest.
TOP_PITCH = 1100.0
PITCH_EXPONENT = 2.0
# Octaves that the tone rises when the object rises by the height of the frame.
BEND_OCTAVES = 1.25
# Seconds of events before the first frame, so that what sounded just before still rings.
_LEAD_SECONDS = 2.0
_PERIODS = {"bounce": (0.35, 0.90), "hop": (0.28, 0.60), "spin": (0.42, 1.20), "swing": (0.7, 1.6)}
_BACKGROUNDS = ("checks", "clouds", "plain", "spots", "stripes")
# One number a random stream: a clip's streams share the seed, the split and the index only.
_CAUSE_STREAM, _NUISANCE_STREAM = 0, 1


@dataclasses.dataclass(frozen=True)
class Causes:
    """What is both seen and heard.

    Attributes:
      motion: one of `categories.MOTIONS`.
      material: one of `categories.MATERIALS`.
      radius: radius of the object, MIN_RADIUS to MAX_RADIUS.
      period: seconds between impacts (bounce), hops on average (hop), of a turn (spin) or of a
        swing there and back.
      phase: 0 to 1, share of the period gone at time 0.
      base_height: lowest height of the object's centre; its mean height for a spin.
      travel: highest less lowest height of the centre; 0 for a spin.
      hop_times: [E] seconds of the hops, rising, from before time 0; empty for other motions.
      hop_heights: [E] height of the centre after each hop.
      build: one of `categories.BUILDS`.
    """

    motion: str
    material: str
    radius: float
    period: float
    phase: float
    base_height: float
    travel: float
    hop_times: tuple[float, ...] = ()
    hop_heights: tuple[float, ...] = ()
    build: str = categories.BUILDS[0]

    @property
    def pitch(self) -> float:
        """Pitch in Hz at mid height: it falls as the object grows."""
        return TOP_PITCH * (MIN_RADIUS / self.radius) ** PITCH_EXPONENT


@dataclasses.dataclass(frozen=True)
class Nuisance:
    """What varies without meaning; drawn without knowing the category.

    Attributes:
      seed: seed of the noise fields in video and audio.
      background: kind of the background's texture.
      background_colors, object_colors: two RGB colours each, 0 to 1.
      outline: grey level of the outline and of the mark, 0 or 1.
      x_center: mean horizontal position of the object.
      x_reach: how far its horizontal path goes to either side.
      x_phase: 0 to 1, phase of the horizontal path.
      orientation: angle of the mark in radians for all motions but the spin.
      spin_direction: 1 clockwise, -1 anticlockwise.
      shake: standard deviation of the camera's shake.
      video_noise: standard deviation of the sensor's noise, of a range of 1.
      audio_noise_db: level of the background noise against the object's voice.
      audio_noise_tilt: spectral slope of that noise: power falls as frequency ** -tilt.
      gain_db: level of the whole audio; 0 is the loudest.
    """

    seed: int
    background: str
    background_colors: tuple[tuple[float, ...], tuple[float, ...]]
    object_colors: tuple[tuple[float, ...], tuple[float, ...]]
    outline: float
    x_center: float
    x_reach: float
    x_phase: float
    orientation: float
    spin_direction: int
    shake: float
    video_noise: float
    audio_noise_db: float
    audio_noise_tilt: float
    gain_db: float


class State(NamedTuple):
    """The object's course; every array is [n] float64, one value a time.

    Attributes:
      x: horizontal position of the centre, from the left edge.
      height: height of the centre, from the lower edge.
      angle: direction of the mark in radians, clockwise from straight up.
      stretch: vertical stretch; below 1 just after an impact (the width grows to match).
    """

    x: np.ndarray
    height: np.ndarray
    angle: np.ndarray
    stretch: np.ndarray


def _generator(seed: int, split: str, index: int, stream: int) -> np.random.Generator:
    # The split's name is part of the seed, so that train and test share no scene.
    return np.random.default_rng([seed, index, stream, *split.encode()])


def draw_causes(seed: int, split: str, index: int, category: str, seconds: float) -> Causes:
    """Draws the causes of one clip.

    Args:
      seed: seed of the data set, at least 0.
      split: name of the split.
      index: index of the clip within its split, at least 0.
      category: one of `categories.list_categories`.
      seconds: length of the clip; hops are drawn to its end.

    Returns:
      Causes: a function of the arguments only.
    """
    motion, material, build = categories.parts(category)
    rng = _generator(seed, split, index, _CAUSE_STREAM)
    radius = MIN_RADIUS * (MAX_RADIUS / MIN_RADIUS) ** rng.uniform()
    shortest, longest = _PERIODS[motion]
    period = shortest * (longest / shortest) ** rng.uniform()
    phase = rng.uniform()
    room = 1.0 - 2.0 * radius
    hop_times, hop_heights = (), ()
    if motion == "bounce":
        base_height = radius + rng.uniform(0.0, 0.15) * room
        travel = rng.uniform(0.45, 0.8) * room
    elif motion == "swing":
        travel = rng.uniform(0.5, 0.9) * room
        base_height = radius + rng.uniform(0.05, 0.95) * (room - travel)
    elif motion == "spin":
        travel = 0.0
        base_height = radius + rng.uniform(0.2, 0.8) * room
    else:
        hop_times, hop_heights = draw_hops(rng, radius, period, phase, seconds)
        base_height = min(hop_heights)
        travel = max(hop_heights) - base_height
    return Causes(
        motion=motion,
        material=material,
        radius=radius,
        period=period,
        phase=phase,
        base_height=base_height,
        travel=travel,
        hop_times=hop_times,
        hop_heights=hop_heights,
        build=build,
    )


def draw_hops(
    rng: np.random.Generator, radius: float, period: float, phase: float, seconds: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Draws times (uneven by a quarter either way) and heights (each hop clearly up or down)."""
    room = 1.0 - 2.0 * radius
    times, places = [-_LEAD_SECONDS - phase * period], [rng.uniform()]
    while times[-1] < seconds:
        times.append(times[-1] + period * rng.uniform(0.75, 1.25))
        # Up to 0.75 of the room away from the last place, at least 0.25, and always inside.
        step = rng.uniform(0.25, 0.75)
        places.append((places[-1] + step) % 1.0)
    return tuple(times), tuple(radius + room * place for place in places)


def draw_nuisance(seed: int, split: str, index: int) -> Nuisance:
    """Draws what says nothing about the clip; the category is not even an argument.

    Args:
      seed: seed of the data set, at least 0.
      split: name of the split.
      index: index of the clip within its split, at least 0.

    Returns:
      Nuisance: from a random stream of its own.
    """
    rng = _generator(seed, split, index, _NUISANCE_STREAM)
    # The object is the brightest thing in the frame, in grey too: what it is can be learned in
    # minutes, and where it ends is never in doubt.
    background_level = rng.uniform(0.15, 0.4)
    object_level = rng.uniform(0.75, 0.9)
    accent_level = object_level - 0.4
    return Nuisance(
        seed=int(rng.integers(2**31)),
        background=str(rng.choice(_BACKGROUNDS)),
        background_colors=(
            _draw_color(rng, background_level - rng.uniform(0.0, 0.03), reach=0.08),
            _draw_color(rng, background_level + rng.uniform(0.0, 0.03), reach=0.08),
        ),
        object_colors=(_draw_color(rng, object_level), _draw_color(rng, accent_level)),
        outline=0.0,
        x_center=rng.uniform(0.38, 0.62),
        x_reach=rng.uniform(0.0, 0.12),
        x_phase=rng.uniform(),
        orientation=rng.uniform(-np.pi, np.pi),
        spin_direction=int(rng.choice((-1, 1))),
        shake=rng.uniform(0.0, 0.012),
        video_noise=rng.uniform(0.0, 0.02),
        audio_noise_db=rng.uniform(-40.0, -20.0),
        audio_noise_tilt=rng.uniform(0.0, 1.5),
        gain_db=rng.uniform(-12.0, 0.0),
    )


def _draw_color(rng: np.random.Generator, level: float, reach: float = 0.3) -> tuple[float, ...]:
    """Draws an RGB colour of mean `level` (0 to 1) and of any hue; `reach` sets its depth."""
    color = rng.uniform(-reach, reach, 3)
    return tuple(float(part) for part in np.clip(level + color - color.mean(), 0.0, 1.0))


def event_times(causes: Causes, seconds: float) -> np.ndarray:
    """Times of what is heard as a beat, in seconds.

    Args:
      causes: of the clip.
      seconds: length of the clip.

    Returns:
      [E] float64, rising, from some time before 0 to `seconds`: impacts of a bounce, hops, and
      the moments at which the mark of a spin points straight up; empty for a swing.
    """
    if causes.motion == "swing":
        return np.zeros(0)
    if causes.motion == "hop":
        return np.asarray(causes.hop_times)
    turns = np.arange(
        np.ceil(causes.phase - _LEAD_SECONDS / causes.period),
        np.floor(causes.phase + seconds / causes.period) + 1,
    )
    return (turns - causes.phase) * causes.period


def _since_event(causes: Causes, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the last event at or before each time, and the seconds gone since it."""
    events = event_times(causes, float(np.max(times, initial=0.0)))
    last = np.clip(np.searchsorted(events, times, side="right") - 1, 0, None)
    return last, times - events[last]


def state(causes: Causes, nuisance: Nuisance, times: np.ndarray) -> State:
    """The object's course.

    Args:
      causes: motion, size and rhythm.
      nuisance: horizontal path and orientation.
      times: [n] float64, seconds.

    Returns:
      State of [n] arrays.
    """
    turns = times / causes.period + causes.phase
    stretch = np.ones_like(times)
    angle = np.full_like(times, nuisance.orientation)
    wander = np.sin(2 * np.pi * (0.25 * times + nuisance.x_phase))
    x = nuisance.x_center + nuisance.x_reach * wander
    height = np.full_like(times, causes.base_height)
    if causes.motion == "bounce":
        part = turns % 1.0
        height = height + causes.travel * 4.0 * part * (1.0 - part)
        gap = np.minimum(part, 1.0 - part) * causes.period
        stretch = 1.0 - 0.3 * np.exp(-((gap / 0.05) ** 2))
    elif causes.motion == "swing":
        height = height + causes.travel * 0.5 * (1.0 - np.cos(2 * np.pi * turns))
    elif causes.motion == "spin":
        # The pivot is off the centre, so that a turn shows whatever the shape.
        angle = 2 * np.pi * turns * nuisance.spin_direction
        x = x + 0.3 * causes.radius * np.sin(angle)
        height = height + 0.3 * causes.radius * np.cos(angle)
    else:
        last, gone = _since_event(causes, times)
        height = np.asarray(causes.hop_heights)[last]
        # To a new place each time: which one follows from the hop's number and the nuisance.
        x = nuisance.x_center + nuisance.x_reach * np.sin(2.4 * last + 6.28 * nuisance.x_phase)
        stretch = 1.0 - 0.25 * np.exp(-gone / 0.06)
    return State(x, height, angle, stretch)


def pitch_contour(causes: Causes, height: np.ndarray) -> np.ndarray:
    """Pitch of the tone: set by the size, bent by the height.

    Args:
      causes: of the clip.
      height: [n] float64, height of the object's centre.

    Returns:
      [n] float64, Hz.
    """
    return causes.pitch * 2.0 ** (BEND_OCTAVES * (height - 0.5))


def loudness(causes: Causes, times: np.ndarray) -> np.ndarray:
    """Envelope of the voice, made by the motion.

    Args:
      causes: of the clip.
      times: [n] float64, seconds, rising.

    Returns:
      [n] float64, 0 to 1: struck at each impact (bounce), struck and held (hop), swelling once a
      turn (spin), even (swing).
    """
    if causes.motion == "swing":
        return np.ones_like(times)
    if causes.motion == "spin":
        beat = 0.5 + 0.5 * np.cos(2 * np.pi * (times / causes.period + causes.phase))
        return 0.06 + 0.94 * beat**2
    _, gone = _since_event(causes, times)
    attack = np.clip(gone / 0.004, 0.0, 1.0)
    if causes.motion == "bounce":
        return attack * np.exp(-gone / (0.25 * causes.period))
    return attack * (0.4 + 0.6 * np.exp(-gone / 0.08))
