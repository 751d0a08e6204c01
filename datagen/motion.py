"""Postures and smooth paths of the arm: inverse kinematics with a preference, and joint paths timed at 20 Hz."""

from collections.abc import Sequence

import numpy as np

from assets.robots import kinematics
from assets.robots.station import ARM_BASE_IN_WORLD, HAND_IN_FLANGE
from envs import spec

# Nearness of two postures: the wrist's turns cost less than the shoulder's.
JOINT_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 0.7, 0.7, 0.5])
SWIVEL_RAD = np.radians(45.0)  # elbow to the right and up, where reach and clearance are best
SWIVEL_WEIGHT = 0.6
SWIVELS = np.radians(np.arange(-10.0, 101.0, 5.0))

# The demonstrated motion stays well inside the drives: rad/s and rad/s^2 of the fastest joint.
CRUISE_RAD_S, ACCELERATION_RAD_S2 = 1.9, 7.0
SMOOTH_STEPS = 5  # length of the moving average that rounds the corners of a path, in control steps

_WORLD_TO_BASE = np.linalg.inv(ARM_BASE_IN_WORLD)
_HAND_TO_FLANGE = np.linalg.inv(HAND_IN_FLANGE)


def hand_pose(arm_rad: np.ndarray) -> np.ndarray:
    """Pose (4, 4) of the hand frame in world for joint angles (7,)."""
    return ARM_BASE_IN_WORLD @ kinematics.forward(arm_rad) @ HAND_IN_FLANGE


def postures(hand_in_world: np.ndarray, swivels: np.ndarray = SWIVELS) -> np.ndarray:
    """All joint angles (K, 7) that put the hand frame at a pose (4, 4) in world; (0, 7) if out of reach."""
    return kinematics.inverse(_WORLD_TO_BASE @ hand_in_world @ _HAND_TO_FLANGE, swivels)


def ranked_postures(hand_in_world: np.ndarray, near_rad: np.ndarray, turned_over_cost: float = 0.0) -> np.ndarray:
    """The postures (K, 7) of a hand pose, best first: near `near_rad` and with the elbow at its favourite swivel.

    turned_over_cost: of a posture beyond the wrist's singularity (joint 6 below zero), in weighted rad.
    """
    found = postures(hand_in_world)
    if len(found) == 0:
        return found
    distance = np.linalg.norm((found - near_rad) * JOINT_WEIGHTS, axis=1)
    off = np.abs(swivel_angles(found) - SWIVEL_RAD)
    turned_over = turned_over_cost * (found[:, 5] < 0.0)
    return found[np.argsort(distance + SWIVEL_WEIGHT * off + turned_over, kind="stable")]


def swivel_angles(arm_rad: np.ndarray) -> np.ndarray:
    """`kinematics.swivel_angle` (K,) of many postures (K, 7) at once."""
    (c1, c2, c3, c4), (s1, s2, s3, s4) = np.cos(arm_rad[:, :4]).T, np.sin(arm_rad[:, :4]).T
    upper = np.stack([c1 * s2, s1 * s2, c2], axis=1)
    # The forearm's direction, turned by joints 3 and 4, in the frame that joints 1 and 2 have turned.
    x, y, z = c3 * s4, s3 * s4, c4
    across = c2 * x + s2 * z
    fore = np.stack([c1 * across - s1 * y, s1 * across + c1 * y, c2 * z - s2 * x], axis=1)
    to_wrist = kinematics.UPPER_M * upper + kinematics.FORE_M * fore
    to_wrist /= np.linalg.norm(to_wrist, axis=1, keepdims=True)
    up = kinematics.UP_IN_BASE - (to_wrist @ kinematics.UP_IN_BASE)[:, None] * to_wrist
    # Neither the length of `up` nor that of what it is multiplied with matters: only their ratio is asked for.
    right = np.stack(
        [
            to_wrist[:, 1] * up[:, 2] - to_wrist[:, 2] * up[:, 1],
            to_wrist[:, 2] * up[:, 0] - to_wrist[:, 0] * up[:, 2],
            to_wrist[:, 0] * up[:, 1] - to_wrist[:, 1] * up[:, 0],
        ],
        axis=1,
    )
    return np.arctan2((upper * right).sum(axis=1), (upper * up).sum(axis=1))


def nearest_posture(hand_in_world: np.ndarray, near_rad: np.ndarray, max_jump_rad: float) -> np.ndarray | None:
    """The posture of a hand pose closest to `near_rad` (7,), or None if none lies within `max_jump_rad`."""
    swivel = kinematics.swivel_angle(near_rad)
    found = postures(hand_in_world, swivel + np.radians(np.arange(-20.0, 21.0, 4.0)))
    if len(found) == 0:
        return None
    best = found[np.linalg.norm((found - near_rad) * JOINT_WEIGHTS, axis=1).argmin()]
    return best if np.abs(best - near_rad).max() <= max_jump_rad else None


def follow_line(start_rad: np.ndarray, goals: Sequence[np.ndarray], max_jump_rad: float = 0.5) -> np.ndarray | None:
    """Postures (K, 7) along hand poses, each close to the one before; None where the arm cannot follow."""
    path, here = [], np.asarray(start_rad)
    for goal in goals:
        step = nearest_posture(goal, here, max_jump_rad)
        if step is None:
            return None
        path.append(step)
        here = step
    return np.array(path)


def duration_steps(waypoints: np.ndarray, least: int) -> int:
    """Control steps that a path (K, 7) takes within the speed and acceleration wished for, at least `least`."""
    length = np.abs(np.diff(waypoints, axis=0)).max(axis=1).sum()
    # A minimum-jerk profile peaks at 1.875 of its mean speed and at 5.77 of length / time^2.
    seconds = max(1.875 * length / CRUISE_RAD_S, np.sqrt(5.77 * length / ACCELERATION_RAD_S2))
    return max(least, int(np.ceil(seconds * spec.CONTROL_HZ)))


def timed(waypoints: np.ndarray, steps: int) -> np.ndarray:
    """Joint targets (steps, 7) along a path (K, 7): minimum jerk from rest to rest, corners rounded, ends exact."""
    distance = np.linalg.norm(np.diff(waypoints, axis=0) * JOINT_WEIGHTS, axis=1)
    along = np.concatenate([[0.0], np.cumsum(np.maximum(distance, 1e-9))])
    t = np.arange(1, steps + 1) / steps
    at = t**3 * (10 - 15 * t + 6 * t**2) * along[-1]
    rough = np.stack([np.interp(at, along, waypoints[:, j]) for j in range(spec.ARM_DOF)], axis=1)
    half = SMOOTH_STEPS // 2
    padded = np.concatenate([np.repeat(waypoints[:1], half, axis=0), rough, np.repeat(waypoints[-1:], half, axis=0)])
    kernel = np.ones(SMOOTH_STEPS) / SMOOTH_STEPS
    smooth = np.stack([np.convolve(padded[:, j], kernel, mode="valid") for j in range(spec.ARM_DOF)], axis=1)
    smooth[-1] = waypoints[-1]
    return smooth
