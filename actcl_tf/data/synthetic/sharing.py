"""What audio and video of the built-in data have in common, and how often an object is recorded.

Two knobs of the argument for active sampling: what can be learnt at all (the causes that are seen
*and* heard), and how redundant the clips are (takes of one object differ as clips of one long video
do).
"""

import dataclasses

import numpy as np

from actcl_tf.data.synthetic import scene

# Group of causes -> the fields of `scene.Causes` in it. The category is always shared.
GROUPS = {
    "pitch": ("base_height", "travel", "hop_heights"),  # Bend the tone up and down.
    "beats": ("period", "phase", "hop_times"),
    "size": ("radius",),  # A large object sounds low.
}
_OTHER_STREAM = 2


def shared_groups(choice: str) -> tuple[str, ...]:
    """The groups that are shared besides the category.

    Args:
      choice: "category", "all", or "category+" and groups joined by "+".

    Raises:
      ValueError: it is something else.
    """
    if choice == "all":
        return tuple(GROUPS)
    first, *groups = choice.split("+")
    if first != "category" or len(set(groups)) < len(groups) or not set(groups) <= set(GROUPS):
        raise ValueError(f"{choice!r}")
    return tuple(groups)


def draw_other(seed: int, split: str, index: int, category: str, seconds: float) -> scene.Causes:
    """Draws the causes of another object of the same category, as those of a clip are drawn.

    Args:
      seed, split, index, category: of the clip.
      seconds: length of the clip.
    """
    rng = np.random.default_rng([seed, index, _OTHER_STREAM, *split.encode()])
    # From a seed that no data set has.
    return scene.draw_causes(int(rng.integers(2**40, 2**41)), split, index, category, seconds)


def share(seen: scene.Causes, other: scene.Causes, choice: str) -> scene.Causes:
    """The causes of a clip's audio: those of its video where shared, and another's.

    Args:
      seen: causes of the video.
      other: of the same category.
      choice: what is shared, see `shared_groups`.
    """
    kept = {name: getattr(seen, name) for group in shared_groups(choice) for name in GROUPS[group]}
    heard = dataclasses.replace(other, **kept)
    # A height for each hop, whoever's the beats and the heights are.
    heights = np.resize(heard.hop_heights, len(heard.hop_times))
    return dataclasses.replace(heard, hop_heights=tuple(heights.tolist()))


def retake(
    causes: scene.Causes, nuisance: scene.Nuisance, rng: np.random.Generator, seconds: float
) -> tuple[scene.Causes, scene.Nuisance]:
    """Another clip of the same recording: later in time, with new noise and a little less gain.

    Args:
      causes, nuisance: of the object's first take.
      rng: what the clip is drawn from.
      seconds: length of the clip.

    Returns:
      The same size, rhythm, colours and background, and the same heights but for a hop, whose
      places differ each time; the phase, the uneven beats of a hop, the noise and the camera's
      shake are new, and places and gain move by a little.
    """
    later = dataclasses.replace(causes, phase=rng.uniform())
    if causes.motion == "hop":
        hops = scene.draw_hops(rng, causes.radius, causes.period, later.phase, seconds)
        later = dataclasses.replace(
            later,
            hop_times=hops[0],
            hop_heights=hops[1],
            base_height=min(hops[1]),
            travel=max(hops[1]) - min(hops[1]),
        )
    return later, dataclasses.replace(
        nuisance,
        seed=int(rng.integers(2**31)),
        x_center=nuisance.x_center + rng.uniform(-0.02, 0.02),
        x_phase=rng.uniform(),
        gain_db=nuisance.gain_db + rng.uniform(-1.0, 0.0),
    )
