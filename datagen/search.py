"""From the scene to one tested motion: candidates in canonical order, tried out, the first tolerant one taken."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from datagen import grasps, motion
from datagen.branch import Branch, Trial
from datagen.grasps import Grasp
from envs import spec
from envs.control import arm_from_rad

# Phases of a demonstration, one per action.
REACH, PREGRASP, CLOSE, LIFT = range(4)
PHASES = ("reach", "pregrasp", "close", "lift")

LEAST_REACH_STEPS = 30
CLOSE_STEPS, FINGER_STEPS, THUMB_DELAY_STEPS = 12, 6, 3
LIFT_STEPS, STILL_STEPS = 20, 12
HOLD_STEPS = 30  # how much longer the target is held in a trial, to see whether it creeps
LIFT_M, LIFT_STRIDE_M = 0.16, 0.02
APPROACH_SHARES = (0.34, 0.67, 1.0)
APPROACHES_M = ((0.09, 0.03), (0.03, 0.12))  # (back along the fingers, up): sliding in, or down from above
HOVER_M, RISE_M = (0.05, 0.12), (0.0, 0.12)  # (back, up) over the pregrasp, and over the start
PRESHAPED_AT = 0.6  # share of the reach after which the hand has its preshape
POSTURES_TRIED = 4

# What a trial must show, and with which errors of the target's place it must show it again.
HOLD_HEIGHT_M = 0.13
# Motion of the target within the hand in the last second of a trial: a firm grasp creeps by hundredths of a
# millimetre, and one that creeps by twice a tenth may lose its object before 20 s are over.
CREEP_M, SLIDING_M = 0.00015, 0.002
GENTLE_N = 0.7 * spec.COLLISION_FORCE_N  # how hard the fingers may press on the table
ERROR_M, ERROR_RAD = 0.01, np.radians(8.0)
TOLERANCE_TRIALS = 2
BEGIN_BEFORE_GRASP = 14  # tolerance trials start this many steps before the hand arrives
MAX_TRIALS = 30
ENOUGH_TRIALS = 12  # of them, once something holds firmly without being tolerant


@dataclass(frozen=True)
class Plan:
    """A motion that has been tried out. actions: (T, 13); phases: (T,) indices into PHASES."""

    grasp: Grasp
    actions: np.ndarray
    phases: np.ndarray
    reach_steps: int
    tolerant: bool = False


def find_plan(
    branch: Branch, arm_rad: np.ndarray, rng: np.random.Generator, avoid: frozenset[tuple[str, float]] = frozenset()
) -> Plan | None:
    """The first firm and tolerant plan in canonical order; else the firmest that holds; None if nothing does.

    Motions that stay clear of every neighbour come first, then those in which the hand may push one aside a little.
    branch: already at its snapshot; arm_rad: (7,) commanded posture to start from; rng draws the errors of the
    tolerance trials; avoid: (template, azimuth) of grasps that have failed for real.
    """
    for brush in (False, True):
        weaker: list[tuple[float, Plan]] = []
        trials = 0
        for grasp in grasps.ranked(branch):
            if (grasp.template, grasp.azimuth_deg) in avoid:
                continue
            plan = plan_motion(branch, arm_rad, grasp, brush)
            if plan is None:
                continue
            trials += 1
            trial = _try_to_hold(branch, plan)
            gentle = not trial.disturbed and trial.station_force_n <= GENTLE_N
            if gentle and trial.holds(HOLD_HEIGHT_M, SLIDING_M):
                if trial.crept_m <= CREEP_M and _tolerates(branch, plan, rng):
                    return replace(plan, tolerant=True)
                weaker.append((trial.crept_m, plan))
            firm = bool(weaker) and min(weaker, key=_creep)[0] <= CREEP_M
            if trials >= (ENOUGH_TRIALS if firm else MAX_TRIALS):
                break
        if weaker:
            return min(weaker, key=_creep)[1]
    return None


def _creep(candidate: tuple[float, Plan]) -> float:
    return candidate[0]


def check_step(plan: Plan) -> int:
    """The step of a plan after which a target that has been grasped has left the table."""
    return plan.reach_steps + CLOSE_STEPS + LIFT_STEPS * 6 // 10


def _try_to_hold(branch: Branch, plan: Plan) -> Trial:
    longer = np.repeat(plan.actions[-1:], HOLD_STEPS, axis=0)
    return branch.try_out(np.vstack([plan.actions, longer]), check_step(plan))


def _tolerates(branch: Branch, plan: Plan, rng: np.random.Generator) -> bool:
    heading = rng.uniform(0, 2 * np.pi)
    actions = np.vstack([plan.actions, np.repeat(plan.actions[-1:], spec.CONTROL_HZ - STILL_STEPS, axis=0)])
    for k in range(TOLERANCE_TRIALS):
        angle = heading + np.pi * k
        shift = (ERROR_M * np.cos(angle), ERROR_M * np.sin(angle), ERROR_RAD * (1 if k % 2 else -1))
        trial = branch.try_out(actions, check_step(plan), plan.reach_steps - BEGIN_BEFORE_GRASP, shift)
        if not trial.holds(HOLD_HEIGHT_M - ERROR_M, SLIDING_M):
            return False
    return True


def plan_motion(
    branch: Branch, arm_rad: np.ndarray, grasp: Grasp, brush: bool = False, turned_over_cost: float = 0.0
) -> Plan | None:
    """Reach, close and lift for one grasp, clear of everything on the way; None if there is no such motion.

    brush: neighbours are not obstacles for the last part of the reach. turned_over_cost: see `motion.ranked_postures`.
    """
    for posture in motion.ranked_postures(grasp.hand_in_world, arm_rad, turned_over_cost)[:POSTURES_TRIED]:
        if branch.blocked(posture, grasp.preshape, brush):
            continue
        lift = motion.follow_line(posture, list(_upwards(grasp.hand_in_world)))
        if lift is None:
            continue
        for retreat_m, raise_m in APPROACHES_M:
            back = motion.follow_line(posture, _away(grasp.hand_in_world, retreat_m, raise_m))
            if back is None or branch.path_blocked(np.vstack([posture, back]), grasp.preshape, brush):
                continue
            route = _route(branch, arm_rad, np.vstack([back[::-1], posture]), grasp.preshape)
            if route is not None:
                return _timed_plan(grasp, branch.opening, route, np.vstack([posture, lift]))
    return None


def _away(pose: np.ndarray, retreat_m: float, raise_m: float) -> list[np.ndarray]:
    """Hand poses (4, 4) on the way from a grasp back to its pregrasp."""
    steps = []
    for share in APPROACH_SHARES:
        step = _raised(pose, share * raise_m)
        step[:3, 3] -= share * retreat_m * pose[:3, 2]
        steps.append(step)
    return steps


def _upwards(pose: np.ndarray) -> Iterator[np.ndarray]:
    for height in np.arange(LIFT_STRIDE_M, LIFT_M + 1e-9, LIFT_STRIDE_M):
        yield _raised(pose, height)


def _raised(pose: np.ndarray, height_m: float) -> np.ndarray:
    raised = pose.copy()
    raised[2, 3] += height_m
    return raised


def _route(branch: Branch, arm_rad: np.ndarray, approach: np.ndarray, preshape: np.ndarray) -> np.ndarray | None:
    """Waypoints (K, 7) from `arm_rad` through the approach (N, 7): straight if free, else over hover points."""
    if not branch.path_blocked(np.vstack([arm_rad, approach[:1]]), preshape):
        return np.vstack([arm_rad, approach])
    hover = motion.follow_line(approach[0], _away(motion.hand_pose(approach[0]), *HOVER_M))
    if hover is None:
        return None
    rise = motion.follow_line(arm_rad, _away(motion.hand_pose(arm_rad), *RISE_M))
    starts = [arm_rad[None]] + ([] if rise is None else [np.vstack([arm_rad, rise])])
    for start in starts:
        detour = np.vstack([start, hover[::-1], approach])
        if not branch.path_blocked(detour[: len(detour) - len(approach) + 1], preshape):
            return detour
    return None


def _timed_plan(grasp: Grasp, opening: np.ndarray, route: np.ndarray, lift: np.ndarray) -> Plan:
    reach_steps = motion.duration_steps(route, LEAST_REACH_STEPS)
    reach = motion.timed(route, reach_steps)
    rise = motion.timed(lift, LIFT_STEPS)
    still = np.repeat(reach[-1:], CLOSE_STEPS, axis=0)
    arm = np.vstack([reach, still, rise, np.repeat(rise[-1:], STILL_STEPS, axis=0)])
    hand = np.repeat(grasp.squeeze[None], len(arm), axis=0)
    share = np.clip(np.arange(1, reach_steps + 1) / (PRESHAPED_AT * reach_steps), 0.0, 1.0)[:, None]
    hand[:reach_steps] = opening * (1 - share) + grasp.preshape * share
    hand[reach_steps : reach_steps + CLOSE_STEPS] = closing(grasp)
    phases = np.full(len(arm), LIFT, dtype=np.int8)
    phases[:reach_steps] = REACH
    phases[reach_steps - BEGIN_BEFORE_GRASP : reach_steps] = PREGRASP
    phases[reach_steps : reach_steps + CLOSE_STEPS] = CLOSE
    return Plan(grasp, np.hstack([arm_from_rad(arm), hand]), phases, reach_steps)


def closing(grasp: Grasp) -> np.ndarray:
    """Openings (CLOSE_STEPS, 6): fingers first, the thumb a moment later, as measured to hold best."""
    steps = np.arange(1, CLOSE_STEPS + 1)
    fingers = np.clip(steps / FINGER_STEPS, 0.0, 1.0)[:, None]
    thumb = np.clip((steps - THUMB_DELAY_STEPS) / FINGER_STEPS, 0.0, 1.0)
    openings = grasp.preshape * (1 - fingers) + grasp.squeeze * fingers
    openings[:, 4] = grasp.preshape[4] * (1 - thumb) + grasp.squeeze[4] * thumb
    return openings
