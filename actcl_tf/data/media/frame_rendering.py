"""Decoded frames -> small upright RGB images, the colours as a player would show them.

What a video says about itself is honoured: its matrix and range (where it says nothing, BT.601 up
to 576 lines and BT.709 above, and limited range, as players guess), the shape of its pixels, its
rotation, and high dynamic range (see `tone_mapping`). What is transparent lies over black.
"""

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actcl_tf.data.media import tone_mapping

# Matrices as FFmpeg's scaler numbers them.
_BT601, _BT709 = 5, 1
# The same, by ITU-T H.273's numbers.
_MATRICES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}
_LIMITED, _FULL = 1, 2
# Since PyAV 17 the scaler starts a thread a core unless told; shards keep the cores busy.
_ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
# Display matrices by degrees counterclockwise.
_ROTATIONS = {
    90: np.array([[0, -1], [1, 0]]),
    180: np.array([[-1, 0], [0, -1]]),
    270: np.array([[0, 1], [-1, 0]]),
}
_SMALL_HEIGHT, _SMALL_WIDTH = 576, 1024  # Of standard definition.


class Renderer:
    """Renders the frames of one video, all in the size that follows from the first."""

    def __init__(self, stream: av.VideoStream, short_side: int):
        """Takes the stream.

        Args:
          stream: that the frames are decoded from.
          short_side: of the images, pixels; smaller videos keep their size.
        """
        self.size: tuple[int, int] | None = None  # Height and width of the images.
        self._codec = stream.codec_context
        self._pixel_aspect = float(stream.sample_aspect_ratio or 1)
        self._short_side = short_side
        # One for all frames: making a scaler costs five times as much as using it.
        self._scaler = VideoReformatter()

    def measure(self, frame: av.VideoFrame) -> None:
        """Finds the size of the images, without rendering one."""
        if self.size is None:
            display = self._display_size(frame)
            scale = min(1.0, self._short_side / min(display))
            self.size = tuple(max(1, round(side * scale)) for side in display)

    def render(self, frame: av.VideoFrame) -> np.ndarray:
        """Renders a frame.

        Returns:
          [H, W, 3] uint8, RGB.
        """
        self.measure(frame)
        matrix = display_matrix(frame)
        height, width = self.size[::-1] if swaps_sides(matrix) else self.size
        transfer = self._codec.color_trc
        if transfer in tone_mapping.TRANSFERS:
            wide = self._scale(frame, width, height, "rgb48le")
            image = tone_mapping.to_standard_range(wide, transfer, self._codec.color_primaries)
        elif any(component.is_alpha for component in frame.format.components):
            image = over_black(self._scale(frame, width, height, "rgba"))
        else:
            image = self._scale(frame, width, height, "rgb24")
        return np.ascontiguousarray(orient(image, matrix))

    def _scale(self, frame: av.VideoFrame, width: int, height: int, pixels: str) -> np.ndarray:
        matrix, value_range = _colours(frame)
        image = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=pixels,
            interpolation="AREA",
            src_colorspace=matrix,
            # RGB has no matrix, but PyAV 15 ignores the source's if it is the target's.
            dst_colorspace=_BT709 if matrix == _BT601 else _BT601,
            src_color_range=value_range,
            dst_color_range=_FULL,
            **_ONE_THREAD,
        )
        return image.to_ndarray()

    def _display_size(self, frame: av.VideoFrame) -> tuple[float, float]:
        height, width = frame.height, frame.width * self._pixel_aspect
        return (width, height) if swaps_sides(display_matrix(frame)) else (height, width)


def _colours(frame: av.VideoFrame) -> tuple[int, int]:
    """Matrix and range of a frame's values, as FFmpeg's scaler numbers them."""
    is_small = frame.height <= _SMALL_HEIGHT and frame.width <= _SMALL_WIDTH
    matrix = _MATRICES.get(frame.colorspace, _BT601 if is_small else _BT709)
    is_full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    return matrix, _FULL if is_full else _LIMITED


def over_black(image: np.ndarray) -> np.ndarray:
    """Lays an image [H, W, 4] uint8, RGBA, over black; returns [H, W, 3] uint8."""
    color, alpha = image[..., :3].astype(np.uint16), image[..., 3:].astype(np.uint16)
    return ((color * alpha + 127) // 255).astype(np.uint8)


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The frame's 2x2 display matrix (rows: images of the x axis, of the y axis), if it has one."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # Beside it lies a kind of data, such as EXIF, that PyAV has no name for.
        return _ROTATIONS.get(frame.rotation % 360)
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def swaps_sides(matrix: np.ndarray | None) -> bool:
    """Whether a display matrix makes rows of columns."""
    return matrix is not None and abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))


def orient(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turns and mirrors an image [H, W, 3] the way its display matrix says.

    The matrix maps a point (x, y) to (a x + c y, b x + d y), y pointing down; only multiples of a
    right angle are honoured.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix
    if swaps_sides(matrix):
        image = image.transpose(1, 0, 2)
        a, d = c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
