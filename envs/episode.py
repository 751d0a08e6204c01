"""(suite, version, index) -> EpisodeSpec: the only place where a seed becomes a scene."""

import functools
import hashlib
import itertools
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import mujoco
import numpy as np

from assets.looks.looks import TRAIN_LIGHTINGS, TRAIN_TABLES, LookSpec
from assets.objects import imported, library
from assets.objects.build import hull_points
from assets.objects.language import Placed, referring_expressions
from assets.objects.types import ObjectSpec
from assets.robots.rm75 import POSES
from envs import spec
from envs.interface import EpisodeError
from envs.settling import NoRest, settle

MAX_OBJECTS = 12
PLACEMENT_TRIES = 60
SCENE_TRIES = 40


@dataclass(frozen=True)
class PlacedObject:
    """An object at rest: library id, position of its body frame in world (m), quaternion wxyz."""

    object_id: str
    pos: tuple[float, float, float]
    quat: tuple[float, float, float, float]


@dataclass(frozen=True)
class EpisodeSpec:
    """Every number of one scene. `objects[0]` is the target."""

    suite: str
    version: int
    index: int
    objects: tuple[PlacedObject, ...]
    instruction: str
    phrasings: tuple[str, ...]
    look: LookSpec
    arm_start_rad: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "EpisodeSpec":
        """Rebuild a spec from `as_dict` or from parsed JSON. Raises EpisodeError when a field is missing or unknown."""
        try:
            fields = dict(values)
            fields["objects"] = tuple(
                PlacedObject(o["object_id"], tuple(o["pos"]), tuple(o["quat"])) for o in fields["objects"]
            )
            fields["look"] = LookSpec(**fields["look"])
            fields["phrasings"] = tuple(fields["phrasings"])
            fields["arm_start_rad"] = tuple(fields["arm_start_rad"])
            return EpisodeSpec(**fields)
        except (KeyError, TypeError) as err:
            raise EpisodeError(f"not an episode: {err}; expected the fields of EpisodeSpec.as_dict()") from err

    @property
    def hash(self) -> str:
        """Sixteen hex digits over every number of the scene."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Distribution:
    """What a suite draws its scenes from. `version` is bumped when any number here or in the physics changes."""

    version: int
    targets: tuple[str, ...]
    neighbours: tuple[str, ...]
    size: int
    looks: tuple[tuple[str, str], ...] = (("white", "white"),)


# How many objects stand on the table (1 to 9, about 6).
COUNT_WEIGHTS = np.array([2, 3, 6, 11, 17, 21, 18, 13, 9]) / 100.0
# The target's origin is drawn from the part of the table that the arm covers without a hole (m, in world).
TARGET_X, TARGET_Y = (0.41, 0.57), (-0.38, 0.02)
NEIGHBOUR_X, NEIGHBOUR_Y = (0.40, 0.70), (-0.41, 0.14)
# Outlines stay on the table top and out of the space where the hand waits at the start of an episode.
LEAST_X, LEAST_Y = 0.37, -0.425
# Free space between outlines on the table: room for fingers around the target, less among neighbours.
TARGET_GAP_M, NEIGHBOUR_GAP_M = 0.025, 0.008
MIN_VISIBLE_PX = 320  # by ray casting; leaves room over the promised 200 rendered pixels
# Looks that training may show: the plain room and the training variants, never a look of the tests.
TRAIN_LOOKS = (("white", *TRAIN_TABLES), ("white", *TRAIN_LIGHTINGS))
ARM_START_NOISE_RAD = 0.02
USER_SUITE, USER_SUITE_SIZE = "user:", 100


@functools.cache
def distributions() -> dict[str, Distribution]:
    """Name -> distribution of every suite."""
    return {
        "unseen_objects": Distribution(1, library.UNSEEN, library.UNSEEN, 360),
        "seen_objects": Distribution(1, library.SEEN, library.SEEN, 360),
        "train": Distribution(1, library.SEEN, library.SEEN, 2000, tuple(itertools.product(*TRAIN_LOOKS))),
    }


def distribution(suite: str) -> Distribution:
    """The distribution of a suite: one of `distributions`, or "user:blue_mug,cup", "user:all" of one's own objects.

    Raises EpisodeError for an unknown name, or for a user's object that is missing or unreadable.
    """
    if suite.startswith(USER_SUITE):
        return _of_user(suite)
    known = distributions()
    if suite not in known:
        own = f"{USER_SUITE}NAME for an object of your own"
        raise EpisodeError(f"unknown suite {suite!r}; choose one of: {', '.join(sorted(known))}, or {own}")
    return known[suite]


@functools.cache
def _of_user(suite: str) -> Distribution:
    """The user's objects as targets among seen objects and each other, under the looks of training.

    The version is read off the objects' files: an object that was imported anew makes another suite.
    """
    words = sorted({word.strip().removeprefix(imported.PREFIX) for word in suite.removeprefix(USER_SUITE).split(",")})
    targets = imported.ids() if words == ["all"] else tuple(imported.PREFIX + word for word in words)
    if not targets:
        raise EpisodeError(f"no object was imported into {imported.default_folder()}; see python -m assets.import_mesh")
    try:
        digests = "".join(imported.find(target).digest for target in targets)
    except KeyError as fault:
        raise EpisodeError(str(fault)) from fault
    looks = tuple(itertools.product(*TRAIN_LOOKS))
    return Distribution(zlib.crc32(digests.encode()), targets, (*library.SEEN, *targets), USER_SUITE_SIZE, looks)


@functools.lru_cache(maxsize=64)
def make_episode(suite: str, index: int, version: int | None = None) -> EpisodeSpec:
    """The episode at `index` (>= 0, without end) of a suite.

    A pure function: it depends on nothing but its arguments and the versions of MuJoCo and of this package.
    Raises EpisodeError for an unknown suite, another version than the present one, or a negative index.
    """
    dist = distribution(suite)
    if version is not None and version != dist.version:
        raise EpisodeError(f"suite {suite} is at version {dist.version} here; version {version} was asked for")
    if index < 0:
        raise EpisodeError(f"episode indices start at 0; got {index}")
    round_, place = divmod(index, len(dist.targets))
    order = _rng(suite, dist.version, "order", round_).permutation(len(dist.targets))
    target = dist.targets[order[place]]
    rng = _rng(suite, dist.version, "scene", index)
    for _ in range(SCENE_TRIES):
        episode = _try_scene(rng, dist, target, EpisodeSpec(suite, dist.version, index, (), "", (), LookSpec(), ()))
        if episode is not None:
            return episode
    raise EpisodeError(f"no scene found for {suite}[{index}] with target {target} after {SCENE_TRIES} tries")


def _rng(suite: str, version: int, purpose: str, number: int) -> np.random.Generator:
    key = zlib.crc32(f"{suite}/{purpose}".encode())
    return np.random.default_rng(np.random.SeedSequence([key, version, number]))


def _try_scene(rng: np.random.Generator, dist: Distribution, target: str, blank: EpisodeSpec) -> EpisodeSpec | None:
    count = 1 + int(rng.choice(len(COUNT_WEIGHTS), p=COUNT_WEIGHTS))
    others = [i for i in dist.neighbours if i != target]
    ids = [target, *(others[k] for k in rng.choice(len(others), size=count - 1, replace=False))]
    specs = [library.get_object(i) for i in ids]
    poses = [int(rng.integers(len(s.rest_poses))) for s in specs]
    placed = _place(rng, specs, [s.rest_quats[pose] for s, pose in zip(specs, poses, strict=True)])
    if placed is None:
        return None
    try:
        settled = settle(specs, placed, MIN_VISIBLE_PX)
    except NoRest:
        return None
    objects = tuple(
        PlacedObject(i, tuple(map(float, pose[:3])), tuple(map(float, pose[3:])))
        for i, pose in zip(ids, settled, strict=True)
    )
    words = [Placed(s, (float(at[0]), float(at[1])), pose) for s, at, pose in zip(specs, settled, poses, strict=True)]
    phrasings = referring_expressions(words[0], words[1:])
    table, lighting = dist.looks[int(rng.integers(len(dist.looks)))]
    return replace(
        blank,
        objects=objects,
        instruction=phrasings[int(rng.integers(len(phrasings)))],
        phrasings=tuple(phrasings),
        look=LookSpec(table, lighting, int(rng.integers(1000))),
        arm_start_rad=tuple(
            map(float, POSES["init"] + rng.uniform(-ARM_START_NOISE_RAD, ARM_START_NOISE_RAD, spec.ARM_DOF))
        ),
    )


def _place(rng: np.random.Generator, specs: Sequence[ObjectSpec], rests: Sequence[tuple]) -> np.ndarray | None:
    """Poses (N, 7) with room between the outlines, or None if the table is too full for this draw."""
    poses: list[np.ndarray] = []
    outlines: list[np.ndarray] = []
    for i, (object_spec, (quat, height)) in enumerate(zip(specs, rests, strict=True)):
        xs, ys = (TARGET_X, TARGET_Y) if i == 0 else (NEIGHBOUR_X, NEIGHBOUR_Y)
        for _ in range(PLACEMENT_TRIES):
            yaw = rng.uniform(-np.pi, np.pi)
            turned = np.zeros(4)
            mujoco.mju_mulQuat(turned, np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]), np.asarray(quat, float))
            xy = np.array([rng.uniform(*xs), rng.uniform(*ys)])
            outline = outline_on_table(object_spec, turned) + xy
            if outline[:, 0].min() < LEAST_X or outline[:, 1].min() < LEAST_Y:
                continue
            gaps = [TARGET_GAP_M if j == 0 else NEIGHBOUR_GAP_M for j in range(i)]
            if all(separation(outline, other) >= gap for other, gap in zip(outlines, gaps, strict=True)):
                poses.append(np.concatenate([xy, [height], turned]))
                outlines.append(outline)
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
