"""Box to first mask: GrabCut in a crop around the box."""

import cv2
import numpy as np

_MARGIN = 0.35  # of the box's size on each side: enough of the surroundings to know their colours
_MIN_MARGIN_PX = 12
_SLACK = 0.2  # of the box's size: how far the object may stick out of a box drawn too small
_MIN_SLACK_PX = 4
_PART_SHARE = 0.4
_MOST_PX = 240  # of a crop's longer side; larger ones are cut at a lower resolution, since the time grows with the area
_ROUNDS = 4
_LEAST_SHARE = 0.12  # of the box; GrabCut that leaves less took the object for background


def first_mask(head: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The object in `box`: (H, W, 3) uint8 RGB -> (H, W) uint8 of 0 and 1, never empty.

    An ellipse in the box where GrabCut finds nothing, as for an object of the table's own colour.
    """
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    margin = max(_MIN_MARGIN_PX, round(_MARGIN * side))
    height, width = head.shape[:2]
    left, top, right, bottom = (
        max(x0 - margin, 0),
        max(y0 - margin, 0),
        min(x1 + margin, width),
        min(y1 + margin, height),
    )
    crop = np.ascontiguousarray(head[top:bottom, left:right])
    inside = np.zeros(crop.shape[:2], np.uint8)
    inside[y0 - top : y1 - top, x0 - left : x1 - left] = 1
    slack = max(_MIN_SLACK_PX, round(_SLACK * side))
    reach = cv2.dilate(inside, np.ones((2 * slack + 1, 2 * slack + 1), np.uint8))
    step = -(-max(crop.shape[:2]) // _MOST_PX)
    cut = _grab_cut(*(np.ascontiguousarray(level[::step, ::step]) for level in (crop, inside, reach)))
    cut = cut.repeat(step, axis=0).repeat(step, axis=1)[: crop.shape[0], : crop.shape[1]]
    area = int(inside.sum())
    if int(cut.sum()) < _LEAST_SHARE * area:
        cut = _ellipse(inside)
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = cut
    return mask


def _grab_cut(crop: np.ndarray, inside: np.ndarray, reach: np.ndarray) -> np.ndarray:
    if reach.all():
        return inside  # the box is the picture: nothing is known to be background
    labels = np.where(inside == 1, cv2.GC_PR_FGD, np.where(reach == 1, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    # GrabCut starts its colour clusters from OpenCV's own generator and takes no other: the same picture and box
    # must give the same mask, whoever drew from it before.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(crop, labels, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return _central_parts(filled(cut), inside)


def _ellipse(inside: np.ndarray) -> np.ndarray:
    down, across = _from_middle(inside)
    return (down**2 + across**2 <= 1).astype(np.uint8)


def filled(mask: np.ndarray, largest_hole: float = 0.02) -> np.ndarray:
    """The mask with its small holes closed: those up to `largest_hole` of its area."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    limit = largest_hole * max(int(mask.sum()), 1)
    small = stats[:, cv2.CC_STAT_AREA] <= limit
    small[0] = False
    return np.where(small[labels], 1, mask).astype(np.uint8) if count > 1 and small.any() else mask


def _central_parts(mask: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The connected part that fills the middle of the box best, and others that come near it.

    A neighbour that a loose box takes in may be larger than the object, but not more central.
    """
    count, labels, _, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return mask
    down, across = _from_middle(inside)
    weights = np.exp(-2.0 * (down**2 + across**2))
    sums = np.bincount(labels.ravel(), weights=weights.ravel(), minlength=count)
    sums[0] = 0.0
    return (sums >= _PART_SHARE * sums.max())[labels].astype(np.uint8)


def _from_middle(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each row (h, 1) and column (1, w) lies from the middle of the box: 1 at its edges."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    y, x = np.ogrid[: inside.shape[0], : inside.shape[1]]
    half_height, half_width = len(rows) / 2, len(columns) / 2
    return (y + 0.5 - rows[0] - half_height) / half_height, (x + 0.5 - columns[0] - half_width) / half_width
