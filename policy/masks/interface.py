"""What every source of masks offers, and the checks that they share."""

import math
from abc import ABC, abstractmethod

import numpy as np

from envs.interface import DexClutterError, GraspEnv

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the head picture, x1 and y1 exclusive

MIN_BOX_PX = 4  # a narrower box holds no object that a hand could take


class MaskError(DexClutterError, ValueError):
    """A picture, a box, a name or a set of weights that cannot lead to a mask; the message says what was expected."""


class Tracker(ABC):
    """Follows one object through the pictures of the head camera, from the box that a planner drew around it.

    Call `begin` at the start of an attempt, `start` for each new box, then `track` once for each picture.
    One object serves many attempts, one after the other.
    """

    name: str
    privileged: tuple[str, ...] = ()  # what it reads beyond the picture, e.g. ("masks",)
    _size: tuple[int, int] | None = None  # (height, width) of the picture that `start` saw
    _lost: bool = True

    @property
    def lost(self) -> bool:
        """Whether the latest mask is empty because the target was not found. True before the first `start`."""
        return self._lost

    def begin(self, env: GraspEnv) -> None:
        """Start of an attempt: forget everything. Only a privileged tracker keeps `env`."""
        del env  # Unused: nothing is privileged here.
        self._size, self._lost = None, True

    def start(self, head: np.ndarray, box: Box) -> np.ndarray:
        """The first mask, (H, W) uint8 of 0 and 1, of the object in `box`.

        head: (H, W, 3) uint8 RGB. A box that hangs over the picture's edge is clipped.
        Raises MaskError for a picture of another shape or type, and for a box that is no box inside the picture.
        """
        check_picture(head)
        area = check_box(box, head.shape[1], head.shape[0])
        self._size = head.shape[:2]
        return self._found(self._start(head, area))

    def track(self, head: np.ndarray) -> np.ndarray:
        """The mask, (H, W) uint8 of 0 and 1, in the next picture; all zeros: lost, or hidden altogether.

        Raises MaskError before `start`, and for a picture of another size than the first.
        """
        check_picture(head)
        if self._size is None:
            raise MaskError(f"masks {self.name!r} have nothing to track: call start() with a box first")
        if head.shape[:2] != self._size:
            raise MaskError(
                f"tracking began on pictures of {_by(self._size)} pixels and goes on with {_by(head.shape)}: "
                "start() again after a change of size"
            )
        return self._found(self._track(head))

    @abstractmethod
    def _start(self, head: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """The first mask; `box` in whole pixels, inside the picture."""

    @abstractmethod
    def _track(self, head: np.ndarray) -> np.ndarray:
        """The next mask; the picture is checked."""

    def _found(self, mask: np.ndarray) -> np.ndarray:
        self._lost = not mask.any()
        return mask


def check_picture(head: np.ndarray) -> None:
    """Raises MaskError unless `head` is an (H, W, 3) uint8 picture."""
    if not isinstance(head, np.ndarray) or head.dtype != np.uint8 or head.ndim != 3 or head.shape[2] != 3:
        what = f"{head.dtype} of shape {head.shape}" if isinstance(head, np.ndarray) else type(head).__name__
        raise MaskError(f"a head picture is uint8 RGB of shape (height, width, 3); got {what}")


def check_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The box in whole pixels that cover it, clipped to the picture; raises MaskError when nothing sensible is left."""
    try:
        numbers = tuple(float(value) for value in box)
    except (TypeError, ValueError) as fault:
        raise MaskError(f"a box is four numbers x0, y0, x1, y1; got {box!r}") from fault
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise MaskError(f"a box is four finite numbers x0, y0, x1, y1; got {box!r}")
    x0, y0, x1, y1 = numbers
    if x1 <= x0 or y1 <= y0:
        raise MaskError(f"the box {numbers} ends before it begins: x0 < x1 and y0 < y1 are needed")
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), width), min(math.ceil(y1), height)
    if right - left < MIN_BOX_PX or bottom - top < MIN_BOX_PX:
        raise MaskError(
            f"the box {numbers} leaves {max(right - left, 0)}x{max(bottom - top, 0)} pixels of a picture of "
            f"{width}x{height}; at least {MIN_BOX_PX}x{MIN_BOX_PX} are needed (are its numbers in pixels?)"
        )
    return left, top, right, bottom


def box_of(mask: np.ndarray) -> Box | None:
    """The tight box around a mask (H, W), x1 and y1 exclusive; None when it is empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) == 0:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
