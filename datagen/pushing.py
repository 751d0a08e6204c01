"""Flat targets: pulled over the edge of the table with bent fingers, then taken by the rim that stands out.

A flat thing can be taken neither from above nor from the side. But it slides, and beyond the near edge of the table
lies the tray: there the fingers reach under what stands out, and the thumb above it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assets.objects.types import ObjectSpec
from assets.robots.furniture import TRAY_X, TRAY_Y
from datagen import grasps, motion
from datagen.branch import Branch
from datagen.grasps import Grasp, Shape, Template
from datagen.search import BEGIN_BEFORE_GRASP, CLOSE, CLOSE_STEPS, GENTLE_N, LIFT, PREGRASP, REACH, Plan, closing
from envs import spec
from envs.control import arm_from_rad

# What is thinner than this and wider in every direction cannot be taken from the table (m).
FLAT_M, SPAN_M = 0.021, 0.10
EDGE_X = TRAY_X[1]  # the near edge, between table and tray, and how far to either side it goes
EDGE_Y = (TRAY_Y[0] + 0.05, TRAY_Y[1] - 0.05)

# The pull: fingers bent so that their ends stand upright behind the target and reach the table together.
HOOK = np.array([0.65, 0.65, 0.55, 0.65, 1.0, 1.0])
PULL_PITCHES_DEG, PULL_AZIMUTHS_DEG = (-50.0, -40.0, -30.0, -20.0), (0.0, 15.0, -15.0, 30.0, -30.0)
TABLE_GAP_M, BEHIND_GAP_M = 0.003, 0.014
OVERHANG_M, ON_TABLE_M = 0.060, 0.015  # what should stand out, and what must lie on the table beyond the middle
SHORT_M = 0.010  # this much less stands out at the end: pull again, further
PULL_M_S, PULL_ROUNDS, STRIDE_M = 0.12, 4, 0.02
SETTLE_STEPS = 4
TIPPED_M = 0.003  # lower than this under the table's top is a target that tips over the edge

# The grasp: palm towards the table, fingers down into the tray and then under the rim, the thumb on top.
RIMS = (
    Template("rim", -80.0, -90.0, (-0.012, 0.025, 0.141), thumb=0.15),
    Template("rim near", -80.0, -90.0, (-0.012, 0.006, 0.147), thumb=0.15),
    Template("rim slanted", -70.0, -90.0, (-0.012, 0.006, 0.150), thumb=0.15),
    Template("rim upright", -88.0, -90.0, (-0.012, 0.036, 0.135), thumb=0.0),
    Template("rim deep", -88.0, -90.0, (-0.012, 0.020, 0.125), thumb=0.15),
)
RIM_AZIMUTHS_DEG = (0.0, 20.0, -20.0)
RIM_CLEARANCE_M = 0.05  # the fingers go down this far before the rim
HOVER_M, RISE_M, LIFT_M = 0.15, 0.15, 0.22
POSTURES_TRIED = 8
LIFT_STEPS, STILL_STEPS, HOLD_STEPS = 28, 12, 30
LEAST_STEPS = 24

# A flat thing is held at one end: what creeps in the hand sinks at the other, this much (m in 20 s per m in the last
# second of a trial).
SINK = 100.0
SURE_M, HOPED_M = 0.110, 0.095  # where the lowest point will then be: enough for the first plan, and for the best one
MAX_TRIALS, MAX_PULLS = 10, 3


@dataclass(frozen=True)
class Pull:
    """A pull that has been tried out: its actions (T, 13), the state that it leaves, where the arm then is (7,)."""

    actions: np.ndarray
    after: Branch
    arm_rad: np.ndarray


def is_flat(target: ObjectSpec) -> bool:
    """True for what is too thin to be taken from the table and too wide to be spanned."""
    x, y, z = target.extent_m
    return z <= FLAT_M and min(x, y) >= SPAN_M


def find_plan(branch: Branch, arm_rad: np.ndarray, avoid: frozenset[tuple[str, float]] = frozenset()) -> Plan | None:
    """The first plan whose grasp will hold, else the best of those that may; None if there are none.

    Arguments as for datagen.search.find_plan, without a generator: the same scene leads to the same plan.
    """
    best: tuple[float, Plan] | None = None
    for pull in itertools.islice(_pulls(branch, arm_rad), MAX_PULLS):
        for height_m, plan in itertools.islice(_rim_plans(pull, avoid), MAX_TRIALS):
            if height_m >= SURE_M:
                return plan
            if best is None or height_m > best[0]:
                best = height_m, plan
    return best[1] if best and best[0] >= HOPED_M else None


def overhang_m(branch: Branch) -> float:
    """How far the target stands out over the near edge, around its middle (m); negative where it does not."""
    return EDGE_X - _near_x(branch)


def _enough(branch: Branch) -> float:
    """How much of the target should stand out (m): no more than lets its middle lie on the table."""
    return min(OVERHANG_M, branch.target_pose()[1][0] - _near_x(branch) - ON_TABLE_M)


def _near_x(branch: Branch) -> float:
    """Least x (m) of the target, in a slice around its middle as broad as the hand."""
    rotation, position = branch.target_pose()
    axes = grasps.hand_rotation(0.0, -90.0, -90.0)  # fingers down, palm forward, little finger to the left
    return _shape(branch).near_edges(axes, rotation, position, float(position[1]))[0]


def _shape(branch: Branch) -> Shape:
    return Shape(branch.scene.objects[0].pieces)


def _pulls(branch: Branch, arm_rad: np.ndarray) -> Iterator[Pull]:
    """Pulls after which enough of the target stands out; at once an empty one if it does so already."""
    if overhang_m(branch) >= _enough(branch) - SHORT_M:
        yield Pull(np.zeros((0, spec.ACTION_DIM)), branch, arm_rad)
        return
    for azimuth, pitch in itertools.product(PULL_AZIMUTHS_DEG, PULL_PITCHES_DEG):
        pull = _try_pull(branch, arm_rad, azimuth, pitch)
        if pull is not None:
            yield pull


def _try_pull(branch: Branch, arm_rad: np.ndarray, azimuth_deg: float, pitch_deg: float) -> Pull | None:
    branch.rewind()
    start, away = _behind(branch, azimuth_deg, pitch_deg)
    contact = _reach_behind(branch, arm_rad, start)
    if contact is None:
        return None
    travel_m = BEHIND_GAP_M + (_enough(branch) - overhang_m(branch)) / away[0]
    for _ in range(PULL_ROUNDS):
        strides = np.linspace(0.0, travel_m, max(2, int(np.ceil(travel_m / STRIDE_M)) + 1))[1:]
        line = motion.follow_line(contact[-1], [_moved(start, -away * stride) for stride in strides])
        if line is None:
            return None
        actions = _pull_actions(branch, contact, line, travel_m)
        trial = branch.try_out(actions, -1)
        after = branch.fork()
        if trial.disturbed or trial.station_force_n > GENTLE_N or trial.lowest_m < -TIPPED_M:
            return None
        if not EDGE_Y[0] <= after.target_pose()[1][1] <= EDGE_Y[1]:
            return None
        short_m = _enough(after) - overhang_m(after)
        if short_m <= SHORT_M:
            return Pull(actions, after, line[-1])
        travel_m += short_m / away[0]
    return None


def _behind(branch: Branch, azimuth_deg: float, pitch_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """The hand's pose (4, 4) behind the target with its hook just over the table, and the direction (3,) away."""
    rotation, position = branch.target_pose()
    shape, turn = _shape(branch), np.radians(azimuth_deg)
    away, across = np.array([np.cos(turn), np.sin(turn), 0.0]), np.array([-np.sin(turn), np.cos(turn), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    pose = np.eye(4)
    pose[:3, :3] = grasps.hand_rotation(azimuth_deg, pitch_deg, 90.0)
    centres, radii = branch.hand_points(HOOK)
    centres = centres @ pose[:3, :3].T
    bottoms = centres[:, 2] - radii
    rise_m = TABLE_GAP_M - bottoms.min()
    low = bottoms + rise_m < shape.bounds(rotation)[1][2] + position[2]  # what would meet the target
    front = (centres[low] @ away - radii[low]).min()
    aside = float(position @ across)
    far = -shape.near_edges(np.stack([across, -away, up], axis=1), rotation, position, aside)[0]
    middle = (centres[low] @ across).mean()
    pose[:3, 3] = away * (far + BEHIND_GAP_M - front) + across * (aside - middle) + up * rise_m
    return pose, away


def _reach_behind(branch: Branch, arm_rad: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """Waypoints (K, 7) that put the hook behind the target from above, clear of everything."""
    for posture in motion.ranked_postures(start, arm_rad)[:POSTURES_TRIED]:
        if branch.blocked(posture, HOOK):
            continue
        down = motion.follow_line(posture, [_raised(start, h) for h in (0.03, 0.06, 0.10)])
        if down is None:
            continue
        rise = _rise(arm_rad)
        for way in [arm_rad[None]] + ([] if rise is None else [np.vstack([arm_rad, rise])]):
            route = np.vstack([way, down[::-1], posture])
            if not branch.path_blocked(route, HOOK):
                return route
    return None


def _pull_actions(branch: Branch, reach: np.ndarray, line: np.ndarray, travel_m: float) -> np.ndarray:
    """Actions (T, 13): the hook takes its shape on the way, pulls, and waits a moment."""
    steps = motion.duration_steps(reach, LEAST_STEPS)
    pull_steps = max(LEAST_STEPS, int(np.ceil(travel_m / PULL_M_S * spec.CONTROL_HZ)))
    pulling = motion.timed(np.vstack([reach[-1:], line]), pull_steps)
    arm = np.vstack([motion.timed(reach, steps), pulling, np.repeat(pulling[-1:], SETTLE_STEPS, axis=0)])
    hand = np.repeat(HOOK[None], len(arm), axis=0)
    hand[:steps] = _blend(branch.opening, HOOK, steps)
    return np.hstack([arm_from_rad(arm), hand])


def _rim_plans(pull: Pull, avoid: frozenset[tuple[str, float]]) -> Iterator[tuple[float, Plan]]:
    """Tried-out plans, each with the height (m) at which its target's lowest point will end after 20 s."""
    branch = pull.after
    rotation, position = branch.target_pose()
    shape = _shape(branch)
    for template, azimuth in itertools.product(RIMS, RIM_AZIMUTHS_DEG):
        if (template.name, azimuth) in avoid:
            continue
        pose = grasps.place_hand(template, azimuth, shape, rotation, position)
        grasp = grasps.make_grasp(template, azimuth, pose)
        branch.rewind()
        motions = _reach_rim(branch, pull.arm_rad, grasp)
        if motions is None:
            continue
        plan = _rim_plan(branch, grasp, *motions)
        longer = np.vstack([plan.actions, np.repeat(plan.actions[-1:], HOLD_STEPS, axis=0)])
        trial = branch.try_out(longer, plan.reach_steps + CLOSE_STEPS + LIFT_STEPS * 3 // 4)
        if trial.disturbed or trial.station_force_n > GENTLE_N or not np.isfinite(trial.crept_m):
            continue
        yield trial.lowest_m - SINK * trial.crept_m, _after(pull, plan)


def _reach_rim(branch: Branch, arm_rad: np.ndarray, grasp: Grasp) -> tuple[np.ndarray, np.ndarray] | None:
    """Waypoints of the way to a rim and of the lift, each (K, 7); None if there is no free way."""
    pose, preshape = grasp.hand_in_world, grasp.preshape
    inwards = pose[:3, 1] * (1.0, 1.0, 0.0)
    before = _moved(pose, -RIM_CLEARANCE_M * inwards / np.linalg.norm(inwards))
    way_in = [_moved(pose, (before - pose)[:3, 3] / 2), before]
    way_in += [_raised(before, h) for h in (HOVER_M / 3, HOVER_M * 2 / 3, HOVER_M)]
    for posture in motion.ranked_postures(pose, arm_rad)[:POSTURES_TRIED]:
        if branch.blocked(posture, preshape):
            continue
        lift = motion.follow_line(posture, [_raised(pose, h) for h in np.arange(STRIDE_M, LIFT_M + 1e-9, STRIDE_M)])
        back = motion.follow_line(posture, way_in)
        if lift is None or back is None or branch.path_blocked(np.vstack([posture, back]), preshape):
            continue
        rise = _rise(arm_rad)
        if rise is not None and not branch.path_blocked(np.vstack([rise[-1], back[-1]]), preshape):
            return np.vstack([arm_rad, rise, back[::-1], posture]), np.vstack([posture, lift])
    return None


def _rim_plan(branch: Branch, grasp: Grasp, route: np.ndarray, lift: np.ndarray) -> Plan:
    reach_steps = motion.duration_steps(route, LEAST_STEPS)
    reach, rise = motion.timed(route, reach_steps), motion.timed(lift, LIFT_STEPS)
    still = np.repeat(reach[-1:], CLOSE_STEPS, axis=0)
    arm = np.vstack([reach, still, rise, np.repeat(rise[-1:], STILL_STEPS, axis=0)])
    hand = np.repeat(grasp.squeeze[None], len(arm), axis=0)
    hand[:reach_steps] = _blend(branch.opening, grasp.preshape, reach_steps)
    hand[reach_steps : reach_steps + CLOSE_STEPS] = closing(grasp)
    phases = np.full(len(arm), LIFT, dtype=np.int8)
    phases[:reach_steps] = REACH
    phases[reach_steps - BEGIN_BEFORE_GRASP : reach_steps] = PREGRASP
    phases[reach_steps : reach_steps + CLOSE_STEPS] = CLOSE
    return Plan(grasp, np.hstack([arm_from_rad(arm), hand]), phases, reach_steps)


def _after(pull: Pull, plan: Plan) -> Plan:
    """The whole motion; the pull belongs to the reach."""
    phases = np.concatenate([np.full(len(pull.actions), REACH, dtype=np.int8), plan.phases])
    return Plan(plan.grasp, np.vstack([pull.actions, plan.actions]), phases, len(pull.actions) + plan.reach_steps)


def _rise(arm_rad: np.ndarray) -> np.ndarray | None:
    """Postures (2, 7) straight up from one; None if the arm cannot."""
    pose = motion.hand_pose(arm_rad)
    return motion.follow_line(arm_rad, [_raised(pose, h) for h in (RISE_M / 2, RISE_M)])


def _blend(before: np.ndarray, after: np.ndarray, steps: int) -> np.ndarray:
    """Openings (steps, 6) from one to the other in the middle of a way."""
    share = np.clip(2 * np.arange(1, steps + 1) / steps - 0.5, 0.0, 1.0)[:, None]
    return before * (1 - share) + after * share


def _raised(pose: np.ndarray, height_m: float) -> np.ndarray:
    return _moved(pose, np.array([0.0, 0.0, height_m]))


def _moved(pose: np.ndarray, by_m: np.ndarray) -> np.ndarray:
    moved = pose.copy()
    moved[:3, 3] += by_m
    return moved
