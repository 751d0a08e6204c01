"""Objects come to rest on the bare table before an episode exists; what does not rest or cannot be seen is refused."""

from collections.abc import Sequence

import mujoco
import numpy as np

from assets.objects.build import add_object
from assets.objects.types import ObjectSpec
from assets.robots.station import HEAD_AXES, HEAD_POS
from envs import spec
from envs.physics import set_options

SETTLE_S, SETTLE_ROUNDS = 0.5, 5  # most scenes rest after one round; soft-edged things rock a little longer
MAX_PENETRATION_M = 0.001
MAX_DRIFT_M, MAX_TILT_DEG, MAX_SPEED = 0.01, 6.0, 0.02  # speed: m/s and rad/s alike
RAY_STRIDE_PX = 3


class NoRest(Exception):
    """This draw does not come to rest, penetrates, or hides its target. Draw again."""


def settle(objects: Sequence[ObjectSpec], poses: np.ndarray, min_visible_px: int, targets: int = 1) -> np.ndarray:
    """Poses (N, 7) after the objects have come to rest, from nearly resting poses (N, 7).

    Raises NoRest if one slides, tips or sinks, or if the head camera sees too little of one of the first `targets`.
    """
    model = _bare_table(objects, poses)
    data = mujoco.MjData(model)
    start = data.qpos.reshape(-1, 7).copy()
    for _ in range(SETTLE_ROUNDS):
        mujoco.mj_step(model, data, round(SETTLE_S * spec.PHYSICS_HZ))
        if np.abs(data.qvel).max() < MAX_SPEED:
            break
    after = data.qpos.reshape(-1, 7)
    mujoco.mj_forward(model, data)
    turn = 2 * np.degrees(np.arccos(np.clip(np.abs((start[:, 3:] * after[:, 3:]).sum(axis=1)), 0, 1)))
    if np.linalg.norm(after[:, :3] - start[:, :3], axis=1).max() > MAX_DRIFT_M or turn.max() > MAX_TILT_DEG:
        raise NoRest("an object slides or tips")
    if np.abs(data.qvel).max() > MAX_SPEED:
        raise NoRest("an object still moves")
    if data.ncon and data.contact.dist.min() < -MAX_PENETRATION_M:
        raise NoRest("two bodies penetrate")
    for target in map(spec.object_name, range(targets)):
        if visible_pixels(model, data, model.body(target).id) < min_visible_px:
            raise NoRest("the head camera hardly sees the target")
    return after.copy()


def _bare_table(objects: Sequence[ObjectSpec], poses: np.ndarray) -> mujoco.MjModel:
    world = mujoco.MjSpec()
    set_options(world)
    contype, conaffinity = spec.STATIC_BITS
    world.worldbody.add_geom(
        name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[2, 2, 0.1], condim=4,
        group=spec.COLLISION_GROUP, contype=contype, conaffinity=conaffinity,
    )  # fmt: skip
    for i, (object_spec, pose) in enumerate(zip(objects, poses, strict=True)):
        add_object(world, object_spec, spec.object_name(i), pose[:3], pose[3:])
    return world.compile()


def visible_pixels(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> int:
    """How many pixels of a 640x480 head image show the body, by casting rays at its collision shapes.

    Rays instead of a rendered picture: an episode must not depend on the machine's graphics library.
    """
    right, up = np.array(HEAD_AXES[:3]), np.array(HEAD_AXES[3:])
    right, up = right / np.linalg.norm(right), up / np.linalg.norm(up)
    axes = np.stack([right, up, np.cross(right, up)], axis=1)
    eye = np.array(HEAD_POS, dtype=float)
    width, height = spec.IMAGE_SIZE
    focal = height / 2 / np.tan(np.radians(spec.HEAD_FOVY_DEG) / 2)

    seen = (data.xipos[body] - eye) @ axes
    reach = max(model.geom_rbound[g] for g in np.flatnonzero(model.geom_bodyid == body)) + 0.1
    centre = np.array([width / 2 + focal * seen[0] / -seen[2], height / 2 - focal * seen[1] / -seen[2]])
    half = focal * reach / -seen[2]
    low = np.maximum(np.floor(centre - half), 0)
    high = np.minimum(np.ceil(centre + half), [width, height])
    u, v = np.meshgrid(np.arange(low[0], high[0], RAY_STRIDE_PX) + 0.5, np.arange(low[1], high[1], RAY_STRIDE_PX) + 0.5)
    if u.size == 0:
        return 0
    local = np.stack([(u - width / 2) / focal, (height / 2 - v) / focal, -np.ones_like(u)], axis=-1).reshape(-1, 3)
    rays = local @ axes.T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    hit, distance = np.full(len(rays), -1, dtype=np.int32), np.zeros(len(rays))
    groups = np.zeros(6, dtype=np.uint8)
    groups[spec.COLLISION_GROUP] = 1
    mujoco.mj_multiRay(model, data, eye, rays.ravel(), groups, 1, -1, hit, distance, None, len(rays), 10.0)
    return int((model.geom_bodyid[hit[hit >= 0]] == body).sum()) * RAY_STRIDE_PX**2
