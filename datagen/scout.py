"""A quicker copy of the physics in which grasps are tried; what holds there still has to prove itself in the scene.

Two things make it quick. Objects at rest sleep until something touches them (MuJoCo's sleeping islands), and a trial
begins shortly before the hand arrives, for the path there has been found free. Collision queries use a model in which
only the robot collides with the rest, and answer the same as those of `Branch`.
"""

import copy
from dataclasses import replace

import mujoco
import numpy as np

from datagen.branch import TOUCH_M, Branch, Trial
from datagen.search import (
    BEGIN_BEFORE_GRASP,
    ERROR_M,
    ERROR_RAD,
    GENTLE_N,
    HOLD_HEIGHT_M,
    STILL_STEPS,
    TOLERANCE_TRIALS,
    Plan,
    check_step,
)
from envs.control import Servo
from envs.scene import Scene
from envs.sim import STATE_KIND

# A grasp that creeps less than this in a second holds for 20: 0.25 mm/s would use up 5 mm of the 3 cm or so in hand.
CREEP_M = 0.00025
SLIPPING_M = 0.006  # of a tolerance trial, in the second that ends at its top and so holds most of the lift
TOP_STEPS = 8
HOLD_STEPS = 16  # shorter than the expert's: the scene itself has the last word
_ROBOT_BITS, _STATIC_BITS, _OBJECT_BITS = (2, 1), (1, 2), (1, 2)  # (contype, conaffinity): robot against the rest


class Scout(Branch):
    """A Branch with quick queries and nearly the physics of the scene. One scout serves a whole episode."""

    def __init__(self, scene: Scene) -> None:
        sleepy = copy.copy(scene.model)
        # Has to be set before there is data of the model.
        sleepy.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
        super().__init__(replace(scene, model=sleepy))
        self._query_model = _robot_against_the_rest(scene)
        self._query = mujoco.MjData(self._query_model)

    def snapshot(self, data: mujoco.MjData, servo: Servo) -> None:
        """Take over the real episode's state. Everything is awake at first; what rests falls asleep by itself."""
        model = self.scene.model
        state = np.zeros(mujoco.mj_stateSize(model, STATE_KIND))
        mujoco.mj_getState(servo.model, data, state, STATE_KIND)
        mujoco.mj_resetData(model, self._base)
        mujoco.mj_setState(model, self._base, state, STATE_KIND)
        mujoco.mj_forward(model, self._base)
        mujoco.mj_copyData(self.data, model, self._base)
        self._query.qpos[:] = data.qpos
        self._reference = servo.reference_rad.copy()

    @property
    def snapshot_qpos(self) -> np.ndarray:
        """Joint positions (nq,) at the snapshot. A copy."""
        return self._base.qpos.copy()

    def blocked(self, arm_rad: np.ndarray, opening: np.ndarray, brush: bool = False) -> bool:
        """The same answer as that of Branch, in a fraction of the time."""
        data, model = self._query, self._query_model
        data.qpos[self.servo.arm_qpos] = arm_rad
        data.qpos[self._hand_address] = self._hand_shape(opening)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        if data.ncon == 0:
            return False
        hit = data.contact.dist < -TOUCH_M
        if brush:
            hit &= ~self._on_neighbour[data.contact.geom].any(axis=1)
        return bool(hit.any())


def _robot_against_the_rest(scene: Scene) -> mujoco.MjModel:
    model = copy.copy(scene.model)
    for geoms, bits in (
        (scene.is_robot, _ROBOT_BITS),
        (scene.is_static, _STATIC_BITS),
        (~scene.is_robot & ~scene.is_static & (scene.model.geom_contype != 0), _OBJECT_BITS),
    ):
        model.geom_contype[geoms], model.geom_conaffinity[geoms] = bits
    return model


def creep(scout: Scout, plan: Plan) -> float:
    """How far (m) the target moves within the hand in the last second; infinite unless it is lifted, and gently."""
    trial = try_grasp(scout, plan)
    gentle = not trial.disturbed and trial.station_force_n <= GENTLE_N
    return trial.crept_m if gentle and trial.lowest_m >= HOLD_HEIGHT_M else float("inf")


def try_grasp(scout: Scout, plan: Plan) -> Trial:
    """Close, lift and hold as planned, from shortly before the hand arrives."""
    longer = np.repeat(plan.actions[-1:], HOLD_STEPS, axis=0)
    return scout.try_out(np.vstack([plan.actions, longer]), check_step(plan), _begin(plan))


def tolerates(scout: Scout, plan: Plan, rng: np.random.Generator) -> bool:
    """Whether the grasp also lifts a target that stands a little elsewhere; rng draws where."""
    heading = rng.uniform(0, 2 * np.pi)
    # Whether it comes up is what counts here: eight steps at the top are enough to see that it stays.
    actions = plan.actions[: len(plan.actions) - STILL_STEPS + TOP_STEPS]
    for k in range(TOLERANCE_TRIALS):
        angle = heading + np.pi * k
        shift = (ERROR_M * np.cos(angle), ERROR_M * np.sin(angle), ERROR_RAD * (1 if k % 2 else -1))
        trial = scout.try_out(actions, check_step(plan), _begin(plan), shift)
        if not trial.holds(HOLD_HEIGHT_M - ERROR_M, SLIPPING_M):
            return False
    return True


def _begin(plan: Plan) -> int:
    return plan.reach_steps - BEGIN_BEFORE_GRASP
