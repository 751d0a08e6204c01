"""A quicker copy of the physics in which grasps are looked for; what it finds still has to prove itself in the scene.

Two things make it quick. Objects at rest sleep until something touches them (MuJoCo's sleeping islands), and a trial
begins shortly before the hand arrives, for the path there has been found free. Collision queries use a model in which
only the robot collides with the rest, and answer the same as those of `Branch`.
"""

import copy
from dataclasses import replace

import mujoco
import numpy as np

from datagen import grasps
from datagen.branch import TOUCH_M, Branch, Trial
from datagen.grasps import Grasp
from datagen.search import (
    BEGIN_BEFORE_GRASP,
    CLOSE_STEPS,
    ERROR_M,
    ERROR_RAD,
    GENTLE_N,
    HOLD_HEIGHT_M,
    LIFT_STEPS,
    SLIDING_M,
    STILL_STEPS,
    TOLERANCE_TRIALS,
    Plan,
    plan_motion,
)
from envs.control import Servo
from envs.scene import Scene
from envs.sim import STATE_KIND

# A grasp that creeps less than this in a second holds for 20: 0.25 mm/s would use up 5 mm of the 3 cm or so in hand.
CREEP_M = 0.00025
SLIPPING_M = 0.006  # of a tolerance trial, in the second that ends at its top and so holds most of the lift
TOP_STEPS = 8
HOLD_STEPS = 16  # shorter than the expert's: the scene itself has the last word
MAX_TRIALS, ENOUGH_TRIALS = 30, 6  # ENOUGH: once something holds without being tolerant
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


def find_grasp(
    scout: Scout,
    arm_rad: np.ndarray,
    rng: np.random.Generator | None,
    avoid: frozenset[tuple[str, float]] = frozenset(),
    first: Grasp | None = None,
) -> Plan | None:
    """The first plan in canonical order that holds and tolerates errors; else one that holds; None if nothing does.

    scout: already at its snapshot; arm_rad: (7,) commanded posture to start from; rng draws the errors of the
    tolerance trials, which None leaves out; avoid: (template, azimuth) of grasps that are not wanted; first: a grasp
    to try before all others, known to tolerate errors.
    """
    again = None if first is None else plan_motion(scout, arm_rad, first)
    if again is not None and _creep(scout, again) <= CREEP_M:
        return again
    wanted = [g for g in grasps.candidates(scout) if (g.template, g.azimuth_deg) not in avoid]
    for brush in (False, True):
        holding: list[tuple[float, Plan]] = []
        trials = 0
        for grasp in wanted:
            plan = plan_motion(scout, arm_rad, grasp, brush)
            if plan is None:
                continue
            trials += 1
            creep = _creep(scout, plan)
            if creep <= CREEP_M and (rng is None or _tolerates(scout, plan, rng)):
                return replace(plan, tolerant=rng is not None)
            if creep <= SLIDING_M:
                holding.append((creep, plan))
            if trials >= (ENOUGH_TRIALS if holding else MAX_TRIALS):
                break
        if holding:
            # One that holds without being tolerant comes before one that slides.
            return min(holding, key=lambda pair: max(pair[0], CREEP_M))[1]
    return None


def _creep(scout: Scout, plan: Plan) -> float:
    """How far (m) the target moves within the hand in the last second; infinite unless it is lifted, and gently."""
    trial = try_grasp(scout, plan)
    gentle = not trial.disturbed and trial.station_force_n <= GENTLE_N
    return trial.crept_m if gentle and trial.lowest_m >= HOLD_HEIGHT_M else float("inf")


def try_grasp(scout: Scout, plan: Plan) -> Trial:
    """Close, lift and hold as planned, from shortly before the hand arrives."""
    longer = np.repeat(plan.actions[-1:], HOLD_STEPS, axis=0)
    return scout.try_out(np.vstack([plan.actions, longer]), _check_step(plan), _begin(plan))


def _tolerates(scout: Scout, plan: Plan, rng: np.random.Generator) -> bool:
    heading = rng.uniform(0, 2 * np.pi)
    # Whether it comes up is what counts here: eight steps at the top are enough to see that it stays.
    actions = plan.actions[: len(plan.actions) - STILL_STEPS + TOP_STEPS]
    for k in range(TOLERANCE_TRIALS):
        angle = heading + np.pi * k
        shift = (ERROR_M * np.cos(angle), ERROR_M * np.sin(angle), ERROR_RAD * (1 if k % 2 else -1))
        trial = scout.try_out(actions, _check_step(plan), _begin(plan), shift)
        if not trial.holds(HOLD_HEIGHT_M - ERROR_M, SLIPPING_M):
            return False
    return True


def _begin(plan: Plan) -> int:
    return plan.reach_steps - BEGIN_BEFORE_GRASP


def _check_step(plan: Plan) -> int:
    return plan.reach_steps + CLOSE_STEPS + LIFT_STEPS * 6 // 10
