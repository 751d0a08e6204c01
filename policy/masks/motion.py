"""How a patch of the picture moved between two frames: sparse Lucas-Kanade flow and a similarity through it."""

from dataclasses import dataclass

import cv2
import numpy as np

_MOST_POINTS = 60
_SPACING_PX = 4
_WINDOW = (15, 15)
_LEVELS = 2
_BACK_AND_FORTH_PX = 1.0  # a point that does not find its way back was not followed
_INLIER_PX = 1.5
_SCALES = (0.85, 1.18)  # per frame; more is a wrong fit
_STILL_PX = 0.35

STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Motion:
    """A similarity (2, 3) that takes pixel positions of the last frame to the present one.

    points: how many were followed both ways; agreeing: the share of them that the similarity explains.
    """

    matrix: np.ndarray
    points: int
    agreeing: float

    @property
    def known(self) -> bool:
        """Whether enough points agree to believe it."""
        return self.points >= 4 and self.agreeing >= 0.35


UNKNOWN = Motion(STILL, 0, 0.0)


def estimate(before: np.ndarray, after: np.ndarray, where: np.ndarray) -> Motion:
    """The motion of the pixels `where` (h, w) uint8 between two grey crops (h, w) uint8 of the same place."""
    corners = cv2.goodFeaturesToTrack(before, _MOST_POINTS, 0.01, _SPACING_PX, mask=where, blockSize=5)
    if corners is None or len(corners) < 4:
        return UNKNOWN
    forth, seen, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, winSize=_WINDOW, maxLevel=_LEVELS)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, forth, None, winSize=_WINDOW, maxLevel=_LEVELS)
    detour = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = (seen.ravel() == 1) & (returned.ravel() == 1) & (detour < _BACK_AND_FORTH_PX)
    start, end = corners.reshape(-1, 2)[good], forth.reshape(-1, 2)[good]
    return _fit(start, end)


def _fit(start: np.ndarray, end: np.ndarray) -> Motion:
    count = len(start)
    if count < 4:
        return UNKNOWN
    shifts = np.linalg.norm(end - start, axis=1)
    still = float(np.mean(shifts < _STILL_PX))
    if still > 0.5:  # no drift from rounding while nothing moves
        return Motion(STILL, count, still)
    # Its random samples come from a generator with a fixed seed of its own.
    matrix, inliers = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX)
    agreeing = 0.0 if matrix is None else float(inliers.mean())
    if matrix is not None and _SCALES[0] <= np.hypot(matrix[0, 0], matrix[1, 0]) <= _SCALES[1]:
        return Motion(matrix, count, agreeing)
    shift = np.median(end - start, axis=0)
    agreeing = float(np.mean(np.linalg.norm(end - start - shift, axis=1) < _INLIER_PX))
    return Motion(np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]), count, agreeing)
