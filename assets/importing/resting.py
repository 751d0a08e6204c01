"""How an object comes to rest on a table: facets that it can stand on, each proved by letting it stand."""

from dataclasses import dataclass, replace

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from assets.importing.refused import Refused
from assets.objects.build import add_object
from assets.objects.solids import rotation, support, support_of
from assets.objects.types import IDENTITY, ObjectSpec, RestPose
from envs.spec import COLLISION_GROUP, STATIC_BITS, TIMESTEP_S

MOST_POSES, CANDIDATES, DROPS = 4, 10, 8
LEAST_TIP_DEG = 5.0  # a pose that a smaller tilt would tip over is not one to count on
SAME_WAY_COS = np.cos(np.radians(8.0))
UPRIGHT_COS = np.cos(np.radians(20.0))
# The same bounds as for built-in objects.
STAND_S, MOVED_M, TURNED_DEG, STILL = 2.0, 0.005, 5.0, 0.02
DROP_S, DROP_M = 4.0, 0.01
SPACING_M = 0.8


@dataclass(frozen=True)
class Stance:
    """A way to stand: up (3,) is the direction in the body frame that points up, tip_deg the tilt that it bears."""

    up: tuple[float, float, float]
    tip_deg: float


def rest_poses(spec: ObjectSpec, upright: np.ndarray | None, insist: bool) -> tuple[RestPose, ...]:
    """Stable poses of an object whose own rest_poses are ignored, best first, each stood for 2 s of physics.

    First comes the one with `upright` (3,), in the body frame, on top, if there is one; then by the tilt that they
    bear. insist: raise Refused if there is none with `upright` on top. Raises Refused if the object never rests.
    """
    stances = [s for s in _facets(spec) if s.tip_deg >= LEAST_TIP_DEG]
    stances = _first_upright(stances, upright)[:CANDIDATES]
    standing = _that_stand(spec, [shortest_turn(np.array(s.up)) for s in stances])
    if not standing:
        standing = _that_stand(spec, _dropped(spec))
    if not standing:
        raise Refused(
            "it never comes to rest on a table: it rolls, rocks or tips over from every side; flatten its base, or "
            "check that the mesh is one solid thing"
        )
    if insist and upright is not None and rotation(standing[0].quat)[2] @ upright < UPRIGHT_COS:
        ways = "; ".join(
            " ".join(f"{v + 0.0:.1f}" for v in np.round(rotation(p.quat)[2], 1)) for p in standing[:MOST_POSES]
        )
        raise Refused(f"it does not stand with --upright on top; it rests with these directions up: {ways}")
    return tuple(standing[:MOST_POSES])


def shortest_turn(up: np.ndarray) -> tuple[float, float, float, float]:
    """The smallest rotation, quat wxyz, that brings direction `up` (3,) to +z."""
    up = up / np.linalg.norm(up)
    if up[2] > 1 - 1e-9:
        return IDENTITY
    if up[2] < -1 + 1e-9:
        return (0.0, 1.0, 0.0, 0.0)
    axis = np.cross(up, (0.0, 0.0, 1.0))
    half = np.arccos(np.clip(up[2], -1, 1)) / 2
    return tuple(float(v) for v in (np.cos(half), *(np.sin(half) * axis / np.linalg.norm(axis))))


def _first_upright(stances: list[Stance], upright: np.ndarray | None) -> list[Stance]:
    ordered = sorted(stances, key=lambda s: -s.tip_deg)
    if upright is None:
        return ordered
    # Only a nearly level pose counts as upright; a mug on its handle is closer to upright than to lying, and neither.
    return sorted(ordered, key=lambda s: -round(float(np.dot(s.up, upright)), 2) if _is_up(s, upright) else 1.0)


def _is_up(stance: Stance, upright: np.ndarray) -> bool:
    return float(np.dot(stance.up, upright)) > UPRIGHT_COS


def _facets(spec: ObjectSpec) -> list[Stance]:
    """Facets of the hull over which the centre of mass lies, with the tilt that would tip the object over their rim."""
    points = support_of(spec.pieces).vertices
    hull = ConvexHull(points)
    normals, found = hull.equations[:, :3], []
    used = np.zeros(len(normals), bool)
    for i in range(len(normals)):
        if used[i]:
            continue
        flush = normals @ normals[i] > np.cos(np.radians(1.0))
        used |= flush
        corners = points[np.unique(hull.simplices[flush])]
        normal = normals[i]
        height = float((corners @ normal).mean() - np.dot(spec.com_m, normal))
        margin = _margin(corners, normal, np.array(spec.com_m))
        if height > 0 and margin > 0:
            found.append(Stance(tuple(-normal), float(np.degrees(np.arctan2(margin, height)))))
    return found


def _margin(corners: np.ndarray, normal: np.ndarray, com: np.ndarray) -> float:
    """Distance from the centre of mass to the nearest edge of a facet, seen along its normal; negative outside."""
    side = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(normal, side)], axis=1)
    flat = ConvexHull((corners - com) @ axes)
    return float((-flat.equations[:, 2]).min())


def _table(spec: ObjectSpec, quats: list, raised_m: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """One copy of the object for each quat, side by side on a level table."""
    world = mujoco.MjSpec()
    option = world.option
    option.timestep, option.impratio = TIMESTEP_S, 100.0
    option.integrator, option.cone = mujoco.mjtIntegrator.mjINT_IMPLICITFAST, mujoco.mjtCone.mjCONE_ELLIPTIC
    option.solver, option.jacobian = mujoco.mjtSolver.mjSOL_NEWTON, mujoco.mjtJacobian.mjJAC_DENSE
    world.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 0.1], condim=4, group=COLLISION_GROUP,
        contype=STATIC_BITS[0], conaffinity=STATIC_BITS[1],
    )  # fmt: skip
    bare = replace(spec, visuals=())
    for i, quat in enumerate(quats):
        height = support(spec).reach(-rotation(quat)[2]) + raised_m
        add_object(world, bare, f"object{i}", (SPACING_M * i, 0.0, height), quat)
    model = world.compile()
    return model, mujoco.MjData(model)


def _that_stand(spec: ObjectSpec, quats: list) -> list[RestPose]:
    """Those of the poses that the object keeps, where it comes to stand, without two of one kind."""
    if not quats:
        return []
    model, data = _table(spec, quats, 0.0)
    start = data.qpos.reshape(-1, 7).copy()
    mujoco.mj_step(model, data, round(STAND_S / TIMESTEP_S))
    after, speed = data.qpos.reshape(-1, 7), np.abs(data.qvel.reshape(-1, 6)).max(axis=1)
    moved = np.linalg.norm(after[:, :3] - start[:, :3], axis=1)
    turned = 2 * np.degrees(np.arccos(np.clip(np.abs((start[:, 3:] * after[:, 3:]).sum(axis=1)), 0, 1)))
    poses: list[RestPose] = []
    for i in np.flatnonzero((moved < MOVED_M) & (turned < TURNED_DEG) & (speed < STILL)):
        up = rotation(after[i, 3:])[2]
        if any(rotation(pose.quat)[2] @ up > SAME_WAY_COS for pose in poses):
            continue
        quat = shortest_turn(up)
        poses.append(RestPose(quat, float(support(spec).reach(-rotation(quat)[2]))))
    return poses


def _dropped(spec: ObjectSpec) -> list:
    """Poses in which the object lies some seconds after it was let go, from directions spread evenly."""
    from assets.objects.solids import sphere_directions

    model, data = _table(spec, [shortest_turn(up) for up in sphere_directions(DROPS)], DROP_M)
    mujoco.mj_step(model, data, round(DROP_S / TIMESTEP_S))
    return [tuple(quat) for quat in data.qpos.reshape(-1, 7)[:, 3:]]
