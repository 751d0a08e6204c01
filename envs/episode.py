"""(suite, version, index) -> EpisodeSpec: the only place where a seed becomes a scene."""

import functools
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assets.looks.looks import LookSpec
from assets.objects import imported, library
from assets.objects.finish import finished
from assets.objects.language import Placed, referring_expressions
from assets.robots.rm75 import POSES
from envs import spec
from envs.changes import NONE, Changes
from envs.interface import EpisodeError
from envs.placing import (
    LEAST_X,
    LEAST_Y,
    NEIGHBOUR_GAP_M,
    TARGET_X,
    TARGET_Y,
    draw_head_shift,
    draw_shove,
    outline_on_table,
    place,
    separation,
)
from envs.settling import NoRest, settle
from envs.suites import TRAIN_LOOKS, Cell, Condition, Distribution, Mix, cell, distributions

__all__ = [  # with what datagen needs of envs.placing
    "LEAST_X",
    "LEAST_Y",
    "NEIGHBOUR_GAP_M",
    "TARGET_X",
    "TARGET_Y",
    "EpisodeSpec",
    "PlacedObject",
    "distribution",
    "distributions",
    "make_episode",
    "outline_on_table",
    "separation",
]

MAX_OBJECTS = 12
SCENE_TRIES = 40
# How many objects stand on the table (1 to 9, about 6).
COUNT_WEIGHTS = np.array([2, 3, 6, 11, 17, 21, 18, 13, 9]) / 100.0
MIN_VISIBLE_PX = 320  # by ray casting; leaves room over the promised 200 rendered pixels
ARM_START_NOISE_RAD = 0.02
USER_SUITE, USER_SUITE_SIZE = "user:", 100
LIST_SUFFIX = ".json"


@dataclass(frozen=True)
class PlacedObject:
    """An object at rest: library id, position of its body frame in world (m), quaternion wxyz."""

    object_id: str
    pos: tuple[float, float, float]
    quat: tuple[float, float, float, float]


@dataclass(frozen=True)
class EpisodeSpec:
    """Every number of one scene. `objects[0]` is the target.

    relevant: where the instruction is a prompt for several objects, the indices of all that it asks for; else empty.
    """

    suite: str
    version: int
    index: int
    objects: tuple[PlacedObject, ...]
    instruction: str
    phrasings: tuple[str, ...]
    look: LookSpec
    arm_start_rad: tuple[float, ...]
    changes: Changes = NONE
    relevant: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` is the inverse. "changes" and "relevant" stand there only if there are any."""
        values = asdict(self) | {"changes": self.changes.as_dict()}
        return {name: value for name, value in values.items() if value or name not in ("changes", "relevant")}

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
            fields["changes"] = Changes.from_dict(fields.get("changes", {}))
            fields["relevant"] = tuple(fields.get("relevant", ()))
            return EpisodeSpec(**fields)
        except (KeyError, TypeError, ValueError) as err:
            raise EpisodeError(f"not an episode: {err}; expected the fields of EpisodeSpec.as_dict()") from err

    @property
    def hash(self) -> str:
        """Sixteen hex digits over every number of the scene."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Listed:
    """Episodes that a user wrote down. `version` follows from the bytes of the file."""

    version: int
    episodes: tuple[EpisodeSpec, ...]

    @property
    def size(self) -> int:
        """How many there are; unlike a drawn suite, it ends there."""
        return len(self.episodes)

    @property
    def looks(self) -> tuple[tuple[str, str], ...]:
        """Table and lighting of the episodes, each pair once."""
        return tuple(dict.fromkeys((episode.look.table, episode.look.lighting) for episode in self.episodes))


def distribution(suite: str) -> Distribution | Mix | Listed:
    """What a suite is made of: the name of one of `distributions`, "user:blue_mug,cup" or "user:all" of one's own
    objects, or the path of a JSON file with a list of episodes as `EpisodeSpec.as_dict` gives them.

    Raises EpisodeError for an unknown name, for a user's object that is missing, or for an unreadable file.
    """
    if suite.startswith(USER_SUITE):
        return _of_user(suite)
    if suite.endswith(LIST_SUFFIX):
        return _of_file(suite)
    known = distributions()
    if suite not in known:
        own = f"{USER_SUITE}NAME for an object of your own, FILE{LIST_SUFFIX} for episodes of your own"
        raise EpisodeError(f"unknown suite {suite!r}; choose one of: {', '.join(sorted(known))}, or {own}")
    return known[suite]


def episode_count(suite: str) -> int | None:
    """How many episodes a suite has, or None where they go on without end beyond the published ones."""
    listed = distribution(suite)
    return listed.size if isinstance(listed, Listed) else None


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
    conditions = (Condition(looks=TRAIN_LOOKS),)
    return Distribution(zlib.crc32(digests.encode()), targets, (*library.SEEN, *targets), USER_SUITE_SIZE, conditions)


@functools.cache
def _of_file(path: str) -> Listed:
    """The episodes of a JSON file, under the suite's name and numbered in their order. Read once."""
    try:
        content = Path(path).read_bytes()
        rows = json.loads(content)
    except OSError as err:
        raise EpisodeError(f"cannot read the suite {path}: {err.strerror or err}") from err
    except ValueError as err:
        raise EpisodeError(f"the suite {path} is no JSON: {err}") from err
    if not isinstance(rows, list) or not rows:
        raise EpisodeError(f"the suite {path} must hold a list of episodes, each as EpisodeSpec.as_dict() gives it")
    version = zlib.crc32(content)
    return Listed(version, tuple(_listed(path, version, index, row) for index, row in enumerate(rows)))


def _listed(path: str, version: int, index: int, row: Any) -> EpisodeSpec:
    try:
        if not isinstance(row, dict):
            raise EpisodeError(f"not an episode: {type(row).__name__}; expected the fields of EpisodeSpec.as_dict()")
        episode = EpisodeSpec.from_dict(row)
        if not 1 <= len(episode.objects) <= MAX_OBJECTS:
            raise EpisodeError(f"a scene holds 1 to {MAX_OBJECTS} objects; got {len(episode.objects)}")
        for placed in episode.objects:
            library.get_object(placed.object_id)
        if not set(episode.relevant) <= set(range(len(episode.objects))):
            raise EpisodeError(f"relevant lists indices of the {len(episode.objects)} objects; got {episode.relevant}")
    except (EpisodeError, KeyError) as err:
        raise EpisodeError(f"episode {index} of the suite {path}: {err.args[0]}") from err
    return replace(episode, suite=path, version=version, index=index)


@functools.lru_cache(maxsize=64)
def make_episode(suite: str, index: int, version: int | None = None) -> EpisodeSpec:
    """The episode at `index` (>= 0, without end, but for a file's list) of a suite.

    A pure function: it depends on nothing but its arguments and the versions of MuJoCo and of this package.
    Raises EpisodeError for an unknown suite, another version than the present one, or an index that cannot be.
    """
    dist = distribution(suite)
    if version is not None and version != dist.version:
        raise EpisodeError(f"suite {suite} is at version {dist.version} here; version {version} was asked for")
    if index < 0:
        raise EpisodeError(f"episode indices start at 0; got {index}")
    if isinstance(dist, Listed):
        if index >= dist.size:
            raise EpisodeError(f"the suite {suite} lists {dist.size} episodes, 0 to {dist.size - 1}; got {index}")
        return dist.episodes[index]
    return _drawn(cell(suite, dist, index), EpisodeSpec(suite, dist.version, index, (), "", (), LookSpec(), ()))


def _drawn(at: Cell, blank: EpisodeSpec) -> EpisodeSpec:
    source = at.source
    # Where conditions share a scene, its seed knows only the number of the target.
    seed, number = (source.scenes_of, at.number) if source.scenes_of else (at.name, at.index)
    round_, turn = divmod(at.number, len(source.targets))
    order = _rng(seed, source.version, "order", round_).permutation(len(source.targets))
    target = source.targets[order[turn]]
    rng, more = (_rng(seed, source.version, purpose, number) for purpose in ("scene", "changes"))
    for _ in range(SCENE_TRIES):
        episode = _try_scene(rng, source, target, at.condition, blank)
        changes = None if episode is None else _draw_changes(more, at, episode)
        if changes is not None:
            return replace(episode, changes=changes)
    raise EpisodeError(f"no scene found for {at.name}[{at.index}] with target {target} after {SCENE_TRIES} tries")


def _rng(suite: str, version: int, purpose: str, number: int) -> np.random.Generator:
    key = zlib.crc32(f"{suite}/{purpose}".encode())
    return np.random.default_rng(np.random.SeedSequence([key, version, number]))


def _try_scene(
    rng: np.random.Generator, dist: Distribution, target: str, condition: Condition, blank: EpisodeSpec
) -> EpisodeSpec | None:
    ids = _draw_objects(rng, dist, target, condition)
    specs = [library.get_object(i) for i in ids]
    poses = [int(rng.integers(len(s.rest_poses))) for s in specs]
    rests = [s.rest_quats[pose] for s, pose in zip(specs, poses, strict=True)]
    place_ranges = condition.place or (TARGET_X, TARGET_Y)
    placed = place(rng, specs, rests, place_ranges, pulled=condition.pulled, targets=condition.relevant)
    if placed is None:
        return None
    try:
        settled = settle(specs, placed, MIN_VISIBLE_PX, condition.relevant)
    except NoRest:
        return None
    objects = tuple(
        PlacedObject(i, tuple(map(float, pose[:3])), tuple(map(float, pose[3:])))
        for i, pose in zip(ids, settled, strict=True)
    )
    table, lighting = condition.looks[int(rng.integers(len(condition.looks)))]
    seen = [finished(s, condition.finish, table) for s in specs]  # the words tell of what can be seen
    words = [Placed(s, (float(at[0]), float(at[1])), pose) for s, at, pose in zip(seen, settled, poses, strict=True)]
    phrasings = (condition.prompt,) if condition.prompt else referring_expressions(words[0], words[1:])
    return replace(
        blank,
        objects=objects,
        instruction=phrasings[int(rng.integers(len(phrasings)))],
        phrasings=tuple(phrasings),
        look=LookSpec(table, lighting, int(rng.integers(1000))),
        arm_start_rad=tuple(
            map(float, POSES["init"] + rng.uniform(-ARM_START_NOISE_RAD, ARM_START_NOISE_RAD, spec.ARM_DOF))
        ),
        relevant=tuple(range(condition.relevant)) if condition.prompt else (),
    )


def _draw_objects(rng: np.random.Generator, dist: Distribution, target: str, condition: Condition) -> list[str]:
    """Ids of the scene, the target first, then what else its prompt asks for."""
    count = condition.objects or 1 + int(rng.choice(len(COUNT_WEIGHTS), p=COUNT_WEIGHTS))
    also: Sequence[str] = [i for i in dist.targets if i != target] if condition.relevant > 1 else ()
    more = rng.choice(len(also), size=condition.relevant - 1, replace=False) if also else ()
    first = [target, *(also[k] for k in more)]
    others: Sequence[str] = [i for i in dist.neighbours if i not in first]
    if condition.alike:
        others = [i for i in others if library.family_of(i) is library.family_of(target)]
    return [*first, *(others[k] for k in rng.choice(len(others), size=count - len(first), replace=False))]


def _draw_changes(rng: np.random.Generator, at: Cell, episode: EpisodeSpec) -> Changes | None:
    """What the cell's condition changes in a scene; None if the scene has no room for it."""
    condition, move, turn, shove = at.condition, np.zeros(3), np.zeros(3), None
    worst = max(other.camera for other in at.source.conditions)
    if worst:  # the same direction at every level
        drawn = draw_head_shift(rng, episode.objects[0].pos, worst)
        if drawn is None:
            return None
        move, turn = drawn[0] * condition.camera / 100, drawn[1] * np.radians(condition.camera)
    if condition.shoved:
        specs = [library.get_object(o.object_id) for o in episode.objects]
        shove = draw_shove(rng, specs, np.array([(*o.pos, *o.quat) for o in episode.objects]))
        if shove is None:
            return None
    return Changes(
        finish=condition.finish,
        head_move_m=tuple(map(float, move)),
        head_turn_rad=tuple(map(float, turn)),
        friction=condition.friction,
        mass=condition.mass,
        latency_ms=condition.latency_ms,
        renderer=condition.renderer,
        shove=shove,
    )
