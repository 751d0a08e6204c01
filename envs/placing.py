"""Where things may stand on the table, where a shove may end, where a shifted camera may look; no rng of its own."""

from collections.abc import Sequence

import mujoco
import numpy as np

from assets.objects.build import hull_points
from assets.objects.types import ObjectSpec
from assets.robots.station import HEAD_AXES, HEAD_POS
from envs import spec
from envs.changes import Shove

PLACEMENT_TRIES = 60
# The target's origin is drawn from the part of the table that the arm covers without a hole (m, in world).
TARGET_X, TARGET_Y = (0.41, 0.57), (-0.38, 0.02)
NEIGHBOUR_X, NEIGHBOUR_Y = (0.40, 0.70), (-0.41, 0.14)
# Outlines stay on the table top and out of the space where the hand waits at the start of an episode.
LEAST_X, LEAST_Y = 0.37, -0.425
# A target that is to be pulled over the near edge: how far the table stays free before it, and behind it for the hand.
PULL_M, BEHIND_M = 0.15, 0.07
# Free space between outlines on the table: room for fingers around the target, less among neighbours.
TARGET_GAP_M, NEIGHBOUR_GAP_M = 0.025, 0.008
# A shove is slid in so many control steps, and drawn from these.
SHOVE_STEPS, SHOVE_TRIES = 4, 24
SHOVE_M, SHOVE_RAD, SHOVE_AT_M = (0.03, 0.06), np.radians(30.0), (0.16, 0.24)
# A shifted head camera still shows the target's origin, so far from the edge of the picture.
CAMERA_MARGIN_PX, CAMERA_TRIES = 40.0, 1000


def place(
    rng: np.random.Generator,
    specs: Sequence[ObjectSpec],
    rests: Sequence[tuple],
    target_in: tuple[tuple[float, float], tuple[float, float]] = (TARGET_X, TARGET_Y),
    *,
    pulled: bool = False,
    targets: int = 1,
) -> np.ndarray | None:
    """Poses (N, 7) with room between the outlines, or None if the table is too full for this draw.

    rests: (quat wxyz, height) of each object at rest; target_in: ranges of x and y for the first `targets` ones (m);
    pulled: the way of the first one over the near edge stays free.
    """
    poses: list[np.ndarray] = []
    outlines: list[np.ndarray] = []
    for i, (object_spec, (quat, height)) in enumerate(zip(specs, rests, strict=True)):
        xs, ys = target_in if i < targets else (NEIGHBOUR_X, NEIGHBOUR_Y)
        for _ in range(PLACEMENT_TRIES):
            yaw = rng.uniform(-np.pi, np.pi)
            turned = turn_about_z(np.asarray(quat, float), yaw)
            xy = np.array([rng.uniform(*xs), rng.uniform(*ys)])
            outline = outline_on_table(object_spec, turned) + xy
            if outline[:, 0].min() < LEAST_X or outline[:, 1].min() < LEAST_Y:
                continue
            gaps = [TARGET_GAP_M if j < targets else NEIGHBOUR_GAP_M for j in range(i)]
            if all(separation(outline, other) >= gap for other, gap in zip(outlines, gaps, strict=True)):
                poses.append(np.concatenate([xy, [height], turned]))
                outlines.append(_swept(outline, -PULL_M, BEHIND_M) if pulled and i == 0 else outline)
                break
        else:
            return None
    return np.array(poses)


def outline_on_table(object_spec: ObjectSpec, quat: np.ndarray) -> np.ndarray:
    """Convex outline (K, 2), counter-clockwise, of an object's shadow on the table, around its body origin."""
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    flat = (hull_points(object_spec) @ matrix.reshape(3, 3).T)[:, :2]
    return _convex_hull(flat)


def _swept(outline: np.ndarray, *along_x: float) -> np.ndarray:
    """The convex outline (K, 2) of all that lies between an outline and itself moved along x (m)."""
    return _convex_hull(np.concatenate([outline + (x, 0.0) for x in along_x]))


def _convex_hull(points: np.ndarray) -> np.ndarray:
    """Andrew's monotone chain, (K, 2) counter-clockwise; qhull would cost ten times as much for these few points."""
    ordered = sorted(map(tuple, np.round(points, 6)))

    def chain(sequence: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for p in sequence:
            while len(hull) >= 2:
                (ax, ay), (bx, by) = hull[-2], hull[-1]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                hull.pop()
            hull.append(p)
        return hull[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def separation(a: np.ndarray, b: np.ndarray) -> float:
    """Widest gap between two convex outlines over the directions of their edges (m); negative when they overlap.

    A lower bound of the true distance, which is what keeping a clearance needs.
    """
    edges = np.concatenate([np.roll(a, -1, axis=0) - a, np.roll(b, -1, axis=0) - b])
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    pa, pb = normals @ a.T, normals @ b.T
    return float(np.maximum(pb.min(axis=1) - pa.max(axis=1), pa.min(axis=1) - pb.max(axis=1)).max())


def turn_about_z(quat: np.ndarray, angle_rad: float) -> np.ndarray:
    """The orientation `quat` (4,) wxyz after a turn about the vertical axis of the world."""
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, np.array([np.cos(angle_rad / 2), 0, 0, np.sin(angle_rad / 2)]), quat)
    return turned


def slid(pose: np.ndarray, shove: Shove, share: float) -> np.ndarray:
    """A pose (7,) after this share of a shove."""
    moved = pose.copy()
    moved[:2] += np.multiply(share, shove.by_m)
    moved[3:] = turn_about_z(pose[3:], share * shove.turn_rad)
    return moved


def draw_shove(rng: np.random.Generator, specs: Sequence[ObjectSpec], poses: np.ndarray) -> Shove | None:
    """A shove of object 0 that touches nothing on its way and ends where a target may stand; None without room.

    poses: (N, 7) of all objects.
    """
    others = [outline_on_table(s, p[3:]) + p[:2] for s, p in zip(specs[1:], poses[1:], strict=True)]
    for _ in range(SHOVE_TRIES):
        heading, far = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(*SHOVE_M)
        by = (float(far * np.cos(heading)), float(far * np.sin(heading)))
        shove = Shove(float(rng.uniform(*SHOVE_AT_M)), by, float(rng.uniform(-SHOVE_RAD, SHOVE_RAD)))
        way = [slid(poses[0], shove, step / SHOVE_STEPS) for step in range(1, SHOVE_STEPS + 1)]
        x, y = way[-1][:2]
        if not (TARGET_X[0] <= x <= TARGET_X[1] and TARGET_Y[0] <= y <= TARGET_Y[1]):
            continue
        outlines = [outline_on_table(specs[0], pose[3:]) + pose[:2] for pose in way]
        on_table = all(o[:, 0].min() >= LEAST_X and o[:, 1].min() >= LEAST_Y for o in outlines)
        if on_table and all(separation(o, other) >= NEIGHBOUR_GAP_M for o in outlines for other in others):
            return shove
    return None


def draw_head_shift(
    rng: np.random.Generator, target: Sequence[float], worst: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Unit vectors (3,): the direction in which the head camera is moved, and the axis about which it is turned.

    They are such that the camera still sees the place `target` (3,) when it is off by `worst` cm and degrees; None if
    none are found.
    """
    for _ in range(CAMERA_TRIES):
        way, axis = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
        if _is_framed(np.asarray(target), way * worst / 100, axis * np.radians(worst)):
            return way, axis
    return None


def _is_framed(point: np.ndarray, move_m: np.ndarray, turn_rad: np.ndarray) -> bool:
    """Whether the shifted head camera has a point well within its picture."""
    right, up = np.array(HEAD_AXES[:3]), np.array(HEAD_AXES[3:])
    frame = rotated(turn_rad) @ np.stack([right, up, np.cross(right, up)], axis=1)
    x, y, z = (point - np.array(HEAD_POS) - move_m) @ frame
    width, height = spec.IMAGE_SIZE
    focal = height / 2 / np.tan(np.radians(spec.HEAD_FOVY_DEG) / 2)
    return abs(focal * x / z) < width / 2 - CAMERA_MARGIN_PX and abs(focal * y / z) < height / 2 - CAMERA_MARGIN_PX


def rotated(vector_rad: Sequence[float]) -> np.ndarray:
    """Rotation matrix (3, 3) of a rotation vector (3,) in rad."""
    quat, matrix = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(9)
    mujoco.mju_quatIntegrate(quat, np.asarray(vector_rad, dtype=float), 1.0)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)
