"""Video of the built-in data set: one object of its material's shape before a background."""

import numpy as np

from actcl_tf.data.synthetic import scene

# Wavelength of every texture. It is the same for all sizes: a large object shows more stripes,
# spikes or dots than a small one, so that its size can be told in a crop as well.
_GRAIN = 0.13
_SPIKE_WIDTH = 0.2
# Companions: their radius and distance from the centre, in radii of the object, and where they
# are, in radians clockwise from straight up whatever the object's turn.
_COMPANION_RADIUS, _COMPANION_DISTANCE = 0.4, 1.25
_COMPANION_PLACES = (-0.6, 0.6, -1.6, 1.6)
# The background is drawn with this margin, in pixels at 96, for the camera to shake in.
_MARGIN = 0.0625


def render_video(
    causes: scene.Causes, nuisance: scene.Nuisance, *, times: np.ndarray, size: int
) -> np.ndarray:
    """Renders the frames of a scene.

    Args:
      causes: what is seen and heard.
      nuisance: colours, background, shake and noise.
      times: [T] float64, seconds at which the frames are taken.
      size: height and width of the frames in pixels (H = W).

    Returns:
      [T, H, W, 3] uint8, RGB.
    """
    rng = np.random.default_rng([nuisance.seed, 0])
    course = scene.state(causes, nuisance, times)
    margin = int(np.ceil(_MARGIN * size))
    shake = _camera_path(rng, times, nuisance.shake)
    shake = np.clip(shake, -(margin - 1) / size, (margin - 1) / size)
    backdrop = _backdrop(rng, nuisance, size, margin)
    frames = _shift(backdrop, shake * size, size, margin)
    grid = ((np.arange(size) + 0.5) / size).astype(np.float32)
    right = grid[None, None, :] - (course.x + shake[:, 0]).astype(np.float32)[:, None, None]
    up = (1.0 - grid[None, :, None]) - (course.height - shake[:, 1]).astype(np.float32)[
        :, None, None
    ]
    stretch = course.stretch.astype(np.float32)[:, None, None]
    known = {"causes": causes, "nuisance": nuisance, "size": size}
    frames = _paint_companions(frames, right, up, **known)
    frames = _paint(frames, right * stretch, up / stretch, course.angle, **known)
    if nuisance.video_noise > 0:
        grain = rng.standard_normal(frames.shape[:3], dtype=np.float32)
        frames += (nuisance.video_noise * grain)[..., None]
    return (np.clip(frames, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _paint(
    frames: np.ndarray,
    right: np.ndarray,
    up: np.ndarray,
    angle: np.ndarray,
    causes: scene.Causes,
    nuisance: scene.Nuisance,
    size: int,
) -> np.ndarray:
    """Paints the object over the frames.

    Args:
      frames: [T, H, W, 3] float32, 0 to 1.
      right, up: [T, H, W] float32 (or broadcastable), place of each pixel from the centre.
      angle: [T] float64, direction of the mark, clockwise from up.
      causes: material and size.
      nuisance: colours.
      size: pixels a side, sets the width of soft edges.

    Returns:
      [T, H, W, 3] float32.
    """
    sine = np.sin(angle).astype(np.float32)[:, None, None]
    cosine = np.cos(angle).astype(np.float32)[:, None, None]
    along = right * sine + up * cosine
    across = right * cosine - up * sine
    edge = np.float32(1.3 / size)
    outside, texture = _material(causes, along, across)
    softness = np.float32(0.35 * causes.radius) if causes.material == "hiss" else edge
    cover = np.clip(0.5 - outside / softness, 0.0, 1.0)
    mark = np.clip((0.45 * along - np.abs(across)) / edge + 0.5, 0.0, 1.0)
    mark *= along > 0.3 * causes.radius
    mark *= along < 0.85 * causes.radius
    if causes.material in ("buzz", "wood"):
        rim = np.clip(0.5 + (outside + 2.0 * edge) / edge, 0.0, 1.0)
        mark = np.maximum(mark, rim)
    ink = np.float32(nuisance.outline)
    # A channel at a time: rows of pixels are long, three colours are not.
    for channel, (base, accent) in enumerate(zip(*nuisance.object_colors, strict=True)):
        paint = np.float32(base) + texture * np.float32(accent - base)
        paint += mark * (ink - paint)
        plane = frames[..., channel]
        plane += cover * (paint - plane)
    return frames


def _paint_companions(
    frames: np.ndarray,
    right: np.ndarray,
    up: np.ndarray,
    causes: scene.Causes,
    nuisance: scene.Nuisance,
    size: int,
) -> np.ndarray:
    """Paints the small discs around the object over the frames; arguments as of `_paint`."""
    edge = np.float32(1.3 / size)
    distance, radius = _COMPANION_DISTANCE * causes.radius, _COMPANION_RADIUS * causes.radius
    for has_companion, place in zip(causes.build, _COMPANION_PLACES, strict=True):
        if has_companion == "1":
            aside = right - np.float32(distance * np.sin(place))
            above = up - np.float32(distance * np.cos(place))
            outside = np.sqrt(aside**2 + above**2) - np.float32(radius)
            cover = np.clip(0.5 - outside / edge, 0.0, 1.0)[..., None]
            frames += cover * (np.asarray(nuisance.object_colors[0], np.float32) - frames)
    return frames


def _material(
    causes: scene.Causes, along: np.ndarray, across: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shape and texture of a material.

    Args:
      causes: material and size.
      along, across: [T, H, W] float32, place of each pixel along and across the mark's direction.

    Returns:
      outside: [T, H, W] float32, about the distance out of the shape, negative inside.
      texture: [T, H, W] float32, 0 for the base colour to 1 for the accent.
    """
    wave = np.float32(2 * np.pi / _GRAIN)
    radius = np.float32(causes.radius)
    if causes.material == "wood":
        outside = np.maximum(np.abs(along), np.abs(across)) - 0.886 * radius
        return outside, (np.cos(wave * across) > 0).astype(np.float32)
    distance = np.sqrt(along**2 + across**2)
    if causes.material == "bell":
        # A ring: what lies behind shows through it.
        outside = np.maximum(distance - radius, 0.5 * radius - distance)
        return outside, np.zeros_like(distance)
    if causes.material == "hiss":
        dots = np.cos(wave * along) * np.cos(wave * across)
        return distance - radius, np.clip(0.5 + 2.0 * dots, 0.0, 1.0)
    spikes = max(4, round(2 * np.pi * causes.radius / _SPIKE_WIDTH))
    boundary = radius * (0.85 + 0.3 * np.cos(spikes * np.arctan2(across, along)))
    return distance - boundary, np.zeros_like(distance)


def _camera_path(rng: np.random.Generator, times: np.ndarray, shake: float) -> np.ndarray:
    """Shake of the camera: [T, 2] float64, right and down, smoothed over three frames."""
    steps = rng.standard_normal((times.size + 2, 2))
    return shake * (steps[:-2] + steps[1:-1] + steps[2:]) / np.sqrt(3.0)


def _shift(backdrop: np.ndarray, offsets: np.ndarray, size: int, margin: int) -> np.ndarray:
    """Cuts frames out of the backdrop, moved by fractions of a pixel.

    Args:
      backdrop: [H + 2 margin, W + 2 margin, 3] float32.
      offsets: [T, 2] float64, pixels right and down, less than `margin`.
      size: H = W.
      margin: pixels around the frame.

    Returns:
      [T, H, W, 3] float32.
    """
    frames = np.empty((len(offsets), size, size, 3), np.float32)
    for frame, (right, down) in zip(frames, offsets, strict=True):
        column, row = margin - right, margin - down
        i, j = int(np.floor(row)), int(np.floor(column))
        v, u = np.float32(row - i), np.float32(column - j)
        part = backdrop[i : i + size + 1, j : j + size + 1]
        rows = part[:-1] * (1 - v) + part[1:] * v
        frame[...] = rows[:, :-1] * (1 - u) + rows[:, 1:] * u
    return frames


def _backdrop(
    rng: np.random.Generator, nuisance: scene.Nuisance, size: int, margin: int
) -> np.ndarray:
    """Draws the background: [size + 2 margin, size + 2 margin, 3] float32, 0 to 1."""
    grid = np.arange(size + 2 * margin, dtype=np.float32) / size
    y, x = grid[:, None], grid[None, :]
    turn = rng.uniform(0, np.pi)
    wave = np.float32(2 * np.pi * rng.uniform(2.0, 8.0))
    slope = (x * np.cos(turn) + y * np.sin(turn)).astype(np.float32)
    other = (y * np.cos(turn) - x * np.sin(turn)).astype(np.float32)
    if nuisance.background == "plain":
        mix = slope / 2.0
    elif nuisance.background == "stripes":
        mix = 0.5 + 0.5 * np.sin(wave * slope)
    elif nuisance.background == "checks":
        mix = (np.sin(wave * slope) * np.sin(wave * other) > 0).astype(np.float32)
    elif nuisance.background == "spots":
        places, radii = rng.uniform(0, 1.1, (6, 2)), rng.uniform(0.05, 0.2, 6)
        gaps = [
            (x - px) ** 2 + (y - py) ** 2 - r**2 for (px, py), r in zip(places, radii, strict=True)
        ]
        mix = np.clip(0.5 - np.min(gaps, axis=0) * 60.0, 0.0, 1.0)
    else:
        mix = np.zeros_like(slope)
        for _ in range(5):
            ways, shift = rng.normal(0.0, 9.0, 2), rng.uniform(0, 2 * np.pi)
            mix = mix + np.sin(x * ways[0] + y * ways[1] + shift) / 5.0
        mix = 0.5 + mix
    mix = np.clip(mix, 0.0, 1.0).astype(np.float32)[..., None]
    first, second = (np.asarray(color, np.float32) for color in nuisance.background_colors)
    return first + mix * (second - first)
