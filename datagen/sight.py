"""What must hold of the pictures of a demonstration: pure functions, "" or a sentence that says what is wrong."""

from collections.abc import Iterable, Sequence

import numpy as np

from envs import spec

MIN_VISIBLE_PX = 200  # of a picture of 640x480
MIN_PSNR_DB = 30.0  # of a picture that another driver has drawn
# The same picture, twice compressed as JPEG of the same quality: equal, but for the rounding of another decoder.
MIN_JPEG_PSNR_DB = 40.0
EQUAL_DB = float("inf")
MASK_TOLERANCE = 0.02  # share of pixels that another driver may give to the target's neighbour


def bounds(mask: np.ndarray) -> np.ndarray:
    """The box (4,) x0 y0 x1 y1 in pixels around a mask (H, W), x1 and y1 exclusive; -1 four times when it is empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) == 0:
        return np.full(4, -1.0, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def box_fault(masks: Iterable[np.ndarray], boxes: np.ndarray) -> str:
    """Masks hold only 0 and 1, and each box (4,) bounds its mask (H, W)."""
    for step, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
        if mask.max(initial=0) > 1:
            return f"obs/mask holds {int(mask.max())} at step {step}, should be 0 or 1"
        if not np.array_equal(bounds(mask), box):
            return f"obs/box at step {step} is {_numbers(box)}, the mask's bounds are {_numbers(bounds(mask))}"
    return ""


def target_hidden(mask: np.ndarray) -> str:
    """At the first step the head camera sees enough of the target. mask: (H, W)."""
    seen, least = int(np.count_nonzero(mask)), least_visible_px(mask.shape)
    return (
        ""
        if seen >= least
        else f"{seen} pixels of the target are visible at the first step, at least {least:.0f} wanted"
    )


def least_visible_px(shape: Sequence[int]) -> float:
    """How many pixels of the target a picture of this (height, width) must show."""
    return MIN_VISIBLE_PX * shape[0] * shape[1] / (spec.IMAGE_SIZE[0] * spec.IMAGE_SIZE[1])


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio of two pictures of the same shape, uint8; inf when they are equal."""
    error = np.mean((a.astype(float) - b) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def frame_fault(camera: str, step: int, recorded: np.ndarray, redrawn: np.ndarray, least_db: float) -> str:
    """A recorded picture is what the stored state shows: to the bit if `least_db` is EQUAL_DB, else nearly."""
    if recorded.shape != redrawn.shape:
        return f"obs/{camera} at step {step} has shape {recorded.shape}, drawn again {redrawn.shape}"
    quality = psnr_db(recorded, redrawn)
    if quality >= least_db:
        return ""
    wanted = "should be equal" if least_db == EQUAL_DB else f"at least {least_db:g} wanted"
    return f"obs/{camera} at step {step} is not what its state shows ({quality:.1f} dB, {wanted})"


def mask_fault(step: int, recorded: np.ndarray, redrawn: np.ndarray, exact: bool) -> str:
    """A recorded mask covers the pixels in which the stored state shows the target."""
    if recorded.shape != redrawn.shape:
        return f"obs/mask at step {step} has shape {recorded.shape}, drawn again {redrawn.shape}"
    wrong = int(np.count_nonzero(recorded != redrawn))
    union = int(np.count_nonzero(recorded | redrawn))
    if wrong == 0 or (not exact and wrong <= MASK_TOLERANCE * union):
        return ""
    return f"obs/mask at step {step} differs from the target's pixels in {wrong} of {union}"


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:g}" for v in values) + ")"
