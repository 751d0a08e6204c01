"""The way of a held object into the tray, and the way home from there; and where things lie in the end."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from assets.robots.furniture import TABLE_X, TRAY_DEPTH_M, TRAY_X, TRAY_Y
from assets.robots.rm75 import POSES
from envs import spec
from envs.home import RISE_STEPS, SETTLE_STEPS, joined, raised

CARRY_RAD_S, RETREAT_RAD_S = 0.8, 1.2  # of the fastest joint, on average; the published 5 rad/s are beyond the drives
LEAST_STEPS = 10
# The published hand is opened without a wait; a thing that still sticks to it would be dragged out of the tray.
OPEN_STEPS, LET_GO_STEPS = 8, 12
FALLEN_M = 0.02  # with its origin so far below the table's top a thing does not stand on it


def placing_actions(
    arm_rad: np.ndarray, grip: np.ndarray, home_rad: Sequence[float], rest_opening: Sequence[float]
) -> Iterator[np.ndarray]:
    """Actions (13,): rise, carry to the published placement pose, open, and by the published retreat home.

    arm_rad: (7,) commanded posture now; grip: (6,) commanded openings, kept until the hand is over the tray.
    """
    opened, over_tray = np.asarray(rest_opening, dtype=float), POSES["placement"]
    above = raised(arm_rad)
    yield from _line(arm_rad, above, grip, RISE_STEPS)
    yield from _line(above, over_tray, grip, _steps(above, over_tray, CARRY_RAD_S))
    for i in range(OPEN_STEPS + LET_GO_STEPS):
        share = min(1.0, (i + 1) / OPEN_STEPS)
        yield joined(over_tray, grip * (1 - share) + opened * share)
    way = (over_tray, POSES["return_medium"], np.asarray(home_rad, dtype=float))
    for start, end in itertools.pairwise(way):
        yield from _line(start, end, opened, _steps(start, end, RETREAT_RAD_S))
    for _ in range(SETTLE_STEPS):
        yield joined(way[-1], opened)


def _steps(start: np.ndarray, end: np.ndarray, speed_rad_s: float) -> int:
    return max(LEAST_STEPS, int(np.ceil(np.abs(end - start).max() / speed_rad_s * spec.CONTROL_HZ)))


def _line(start: np.ndarray, end: np.ndarray, opening: np.ndarray, steps: int) -> Iterator[np.ndarray]:
    for i in range(steps):
        share = (i + 1) / steps
        yield joined(start + share * share * (3 - 2 * share) * (end - start), opening)


def off_table(position: np.ndarray) -> bool:
    """Whether an object with its origin there (3,) is no longer on the table: in the tray, on its rim, or fallen."""
    return bool(position[0] < TABLE_X[0] or position[2] < -FALLEN_M)


def in_tray(position: np.ndarray) -> bool:
    """Whether an object with its origin there (3,) lies in the tray."""
    x, y, z = position
    return bool(TRAY_X[0] < x < TRAY_X[1] and TRAY_Y[0] < y < TRAY_Y[1] and -TRAY_DEPTH_M < z < 0.0)
