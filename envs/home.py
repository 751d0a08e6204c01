"""The way home between two attempts: let go, rise, travel, arrive."""

from collections.abc import Iterator, Sequence

import numpy as np

from assets.robots import kinematics
from assets.robots.station import ARM_BASE_IN_WORLD
from envs import spec
from envs.control import arm_from_rad, arm_to_rad

RISE_M = 0.15
OPEN_STEPS, RISE_STEPS, SETTLE_STEPS = 12, 24, 8
TRAVEL_RAD_S = 1.2
MAX_RISE_RAD = 1.0  # a posture farther off is another branch of the arm: swinging over to it is no way to rise


def homing_actions(state: np.ndarray, home_rad: Sequence[float], rest_opening: Sequence[float]) -> Iterator[np.ndarray]:
    """Actions (13,) from the measured `state` (13,) to `home_rad` (7,) with the hand opened to `rest_opening` (6,)."""
    here = arm_to_rad(state[spec.ARM])
    home = np.asarray(home_rad, dtype=float)
    opened = np.asarray(rest_opening, dtype=float)
    for i in range(OPEN_STEPS):
        share = (i + 1) / OPEN_STEPS
        yield joined(here, state[spec.HAND] * (1 - share) + opened * share)
    above = raised(here)
    travel = max(10, int(np.ceil(np.abs(home - above).max() / TRAVEL_RAD_S * spec.CONTROL_HZ)))
    for start, end, steps in ((here, above, RISE_STEPS), (above, home, travel)):
        for i in range(steps):
            share = (i + 1) / steps
            share = share * share * (3 - 2 * share)
            yield joined(start + share * (end - start), opened)
    for _ in range(SETTLE_STEPS):
        yield joined(home, opened)


def raised(here: np.ndarray) -> np.ndarray:
    """The posture nearest to `here` with the flange higher by as much of RISE_M as the arm can reach."""
    flange = kinematics.forward(here)
    up = ARM_BASE_IN_WORLD[:3, :3].T @ np.array([0.0, 0.0, 1.0])
    for height in (RISE_M, RISE_M / 2, RISE_M / 4):
        goal = flange.copy()
        goal[:3, 3] += height * up
        found = kinematics.inverse(goal)
        change = np.abs(found - here).max(axis=1)
        if len(found) and change.min() <= MAX_RISE_RAD:
            return found[change.argmin()]
    return here


def joined(arm_rad: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """The action (13,) for joint angles (7,) and openings (6,)."""
    return np.concatenate([arm_from_rad(arm_rad), np.clip(opening, 0.0, 1.0)])
