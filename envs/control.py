"""The 13-vector to actuator targets and back; every conversion has its inverse beside it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from assets.robots.hand import HandSpec
from assets.robots.rm75 import JOINT_LIMITS_RAD, MAX_SPEED_RAD_S
from envs import spec
from envs.interface import ActionError

REGISTER_MAX = 1000  # the hand's registers: 0 closed, 1000 open


def arm_to_rad(scaled: np.ndarray) -> np.ndarray:
    """Arm targets in [-1, 1], shape (..., 7), to joint angles in rad."""
    return np.asarray(scaled, dtype=float) * spec.ARM_SCALE_RAD


def arm_from_rad(angles_rad: np.ndarray) -> np.ndarray:
    """Joint angles in rad, shape (..., 7), to the scaled values of action and state."""
    return np.asarray(angles_rad, dtype=float) / spec.ARM_SCALE_RAD


def hand_to_rad(opening: np.ndarray, hand: HandSpec) -> np.ndarray:
    """Openings in [0, 1] (1 = open), shape (..., 6), to driven joint angles in rad."""
    closed, opened = np.asarray(hand.closed_rad), np.asarray(hand.open_rad)
    return closed + np.asarray(opening, dtype=float) * (opened - closed)


def hand_from_rad(angles_rad: np.ndarray, hand: HandSpec) -> np.ndarray:
    """Driven joint angles in rad, shape (..., 6), to openings (1 = open)."""
    closed, opened = np.asarray(hand.closed_rad), np.asarray(hand.open_rad)
    return (np.asarray(angles_rad, dtype=float) - closed) / (opened - closed)


def hand_to_registers(opening: np.ndarray) -> np.ndarray:
    """Openings in [0, 1] to the integers 0..1000 that the hand's bus takes, same order."""
    return np.rint(np.clip(opening, 0.0, 1.0) * REGISTER_MAX).astype(int)


def hand_from_registers(registers: np.ndarray) -> np.ndarray:
    """Register values 0..1000 to openings in [0, 1]."""
    return np.asarray(registers, dtype=float) / REGISTER_MAX


def check_action(action: np.ndarray) -> np.ndarray:
    """The action as float64 inside the action space.

    Raises ActionError for a wrong shape or for values that are not finite; values outside the range are clipped,
    as the robot's own limits would.
    """
    values = np.asarray(action, dtype=float)
    if values.shape != (spec.ACTION_DIM,):
        raise ActionError(
            f"an action has shape ({spec.ACTION_DIM},): 7 scaled arm angles, then 6 hand openings; got {values.shape}"
        )
    if not math.isfinite(values.sum()):  # one number to look at instead of thirteen
        bad = [spec.ACTION_NAMES[i] for i in np.flatnonzero(~np.isfinite(values))]
        raise ActionError(f"the action holds values that are not finite at {', '.join(bad)}")
    return np.minimum(np.maximum(values, spec.ACTION_LOW), spec.ACTION_HIGH)


@dataclass
class Servo:
    """Streams one action to the position actuators in blocks of 10 ms, as the arm's pass-through mode does.

    The arm's reference runs linearly from the last target to the new one, never faster than the drive allows, with
    velocity feed-forward (ctrl = q + T * dq, T = (kv + damping) / kp) so that a smooth motion is followed closely.
    `reference_rad`, shape (7,), is the only state.
    """

    model: mujoco.MjModel
    hand: HandSpec

    def __post_init__(self) -> None:
        model = self.model
        joints = [model.joint(f"arm/joint{i}") for i in range(1, spec.ARM_DOF + 1)]
        self.arm_qpos = np.array([j.qposadr[0] for j in joints])
        self.arm_dof = np.array([j.dofadr[0] for j in joints])
        self.hand_qpos = np.array([model.joint(name).qposadr[0] for name in self.hand.driven_joints])
        self._qpos = np.concatenate([self.arm_qpos, self.hand_qpos])
        closed, opened = np.asarray(self.hand.closed_rad), np.asarray(self.hand.open_rad)
        self._zero_rad = np.concatenate([np.zeros(spec.ARM_DOF), closed])
        self._range_rad = np.concatenate([spec.ARM_SCALE_RAD, opened - closed])
        kp = model.actuator_gainprm[: spec.ARM_DOF, 0]
        kv = -model.actuator_biasprm[: spec.ARM_DOF, 2]
        self._feed_forward_s = (kv + np.asarray(model.dof_damping[self.arm_dof]).reshape(-1)) / kp
        self.reference_rad = np.zeros(spec.ARM_DOF)
        self._low, self._high = JOINT_LIMITS_RAD[:, 0].copy(), JOINT_LIMITS_RAD[:, 1].copy()
        self._max_step_rad = MAX_SPEED_RAD_S / spec.STREAM_HZ

    def reset(self, data: mujoco.MjData, arm_rad: np.ndarray, opening: np.ndarray) -> None:
        """Put arm and hand at rest at the given pose, coupled joints included."""
        data.qpos[self.arm_qpos] = arm_rad
        set_hand(self.model, data, self.hand, opening)
        self.reference_rad = np.array(arm_rad, dtype=float)
        data.ctrl[spec.ARM] = arm_rad
        data.ctrl[spec.HAND] = hand_to_rad(opening, self.hand)

    def run(
        self, data: mujoco.MjData, action: np.ndarray, watch: Callable[[mujoco.MjData], None] | None = None
    ) -> None:
        """One control period of physics towards `action`, shape (13,), already checked.

        watch: called with the data after every block of 10 ms; must not change it.
        """
        wished = self._zero_rad + action * self._range_rad
        target = np.minimum(np.maximum(wished[spec.ARM], self._low), self._high)
        blocks = spec.SUBSTEPS // spec.BLOCK_SUBSTEPS
        limit = self._max_step_rad
        step = np.minimum(np.maximum((target - self.reference_rad) / blocks, -limit), limit)
        ahead = self._feed_forward_s * step * spec.STREAM_HZ
        reference, ctrl, model = self.reference_rad, data.ctrl, self.model
        ctrl[spec.HAND] = wished[spec.HAND]
        for _ in range(blocks):
            reference = reference + step
            ctrl[spec.ARM] = reference + ahead
            mujoco.mj_step(model, data, spec.BLOCK_SUBSTEPS)
            if watch is not None:
                watch(data)
        self.reference_rad = reference

    def measured(self, data: mujoco.MjData) -> np.ndarray:
        """The state of the robot in the layout of the action, shape (13,) float32, inside the space's bounds."""
        values = (data.qpos[self._qpos] - self._zero_rad) / self._range_rad
        return np.minimum(np.maximum(values, spec.ACTION_LOW), spec.ACTION_HIGH).astype(np.float32)


def set_hand(model: mujoco.MjModel, data: mujoco.MjData, hand: HandSpec, opening: np.ndarray) -> None:
    """Write the driven joints' angles and the coupled joints that follow from them into qpos."""
    for name, angle in zip(hand.driven_joints, hand_to_rad(opening, hand), strict=True):
        data.qpos[model.joint(name).qposadr[0]] = angle
    for i in range(model.neq):
        if model.eq_type[i] == mujoco.mjtEq.mjEQ_JOINT and model.eq_obj2id[i] >= 0:
            follower, leader = model.eq_obj1id[i], model.eq_obj2id[i]
            x = data.qpos[model.jnt_qposadr[leader]] - model.qpos0[model.jnt_qposadr[leader]]
            value = np.polyval(model.eq_data[i, 4::-1], x)
            data.qpos[model.jnt_qposadr[follower]] = model.qpos0[model.jnt_qposadr[follower]] + value
