"""Closed-form kinematics of the RM75 arm in pure numpy: forward, all inverse solutions, swivel angle.

The chain is R = Rz(q1) Ry(q2) Rz(q3) Ry(q4) Rz(q5) Ry(q6) Rz(q7): a spherical shoulder, a hinge elbow and a
spherical wrist. For a fixed flange pose the elbow may swivel about the line from shoulder to wrist; every swivel
angle gives at most eight postures (sign of elbow, shoulder and wrist), and joint 7 may add whole turns.
"""

import numpy as np

from assets.robots.rm75 import DH_D_M, JOINT_LIMITS_RAD

BASE_M, UPPER_M, FORE_M, TOOL_M = DH_D_M[0], DH_D_M[2], DH_D_M[4], DH_D_M[6]
SHOULDER_IN_BASE = np.array([0.0, 0.0, BASE_M])

# World "up" seen from the right arm's base on the station (its z axis leans 30 deg outward). Swivel angles are
# counted from here; a positive angle carries the elbow to the robot's right.
UP_IN_BASE = np.array([0.5, 0.0, np.sqrt(0.75)])

_MAX_TURNS = 1  # joint 7 spans +-2 pi
_TOLERANCE_RAD = 1e-9


def _rz(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _ry(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def forward(q: np.ndarray) -> np.ndarray:
    """Flange pose (4, 4) in the arm base frame of joint angles (7,) rad."""
    q1, q2, q3, q4, q5, q6, q7 = np.asarray(q, dtype=float)
    shoulder = _rz(q1) @ _ry(q2)
    elbow = shoulder @ _rz(q3) @ _ry(q4)
    wrist = elbow @ _rz(q5) @ _ry(q6)
    pose = np.eye(4)
    pose[:3, :3] = wrist @ _rz(q7)
    pose[:3, 3] = SHOULDER_IN_BASE + UPPER_M * shoulder[:, 2] + FORE_M * elbow[:, 2] + TOOL_M * wrist[:, 2]
    return pose


def _swivel_frame(to_wrist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (up, right) (3,) normal to the shoulder-wrist line; swivel 0 puts the elbow on `up`."""
    up = UP_IN_BASE - (UP_IN_BASE @ to_wrist) * to_wrist
    length = np.linalg.norm(up)
    if length < 1e-9:  # the arm points straight up: any reference will do, as long as it is always the same
        up = np.array([1.0, 0.0, 0.0]) - to_wrist[0] * to_wrist
        length = np.linalg.norm(up)
    up /= length
    return up, np.cross(to_wrist, up)


def swivel_angle(q: np.ndarray) -> float:
    """Angle of the elbow about the shoulder-wrist line, rad in (-pi, pi], 0 = up, positive = robot's right."""
    q1, q2, q3, q4 = np.asarray(q, dtype=float)[:4]
    shoulder = _rz(q1) @ _ry(q2)
    upper = shoulder[:, 2]
    to_wrist = UPPER_M * upper + FORE_M * (shoulder @ _rz(q3) @ _ry(q4))[:, 2]
    up, right = _swivel_frame(to_wrist / np.linalg.norm(to_wrist))
    return float(np.arctan2(upper @ right, upper @ up))


def inverse(flange_in_base: np.ndarray, swivels: int | np.ndarray = 36) -> np.ndarray:
    """All joint solutions (K, 7) rad inside the limits for a flange pose (4, 4); (0, 7) when there is none.

    swivels: a number of equally spaced swivel angles, or an array of the angles (rad) to try.
    """
    pose = np.asarray(flange_in_base, dtype=float)
    rotation = pose[:3, :3]
    to_wrist = pose[:3, 3] - TOOL_M * rotation[:, 2] - SHOULDER_IN_BASE
    distance = np.linalg.norm(to_wrist)
    cos_elbow = (distance**2 - UPPER_M**2 - FORE_M**2) / (2 * UPPER_M * FORE_M)
    # A stretched arm lands a rounding error outside the sphere: clip that, refuse the rest.
    if abs(cos_elbow) > 1.0 + 1e-12 or distance < 1e-9:
        return np.empty((0, 7))
    bend = np.arccos(np.clip(cos_elbow, -1.0, 1.0))
    angles = np.linspace(-np.pi, np.pi, swivels, endpoint=False) if np.isscalar(swivels) else np.asarray(swivels)
    upper_arm = _upper_arm_frames(to_wrist / distance, bend, angles)
    q = np.concatenate([_postures(upper_arm[e], bend * e, rotation) for e in (1, -1)])
    return _inside_limits(q)


def _upper_arm_frames(to_wrist: np.ndarray, bend: float, angles: np.ndarray) -> dict[int, np.ndarray]:
    """Orientation (N, 3, 3) of the upper arm after joint 3, for either sign of the elbow angle."""
    up, right = _swivel_frame(to_wrist)
    outward = np.cos(angles)[:, None] * up + np.sin(angles)[:, None] * right  # from the line to the elbow
    side = np.cross(to_wrist, outward)
    # In the plane of the arm, measured from the upper arm's own z axis, the wrist lies at angle `tilt`.
    tilt = np.arctan2(FORE_M * np.sin(bend), UPPER_M + FORE_M * np.cos(bend))
    z = np.cos(tilt) * to_wrist + np.sin(tilt) * outward
    x = np.sin(tilt) * to_wrist - np.cos(tilt) * outward  # the forearm folds towards +x for a positive elbow angle
    y = -side
    return {1: np.stack([x, y, z], axis=-1), -1: np.stack([-x, -y, z], axis=-1)}


def _postures(upper_arm: np.ndarray, elbow: float, rotation: np.ndarray) -> np.ndarray:
    """Joint angles (4 N, 7) of the shoulder and wrist branches for upper-arm frames (N, 3, 3)."""
    wrist = np.swapaxes(upper_arm @ _ry(elbow), 1, 2) @ rotation
    out = []
    for shoulder_sign in (1.0, -1.0):
        first = _zyz(upper_arm, shoulder_sign)
        for wrist_sign in (1.0, -1.0):
            last = _zyz(wrist, wrist_sign)
            out.append(np.concatenate([first, np.full((len(first), 1), elbow), last], axis=1))
    return np.concatenate(out)


def _zyz(matrices: np.ndarray, sign: float) -> np.ndarray:
    """Angles (N, 3) of Rz Ry Rz = matrices (N, 3, 3), the middle one carrying `sign`."""
    x, y = matrices[:, 0, 2], matrices[:, 1, 2]
    middle = sign * np.arctan2(np.hypot(x, y), matrices[:, 2, 2])
    first = np.arctan2(sign * y, sign * x)
    last = np.arctan2(sign * matrices[:, 2, 1], -sign * matrices[:, 2, 0])
    # With the middle angle at 0 (or pi) only a sum is defined: all of it goes to the last angle.
    flat = np.hypot(x, y) < 1e-9
    if flat.any():
        turn = np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1])
        first, last = np.where(flat, 0.0, first), np.where(flat, turn, last)
    return np.stack([first, middle, last], axis=1)


def _inside_limits(q: np.ndarray) -> np.ndarray:
    """The rows of q (N, 7) within the joint limits, joint 7 also one turn up and down."""
    turns = 2 * np.pi * np.arange(-_MAX_TURNS, _MAX_TURNS + 1)
    q = np.repeat(q, len(turns), axis=0)
    q[:, 6] += np.tile(turns, len(q) // len(turns))
    low, high = JOINT_LIMITS_RAD[:, 0] - _TOLERANCE_RAD, JOINT_LIMITS_RAD[:, 1] + _TOLERANCE_RAD
    return q[np.all((q >= low) & (q <= high), axis=1)]
