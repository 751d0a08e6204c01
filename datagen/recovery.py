"""What goes wrong on purpose, so that demonstrations show how to come back. The perturber is no part of a policy.

joints: the arm starts up to 0.3 rad per joint off its usual place; the moved start is part of the stored scene.
shove:  during the reach the target jumps once, up to 4 cm and 30 degrees, to a free place on the table: its pose is
        written into the simulation between two control steps. The expert notices, brakes and plans anew.
miss:   the first grasp is carried out 2.5 to 4 cm off the target and comes up empty; a regrasp follows.

Each is drawn anew until it is free of collisions. A scene that leaves no room for another start or a miss gets a shove
instead, and one that has no room for that is demonstrated undisturbed; what is stored is what happened.
"""

from dataclasses import dataclass, replace

import mujoco
import numpy as np

from assets.objects.build import hull_points
from assets.robots.rm75 import JOINT_LIMITS_RAD
from datagen.branch import Branch
from datagen.scout import Scout, try_grasp
from datagen.search import GENTLE_N, Plan, plan_motion
from envs import spec
from envs.episode import (
    LEAST_X,
    LEAST_Y,
    NEIGHBOUR_GAP_M,
    TARGET_X,
    TARGET_Y,
    EpisodeSpec,
    outline_on_table,
    separation,
)
from envs.outcome import tilt_between_deg
from envs.scene import Scene
from envs.sim import SimEnv

TRIES = 24
MOVED_START_RAD, LIMIT_MARGIN_RAD = 0.3, 0.05
SHOVE_M, SHOVE_RAD = (0.015, 0.04), np.radians(30.0)
SHOVE_STEPS = (7, 14)  # before this control step: the hand is on its way, and not yet near
MISS_M, MISS_RAD = (0.025, 0.04), np.radians((35.0, 80.0))  # how far, and how much of it upwards
MISS_TRIES = 8
LEAST_VISIBLE = 0.6  # of what the head camera sees of the target from the usual start
_INWARDS = 0.98  # a ray at the very corner would pass by
EMPTY_M = 0.005  # a grasp that has lifted the target less is a miss
PUSHED_M, TIPPED_DEG = 0.05, 15.0  # a missed grasp must leave the target standing about where it was


def moved_start(scene: Scene, rng: np.random.Generator) -> EpisodeSpec | None:
    """The scene's episode with another collision-free start posture; None if none is found."""
    branch = Branch(scene)
    data = scene.initial_data()
    branch.snapshot(data, branch.servo)
    usual = np.asarray(scene.episode.arm_start_rad)
    branch.servo.reset(data, usual, np.asarray(scene.hand.rest_action))
    mujoco.mj_forward(scene.model, data)
    shown = visible_share(scene, data)
    low, high = JOINT_LIMITS_RAD.T + np.array([[LIMIT_MARGIN_RAD], [-LIMIT_MARGIN_RAD]])
    for _ in range(TRIES):
        start = np.clip(usual + rng.uniform(-MOVED_START_RAD, MOVED_START_RAD, spec.ARM_DOF), low, high)
        if branch.blocked(start, np.asarray(scene.hand.rest_action)):
            continue
        branch.servo.reset(data, start, np.asarray(scene.hand.rest_action))
        mujoco.mj_forward(scene.model, data)
        # The arm may stand anywhere but between the camera and the target.
        if visible_share(scene, data) >= LEAST_VISIBLE * shown:
            return replace(scene.episode, arm_start_rad=tuple(map(float, start)))
    return None


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


@dataclass
class Shove:
    """Moves the target once, before control step `step`. `done` says whether there was room for it."""

    rng: np.random.Generator
    step: int = 0
    done: bool = False

    def __post_init__(self) -> None:
        self.step = int(self.rng.integers(*SHOVE_STEPS))

    def before(self, env: SimEnv) -> None:
        """Look at the clock of the attempt and shove if it is time."""
        if env.progress.steps == self.step and not self.done:
            pose = self._free_pose(env)
            if pose is not None:
                env.data.qpos[env.scene.object_qpos[0]] = pose
                env.data.qvel[env.model.joint(spec.TARGET).dofadr[0] + np.arange(6)] = 0.0
                mujoco.mj_kinematics(env.model, env.data)
                mujoco.mj_camlight(env.model, env.data)
                self.done = True

    def _free_pose(self, env: SimEnv) -> np.ndarray | None:
        scene, poses = env.scene, env.scene.object_poses(env.data)
        others = [outline_on_table(s, p[3:]) + p[:2] for s, p in zip(scene.objects[1:], poses[1:], strict=True)]
        scratch = mujoco.MjData(env.model)
        for _ in range(TRIES):
            pose = _pushed(poses[0], self.rng)
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


def missing_plan(scout: Scout, arm_rad: np.ndarray, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """The grasp of `plan` beside the target, tried out: it comes up empty and leaves everything standing."""
    address = scout.scene.object_qpos[0]
    for _ in range(MISS_TRIES):
        far, angle = rng.uniform(*MISS_M), rng.uniform(*MISS_RAD)
        pose = plan.grasp.hand_in_world.copy()
        # Short of the target and above it; beside it or deeper, the hand would push it over or take it all the same.
        way = -np.cos(angle) * pose[:3, 2] + np.sin(angle) * np.array([0.0, 0.0, 1.0])
        pose[:3, 3] += far * way / np.linalg.norm(way)
        beside = plan_motion(scout, arm_rad, replace(plan.grasp, hand_in_world=pose))
        if beside is None:
            continue
        start = scout.snapshot_qpos[address]
        trial = try_grasp(scout, beside)
        end = scout.data.qpos[address]
        stands = np.linalg.norm(end[:3] - start[:3]) < PUSHED_M
        stands &= bool(tilt_between_deg(start[None, 3:], end[None, 3:])[0] < TIPPED_DEG)
        if stands and trial.lowest_m < EMPTY_M and not trial.disturbed and trial.station_force_n <= GENTLE_N:
            return beside
    return None
