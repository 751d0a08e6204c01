"""Moments at a table, made in physics, about which a planner is asked: something held, lost, missed, put away."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import mujoco
import numpy as np

from assets.objects.build import hull_points
from assets.robots.furniture import TRAY_DEPTH_M, TRAY_X, TRAY_Y
from benchmarks.suites import COMPLETION, VERIFICATION
from datagen.branch import Branch
from datagen.recovery import lose, plan_beside
from datagen.script import RESTING_M_S, Script
from datagen.search import CLOSE_STEPS, HOLD_STEPS, SLIDING_M, Plan, find_plan
from datagen.stage import Stage, Take
from envs import spec
from envs.episode import EpisodeSpec
from envs.interface import DexClutterError, Truth
from envs.outcome import SLIP_FLOOR_M, UP_STEPS
from envs.placing import draw_shove, outline_on_table, slid, turn_about_z
from envs.readings import touched_objects
from envs.sensing import Rig
from envs.truth import SimTruth

GRASPS_TRIED, PLANS_TRIED, DRAWS = 4, 12, 4
ON_TABLE_M, MOVED_M, STILL_M = 0.005, 0.025, 0.01
AWAY_M = -0.05  # the lowest point of what has left the table lies below it
LEAST_SEEN = 0.2  # a fist that hides what it holds is no evidence
INWARDS = 0.98  # a ray at the very corner would pass by
CLOSED_BELOW = 0.75  # mean opening of the four fingers, as the monitor sees it
EARLY_STEPS = (3, 9)  # so long before its arrival the open hand is looked at
FALL_STEPS, SETTLE_STEPS, DROP_M, TRAY_MARGIN_M, TRAY_TRIES = 60, 10, 0.02, 0.012, 200


class MomentError(DexClutterError, RuntimeError):
    """A moment that physics does not bring about in its scene."""


@dataclass(frozen=True)
class Facts:
    """What physics says of a moment. Heights over the table (m). `asked` is the object that the instruction means.

    lowest_m: its lowest point; seen: the share of its corners in sight of the head or the wrist camera, whichever sees
    more; touched: by the hand; moved_m: from where it stood; fell_m: how far below the highest
    place that it had been lifted to; opening: mean of the four fingers, 1 open; other_held: whether another object is
    up in the hand; others_away: how many others have left the table.
    """

    lowest_m: float
    seen: float
    touched: bool
    moved_m: float
    fell_m: float
    opening: float
    other_held: bool
    others_away: int

    @property
    def held(self) -> bool:
        """What grasp verification asks: whether the hand holds the object, off the table."""
        return self.touched and self.lowest_m >= spec.LIFT_HEIGHT_M

    @property
    def away(self) -> bool:
        """What the completion check asks, where the hand is empty: whether the object has left the table."""
        return self.lowest_m < AWAY_M

    @property
    def on_table(self) -> bool:
        """Whether the object stands or lies on the table, if perhaps somewhere else."""
        return abs(self.lowest_m) < ON_TABLE_M


@dataclass(frozen=True, eq=False)
class Moment:
    """A state of `stage`, the physics of it, and the head picture (H, W, 3) uint8 from before anything was done."""

    stage: Stage
    asked: int
    initial: np.ndarray
    facts: Facts

    @property
    def truth(self) -> Truth:
        """What the simulation knows of the object that the instruction means."""
        return _Tidied(self.stage.scene, self.stage.data, Rig(self.stage.model), self.asked)


class _Tidied(SimTruth):
    """The truth about a table from which things are put away into the tray."""

    def target_put_away(self) -> bool:
        return self.target_height_m() < AWAY_M


Maker = Callable[[Stage, EpisodeSpec, np.random.Generator], Iterator[int]]


@dataclass(frozen=True)
class Kind:
    """A kind of moment. make: brings the stage into it, as often as it can, and yields which object is asked about.

    truth: the right answer to `question`; shows: what of the facts makes it a moment of this kind.
    """

    question: str
    truth: bool
    make: Maker
    shows: Callable[[Facts], bool]


def make_moment(stage: Stage, episode: EpisodeSpec, kind: str, rng: np.random.Generator) -> Moment:
    """The first moment of that kind that physics confirms; `stage` stands in it.

    A function of episode, kind, hand and the state of `rng` alone. Raises MomentError where none is confirmed.
    """
    wanted = KINDS[kind]
    stage.reset(options={"episode": episode})
    initial = stage.picture(spec.HEAD)
    for asked in wanted.make(stage, episode, rng):
        facts = read_facts(stage, asked)
        answer = facts.held if wanted.question == VERIFICATION else facts.away
        if answer is wanted.truth and wanted.shows(facts) and stage.is_sound():
            return Moment(stage, asked, initial, facts)
    raise MomentError(f"physics brings about no moment of the kind {kind!r} in {episode.suite}[{episode.index}]")


def read_facts(stage: Stage, asked: int) -> Facts:
    """What physics says of object `asked` of the stage's scene."""
    scene, data, touches = stage.scene, stage.data, touched_objects(stage.scene, stage.data)
    lowest = [scene.lowest_m(data, index) for index in range(len(scene.objects))]
    touched = [bool(touches >> index & 1) for index in range(len(lowest))]
    others = [index for index in range(len(lowest)) if index != asked]
    start = np.array(scene.episode.objects[asked].pos)
    return Facts(
        lowest_m=lowest[asked],
        seen=max(seen_share(stage, asked, camera) for camera in spec.CAMERAS),
        touched=touched[asked],
        moved_m=float(np.linalg.norm(data.xpos[scene.object_bodies[asked]] - start)),
        fell_m=0.0 if asked else stage.progress.highest_m - lowest[0],
        opening=float(stage.servo.measured(data)[spec.HAND][:4].mean()),
        other_held=any(touched[i] and lowest[i] >= spec.LIFT_HEIGHT_M for i in others),
        others_away=sum(lowest[i] < AWAY_M for i in others),
    )


def seen_share(stage: Stage, index: int, camera: str) -> float:
    """The share of an object's corners that lie in a camera's picture with nothing before them.

    By rays, not pixels: which moment is shown must not depend on the machine's graphics library.
    """
    scene, data, model = stage.scene, stage.data, stage.model
    body, view = int(scene.object_bodies[index]), data.camera(camera)
    corners = hull_points(scene.objects[index]) * INWARDS @ data.xmat[body].reshape(3, 3).T + data.xpos[body]
    rays = corners - view.xpos
    x, y, depth = (rays @ view.xmat.reshape(3, 3) * (1, 1, -1)).T
    high = np.tan(np.radians(model.cam_fovy[view.id]) / 2) * depth
    width, height = spec.IMAGE_SIZE
    framed = (depth > 0) & (np.abs(y) <= high) & (np.abs(x) <= high * width / height)
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    hit, distance, groups = np.full(len(rays), -1, np.int32), np.zeros(len(rays)), np.zeros(6, np.uint8)
    groups[spec.COLLISION_GROUP] = 1
    # Without what stands still and without what bears the camera: rays begin inside its housing.
    mounted = int(model.cam_bodyid[view.id])
    mujoco.mj_multiRay(
        model, data, view.xpos.copy(), rays.ravel(), groups, 0, mounted, hit, distance, None, len(rays), 10.0
    )
    return float(np.mean(framed & (hit >= 0) & (model.geom_bodyid[hit] == body)))


def _script(stage: Stage, episode: EpisodeSpec, first: int = 0) -> Script:
    """Begin the episode, with its object `first` as the one that is grasped."""
    objects = list(episode.objects)
    objects.insert(0, objects.pop(first))
    stage.reset(options={"episode": replace(episode, objects=tuple(objects))})
    return Script(Take(stage))


def _play(script: Script, actions: np.ndarray) -> bool:
    """Carry out actions (T, 13); False if the attempt has ended on the way."""
    for action in actions:
        script.take.do(action, 0)
    return script.take.goes_on


def _lifts(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator, first: int = 0) -> Iterator[None]:
    """Grasp as the expert does and lift, then with other grasps; see `_lift`."""
    tried: set[tuple[str, float]] = set()
    for _ in range(GRASPS_TRIED):
        script = _script(stage, episode, first)
        branch = Branch(stage.scene)
        branch.snapshot(stage.data, stage.servo)
        plan = find_plan(branch, stage.servo.reference_rad, rng, frozenset(tried))
        if plan is None:
            return
        if _lift(script, branch, plan):
            yield
        tried.add((plan.grasp.template, plan.grasp.azimuth_deg))


def _lift(script: Script, branch: Branch, plan: Plan) -> bool:
    """True in the last moment before the 20 s hold would begin, if the grasp is firm enough for one and a half more."""
    stage = script.stage
    for action in plan.actions:
        script.take.do(action, 0)
        if not script.take.goes_on:
            return False
        if stage.progress.up_steps == UP_STEPS - 1:
            branch.snapshot(stage.data, stage.servo)
            longer = np.repeat(action[None], HOLD_STEPS, axis=0)
            return branch.try_out(longer, check_step=-1).holds(spec.LIFT_HEIGHT_M, SLIDING_M)
    return False


def _held(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    for _ in _lifts(stage, episode, rng):
        yield 0
    # Where the expert finds nothing, a grasp that was not tested before may hold all the same.
    yield from _carried_out(stage, episode, rng, _lift_untested)


def _lift_untested(script: Script, plan: Plan, rng: np.random.Generator) -> bool:
    del rng  # Unused: the plan says it all.
    return _lift(script, Branch(script.stage.scene), plan)


def _wrong(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    for other in rng.permutation(np.arange(1, len(episode.objects))):
        for _ in _lifts(stage, episode, rng, int(other)):
            yield 1  # the object of the instruction stands right after the one that was grasped


def _carried_out(
    stage: Stage,
    episode: EpisodeSpec,
    rng: np.random.Generator,
    act: Callable[[Script, Plan, np.random.Generator], bool],
) -> Iterator[int]:
    """Several motions, in order of preference, each from the beginning. Grasps are not tested before."""
    script = _script(stage, episode)
    start = script.take.mark()
    for plan in islice(script.motions(), PLANS_TRIED):
        for _ in range(DRAWS):
            if act(script, plan, rng):
                yield 0
            script.take.back_to(start)


def _close_beside(script: Script, plan: Plan, rng: np.random.Generator) -> bool:
    beside = plan_beside(script, plan, rng)
    return beside is not None and _play(script, beside.actions[: beside.reach_steps + CLOSE_STEPS])


def _close_around(script: Script, plan: Plan, rng: np.random.Generator) -> bool:
    del rng  # Unused: the plan says it all.
    return _play(script, plan.actions[: plan.reach_steps + CLOSE_STEPS])


def _stop_above(script: Script, plan: Plan, rng: np.random.Generator) -> bool:
    return _play(script, plan.actions[: plan.reach_steps - int(rng.integers(*EARLY_STEPS))])


def _let_slip(script: Script, plan: Plan, rng: np.random.Generator) -> bool:
    """Lose the object out of loosening fingers; the arm goes on with its lift, the hand as it is."""
    lost_at = lose(script, plan, rng)
    if lost_at is None:
        return False
    rest = plan.actions[lost_at + 1 :].copy()
    rest[:, spec.HAND] = script.take.rows[-1].action[spec.HAND]
    return _play(script, rest) and script.wait()


def _put_away(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator, index: int) -> bool:
    """Object `index` falls into the tray from just above its floor; the arm waits at home. The robot has not carried
    it there: the state afterwards is the same, and costs a tenth of the time."""
    stage.reset(options={"episode": episode})
    spec_of_it = stage.scene.objects[index]
    quat, height = spec_of_it.rest_quats[0]
    for _ in range(TRAY_TRIES):
        turned = turn_about_z(np.asarray(quat, float), rng.uniform(-np.pi, np.pi))
        at = np.array([rng.uniform(*TRAY_X), rng.uniform(*TRAY_Y)])
        outline = outline_on_table(spec_of_it, turned) + at
        inside = [_within(outline[:, axis], room) for axis, room in enumerate((TRAY_X, TRAY_Y))]
        if all(inside):
            _place(stage, index, np.concatenate([at, [height + DROP_M - TRAY_DEPTH_M], turned]))
            return _wait(stage, index, FALL_STEPS)
    return False


def _gone(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    if _put_away(stage, episode, rng, 0):
        yield 0


def _others(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    for other in rng.permutation(np.arange(1, len(episode.objects))):
        if _put_away(stage, episode, rng, int(other)):
            yield 0


def _untouched(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    del rng  # Unused: nothing happens.
    stage.reset(options={"episode": episode})
    if _wait(stage, 0, SETTLE_STEPS):
        yield 0


def _moved(stage: Stage, episode: EpisodeSpec, rng: np.random.Generator) -> Iterator[int]:
    for _ in range(DRAWS):
        stage.reset(options={"episode": episode})
        poses = stage.scene.object_poses(stage.data)
        shove = draw_shove(rng, stage.scene.objects, poses)
        if shove is not None:
            _place(stage, 0, slid(poses[0], shove, 1.0))
            if _wait(stage, 0, SETTLE_STEPS):
                yield 0


def _within(values: np.ndarray, room: tuple[float, float]) -> bool:
    return room[0] + TRAY_MARGIN_M <= values.min() and values.max() <= room[1] - TRAY_MARGIN_M


def _place(stage: Stage, index: int, pose: np.ndarray) -> None:
    """Write a pose (7,) into the simulation; the object is at rest there, and free to fall."""
    name = spec.object_name(index)
    stage.data.qpos[stage.scene.object_qpos[index]] = pose
    stage.data.qvel[stage.model.joint(name).dofadr[0] + np.arange(6)] = 0.0


def _wait(stage: Stage, index: int, steps: int) -> bool:
    """Let physics run while the arm stands still; whether the object lies still afterwards."""
    still = np.clip(stage.servo.measured(stage.data), spec.ACTION_LOW, spec.ACTION_HIGH)
    for _ in range(steps):
        stage.step(still)
    address = stage.model.joint(spec.object_name(index)).dofadr[0]
    return float(np.linalg.norm(stage.data.qvel[address : address + 3])) < RESTING_M_S


def _acting(act: Callable[[Script, Plan, np.random.Generator], bool]) -> Maker:
    return lambda stage, episode, rng: _carried_out(stage, episode, rng, act)


KINDS: dict[str, Kind] = {
    "held": Kind(VERIFICATION, True, _held, lambda f: f.seen >= LEAST_SEEN and not f.other_held),
    "beside": Kind(
        VERIFICATION, False, _acting(_close_beside), lambda f: _lies_alone(f) and _is_closed(f) and f.moved_m < STILL_M
    ),
    "around": Kind(VERIFICATION, False, _acting(_close_around), lambda f: f.on_table and f.touched and _is_closed(f)),
    "slipped": Kind(VERIFICATION, False, _acting(_let_slip), lambda f: _lies_alone(f) and f.fell_m >= SLIP_FLOOR_M),
    "wrong": Kind(VERIFICATION, False, _wrong, lambda f: _lies_alone(f) and f.other_held),
    "above": Kind(VERIFICATION, False, _acting(_stop_above), lambda f: _lies_alone(f) and f.moved_m < STILL_M),
    "gone": Kind(COMPLETION, True, _gone, lambda facts: facts.others_away == 0),
    "untouched": Kind(COMPLETION, False, _untouched, lambda f: f.on_table and f.moved_m < STILL_M),
    "moved": Kind(COMPLETION, False, _moved, lambda f: f.on_table and f.moved_m >= MOVED_M),
    "others": Kind(COMPLETION, False, _others, lambda f: f.on_table and f.others_away == 1),
}


def _lies_alone(facts: Facts) -> bool:
    return facts.on_table and not facts.touched


def _is_closed(facts: Facts) -> bool:
    return facts.opening < CLOSED_BELOW
