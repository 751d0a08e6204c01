"""What goes wrong on purpose, so that demonstrations show how to come back. The perturber is no part of a policy.

joints: the arm starts up to 0.3 rad per joint off its usual place; the moved start is part of the stored scene.
shove:  during the reach the target jumps once, up to 4 cm and 30 degrees, to a free place on the table: its pose is
        written into the simulation between two control steps. The expert notices, brakes and plans anew.
miss:   the hand closes 3 to 10 cm short of the target and above it, just far enough to come up empty. The expert
        notices while it lifts, brakes, opens the hand and grasps anew.
slip:   the target is grasped and lifted, and the fingers give way: they are told to open a little more with every
        step. It slides out of them a few centimetres above the table and comes to rest on it, upright or not, within
        10 cm. The expert brakes, opens the hand, waits until the target lies still and grasps it where it is.

A miss and a slip are made by commands alone, which stand in the actions. Nobody should learn them, nor a reach for a
target that is about to jump: those rows, always the first of a demonstration, are marked (`Take.wrong_rows`, stored as
`imitate`); what follows them is an answer to what can be seen.

Whether it went wrong as it should is what the scene's own physics has shown; else it is taken back and drawn anew. A
scene that leaves no room for it gets a shove instead, and one that has no room for that, or cannot be grasped in
afterwards, is demonstrated undisturbed; what is stored is what happened.
"""

import itertools
from dataclasses import replace

import mujoco
import numpy as np

from assets.objects.build import hull_points
from assets.robots.rm75 import JOINT_LIMITS_RAD
from datagen import motion
from datagen.script import Script
from datagen.search import CLOSE_STEPS, LIFT, LIFT_STEPS, Plan, plan_motion
from datagen.stage import Mark, Stage
from envs import spec
from envs.control import arm_to_rad
from envs.episode import (
    LEAST_X,
    LEAST_Y,
    NEIGHBOUR_GAP_M,
    TARGET_X,
    TARGET_Y,
    outline_on_table,
    separation,
)
from envs.outcome import tilt_between_deg
from envs.scene import Scene
from envs.sim import SimEnv

TRIES = 24
MISHAP_TRIES = 4  # carried out, of misses and slips
MOVED_START_RAD, LIMIT_MARGIN_RAD = 0.3, 0.05
LEAST_VISIBLE = 0.6  # of what the head camera sees of the target from the usual start
SHOVE_M, SHOVE_RAD = (0.015, 0.04), np.radians(30.0)
SHOVE_STEPS = (7, 14)  # after so many control steps: the hand is on its way, and not yet near
MISS_AIMS, MISS_DRAWS = 3, 5  # so many grasps are looked at, and each so often
MISS_M = np.arange(0.03, 0.1001, 0.01)  # how far off: the first of them at which the hand closes on nothing
MISS_RAD, MISS_SIDE_RAD = np.radians((20.0, 85.0)), np.radians(70.0)  # how much of it upwards; and of that sideways
MISS_STRIDE = 3  # of the openings on the way to a closed hand, those that are looked at
MISS_JUMP_RAD = 0.5
NOTICE_STEPS = (6, 10)  # of the lift, before a hand is found to be empty
EMPTY_M = 0.005  # a target that has been lifted less has not been grasped
PUSHED_M, TIPPED_DEG = 0.05, 15.0  # a missed grasp must leave the target standing about where it was
LOST_M = 0.002  # lower than this, a target that was up is on the table again
SLID_M = 0.1  # a lost one may come to lie so far from where it was
GRIP = 0.08  # openings; see lose
GIVE_WAY = (0.01, 0.03)  # openings per control step
THUMB_TURN = 5  # of the six openings this one only turns the thumb to the other side
_INWARDS = 0.98  # a ray at the very corner would pass by


def moved_start(script: Script, rng: np.random.Generator) -> bool:
    """Begin the take anew from another collision-free start posture; False, and nothing changed, if none is found."""
    stage, scout = script.stage, script.scout
    scene, rest = stage.scene, np.asarray(stage.scene.hand.rest_action)
    data = mujoco.MjData(scene.model)
    mujoco.mj_copyData(data, scene.model, stage.data)
    scout.snapshot(stage.data, stage.servo)
    usual = np.asarray(scene.episode.arm_start_rad)
    shown = visible_share(scene, data)
    low, high = JOINT_LIMITS_RAD.T + np.array([[LIMIT_MARGIN_RAD], [-LIMIT_MARGIN_RAD]])
    for _ in range(TRIES):
        start = np.clip(usual + rng.uniform(-MOVED_START_RAD, MOVED_START_RAD, spec.ARM_DOF), low, high)
        if scout.blocked(start, rest):
            continue
        data.qpos[stage.servo.arm_qpos] = start
        mujoco.mj_kinematics(scene.model, data)
        # The arm may stand anywhere but between the camera and the target.
        if visible_share(scene, data) >= LEAST_VISIBLE * shown:
            stage.start_elsewhere(tuple(map(float, start)))
            return True
    return False


def visible_share(scene: Scene, data: mujoco.MjData) -> float:
    """The share of the target's corners towards which the head camera looks and sees the target first.

    By rays, not pixels: what is demonstrated must not depend on whether anything is drawn.
    """
    body, eye = int(scene.object_bodies[0]), data.camera(spec.HEAD).xpos.copy()
    corners = hull_points(scene.objects[0]) * _INWARDS @ data.xmat[body].reshape(3, 3).T + data.xpos[body]
    rays = (corners - eye) / np.linalg.norm(corners - eye, axis=1, keepdims=True)
    hit, distance = np.full(len(rays), -1, np.int32), np.zeros(len(rays))
    groups = np.zeros(6, np.uint8)
    groups[spec.COLLISION_GROUP] = 1
    # Without what stands still: the rays begin inside the housing of the camera.
    mujoco.mj_multiRay(scene.model, data, eye, rays.ravel(), groups, 0, -1, hit, distance, None, len(rays), 10.0)
    return float(np.mean(np.where(hit >= 0, scene.model.geom_bodyid[hit], -1) == body))


def shove(script: Script, rng: np.random.Generator) -> bool:
    """Reach for the target, and when the hand is on its way the target jumps; the arm brakes. False if it has no room.

    The hand reaches for the first grasp that the arm can get at: it is not going to close.
    """
    take, start = script.take, script.take.mark()
    step = int(rng.integers(*SHOVE_STEPS))
    plan = next(script.motions(), None)
    if plan is None:
        return False
    for action, phase in zip(plan.actions[:step], plan.phases, strict=False):
        take.do(action, int(phase))
    pose = _free_pose(script.stage, rng)
    if pose is None:
        take.back_to(start)
        return False
    _put_target(script.stage, pose)
    take.wrong_rows = len(take.rows)
    script.brake(plan, step - 1)
    return True


def _put_target(env: SimEnv, pose: np.ndarray) -> None:
    env.data.qpos[env.scene.object_qpos[0]] = pose
    env.data.qvel[env.model.joint(spec.TARGET).dofadr[0] + np.arange(6)] = 0.0
    mujoco.mj_kinematics(env.model, env.data)
    mujoco.mj_camlight(env.model, env.data)


def _free_pose(env: SimEnv, rng: np.random.Generator) -> np.ndarray | None:
    scene, poses = env.scene, env.scene.object_poses(env.data)
    others = [outline_on_table(s, p[3:]) + p[:2] for s, p in zip(scene.objects[1:], poses[1:], strict=True)]
    scratch = mujoco.MjData(env.model)
    for _ in range(TRIES):
        pose = _pushed(poses[0], rng)
        outline = outline_on_table(scene.objects[0], pose[3:]) + pose[:2]
        inside = TARGET_X[0] <= pose[0] <= TARGET_X[1] and TARGET_Y[0] <= pose[1] <= TARGET_Y[1]
        on_table = outline[:, 0].min() >= LEAST_X and outline[:, 1].min() >= LEAST_Y
        if not (inside and on_table) or any(separation(outline, other) < NEIGHBOUR_GAP_M for other in others):
            continue
        scratch.qpos[:] = env.data.qpos
        scratch.qpos[scene.object_qpos[0]] = pose
        mujoco.mj_kinematics(env.model, scratch)
        mujoco.mj_collision(env.model, scratch)
        owners = env.model.geom_bodyid[scratch.contact.geom] == scene.object_bodies[0]
        if not (owners.any(axis=1) & scene.is_robot[scratch.contact.geom].any(axis=1)).any():
            return pose
    return None


def _pushed(pose: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    heading, far, turn = rng.uniform(0, 2 * np.pi), rng.uniform(*SHOVE_M), rng.uniform(-SHOVE_RAD, SHOVE_RAD)
    pushed = pose.copy()
    pushed[:2] += far * np.cos(heading), far * np.sin(heading)
    mujoco.mju_mulQuat(pushed[3:], np.array([np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)]), pose[3:])
    return pushed


def miss(script: Script, rng: np.random.Generator) -> bool:
    """Close the hand beside the target, find it empty and open it. False, and back where it was, if there is no way."""
    take, stage, start = script.take, script.stage, script.take.mark()
    aims = itertools.chain.from_iterable([aim] * MISS_DRAWS for aim in script.motions())
    plans = (plan_beside(script, aim, rng) for aim in itertools.islice(aims, MISS_AIMS * MISS_DRAWS))
    for plan in itertools.islice((plan for plan in plans if plan is not None), MISHAP_TRIES):
        noticed = plan.reach_steps + CLOSE_STEPS + int(rng.integers(*NOTICE_STEPS))
        for action, phase in zip(plan.actions[:noticed], plan.phases, strict=False):
            take.do(action, int(phase))
        if _left_alone(stage, start, PUSHED_M, TIPPED_DEG):
            take.wrong_rows = len(take.rows)
            script.brake(plan, noticed - 1)
            script.let_go()
            if script.wait() and _left_alone(stage, start, PUSHED_M, TIPPED_DEG):
                return True
        take.back_to(start)
    return False


def plan_beside(script: Script, aim: Plan, rng: np.random.Generator) -> Plan | None:
    """The grasp of `aim` short of the target and above it, as little as leaves it room to close on nothing."""
    angle, side = rng.uniform(*MISS_RAD), rng.uniform(-MISS_SIDE_RAD, MISS_SIDE_RAD)
    pose, scout = aim.grasp.hand_in_world, script.scout
    up = np.cos(side) * np.array([0.0, 0.0, 1.0]) + np.sin(side) * pose[:3, 0]
    way = np.sin(angle) * up - np.cos(angle) * pose[:3, 2]
    grasped_rad = arm_to_rad(aim.actions[aim.reach_steps - 1, spec.ARM])
    openings = aim.actions[aim.reach_steps : aim.reach_steps + CLOSE_STEPS : MISS_STRIDE, spec.HAND]
    for far in MISS_M:
        beside = pose.copy()
        beside[:3, 3] += far * way / np.linalg.norm(way)
        posture = motion.nearest_posture(beside, grasped_rad, MISS_JUMP_RAD)
        if posture is not None and not any(scout.blocked(posture, opening) for opening in openings):
            break
    else:
        return None
    return plan_motion(scout, script.stage.servo.reference_rad, replace(aim.grasp, hand_in_world=beside))


def slip(script: Script, rng: np.random.Generator) -> bool:
    """Take hold of the target and lose it out of loosening fingers in the lift; wait until it lies still.

    False, and back where it was, if it does not come up, or not down again near where it was.
    """
    take, start = script.take, script.take.mark()
    for plan in itertools.islice(script.motions(), MISHAP_TRIES):
        lost_at = lose(script, plan, rng)
        if lost_at is not None:
            take.wrong_rows = len(take.rows)
            script.brake(plan, lost_at)
            script.let_go()
            if script.wait() and _left_alone(script.stage, start, SLID_M, 180.0):
                return True
        take.back_to(start)
    return False


def lose(script: Script, plan: Plan, rng: np.random.Generator) -> int | None:
    """Play `plan` with fingers that give way as soon as the target is up: the step at which it is down, or None."""
    take, stage, lift = script.take, script.stage, plan.reach_steps + CLOSE_STEPS
    for action, phase in zip(plan.actions[:lift], plan.phases, strict=False):
        take.do(action, int(phase))
    # How far the fingers are told to go beyond where the target stops them decides how hard they press.
    stopped, beyond = stage.servo.measured(stage.data)[spec.HAND][:THUMB_TURN].astype(float), GRIP
    give_way, highest_m = rng.uniform(*GIVE_WAY), 0.0
    for step in range(lift, lift + LIFT_STEPS):
        action = plan.actions[step].copy()
        action[spec.HAND][:THUMB_TURN] = np.clip(stopped - beyond, 0.0, 1.0)
        take.do(action, LIFT)
        highest_m = max(highest_m, stage.lowest_m)
        if highest_m > LOST_M:
            beyond -= give_way
        if highest_m > EMPTY_M and stage.lowest_m < LOST_M:
            return step
    return None


def _left_alone(stage: Stage, start: Mark, most_m: float, most_deg: float) -> bool:
    """Whether the target is on the table, moved and tipped by no more than that, and the rest about as it was."""
    was, now = start.saved.start_poses, stage.scene.object_poses(stage.data)
    moved = float(np.linalg.norm(now[0, :3] - was[0, :3]))
    tipped = float(tilt_between_deg(was[:1, 3:], now[:1, 3:])[0])
    close = moved < most_m and tipped <= most_deg
    return stage.outcome is None and stage.lowest_m < EMPTY_M and close and stage.is_gentle()
