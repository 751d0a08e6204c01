"""A scene in which one object after the other becomes the target, and everything that was moved stays moved."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assets.objects.language import ALSO_CALLED, Placed, noun_phrase, references
from assets.objects.types import ObjectSpec
from envs import outcome, spec
from envs.episode import EpisodeSpec
from envs.interface import EpisodeError, Observation, Requests, Truth
from envs.placing import TARGET_Y
from envs.scene import HAND, OBJECT, ROBOT, STATIC, Scene
from envs.sim import SimEnv
from envs.tray import in_tray, off_table
from envs.truth import SimTruth

# (x0, y0, x1, y1) in pixels of the head image; x1 and y1 exclusive.
Box = tuple[float, float, float, float]


class LongHorizonEnv(SimEnv):
    """SimEnv for episodes whose instruction is a prompt for several objects.

    `aim` makes an object the target; from then on instruction, masks and outcomes are about it, until the next `aim`.
    An attempt succeeds as soon as the target has been up for 0.5 s: the way to the tray takes the place of the 20 s
    hold. Between attempts `carry` plays scripted motions. Objects are named by their index in the episode.
    """

    def __init__(self, suite: str, hand: str = "g0r") -> None:
        super().__init__(suite=suite, obs_mode="rgb", hand=hand, lazy=True)

    @property
    def truth(self) -> Truth:
        """What the simulation knows of the present target, and of the prompt."""
        return _PromptTruth(self, self._observing_rig())

    def aim(self, index: int, instruction: str) -> tuple[Observation, dict[str, Any]]:
        """The object `index` becomes the target of an attempt that begins now.

        Its neighbours are those that are still on the table: what may yet roll in the tray disturbs nobody.
        """
        neighbours = [i for i in self.on_table() if i != index]
        self.scene = aimed_at(self.whole, [index, *neighbours], instruction)
        self._begin_attempt()
        return self._first_moment()

    def carry(self, action: np.ndarray) -> tuple[Observation, dict[str, Any]]:
        """One control period of a scripted motion, which counts for no attempt."""
        self._peak_n = 0.0
        self._drive(action, self._watch)
        self._read()
        return self._observe(), self._info() | {"outcome": ""}

    def poses(self) -> np.ndarray:
        """Poses (N, 7) of the objects, in the order of the episode."""
        return self.whole.object_poses(self.data)

    def on_table(self) -> tuple[int, ...]:
        """The objects that are still on the table."""
        return tuple(i for i, pose in enumerate(self.poses()) if not off_table(pose[:3]))

    def left(self) -> tuple[int, ...]:
        """What the prompt asks for and is still on the table, in the published order of preference.

        From right to left by thirds of the area that the arm reaches; within a third, what stands freest comes first.
        """
        on_table, at = self.on_table(), self.poses()[:, :2]
        third = np.clip((at[:, 1] - TARGET_Y[0]) / (TARGET_Y[1] - TARGET_Y[0]) * 3, 0, 2).astype(int)

        def freedom(i: int) -> float:
            return min((float(np.linalg.norm(at[i] - at[j])) for j in on_table if j != i), default=np.inf)

        wanted = [i for i in self.whole.episode.relevant if i in on_table]
        return tuple(sorted(wanted, key=lambda i: (third[i], -freedom(i), i)))

    def instruction_for(self, index: int) -> str:
        """Words that ask for this object alone among those on the table."""
        placed = {i: self._placed(i) for i in self.on_table()}
        others = [placed[i] for i in placed if i != index]
        return f"Grasp {noun_phrase(references(self._placed(index), others)[0])}"

    def meant(self, words: str) -> tuple[int, ...]:
        """The objects on the table that free words may mean, by the nouns and colours in them; () for none.

        Words of `instruction_for` mean their object alone.
        """
        on_table = self.on_table()
        exact = tuple(i for i in on_table if self.instruction_for(i) == words)
        if exact:
            return exact
        text = f" {''.join(c if c.isalnum() else ' ' for c in words.lower())} "
        named = [i for i in on_table if _says(text, self.whole.objects[i].nouns)]
        coloured = [i for i in named if _says(text, _colours(self.whole.objects[i]))]
        return tuple(coloured or named)

    def boxes(self) -> dict[int, Box]:
        """The tight box in the head image of each object on the table that can be seen in it."""
        bodies, found = self._observing_rig().segment(self.data, spec.HEAD), {}
        for i in self.on_table():
            rows, columns = np.nonzero(bodies == self.whole.object_bodies[i])
            if len(rows):
                low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
                found[i] = tuple(map(float, (*low, *high)))
        return found

    def is_off_table(self, index: int) -> bool:
        """Whether an object is in the tray, on its rim, or fallen."""
        return off_table(self.poses()[index, :3])

    def is_in_tray(self, index: int) -> bool:
        """Whether an object lies in the tray."""
        return in_tray(self.poses()[index, :3])

    def is_held(self) -> bool | None:
        """Whether the hand holds the target up; None where that is a matter of opinion: touched, and hardly lifted."""
        height, touched = self._readings.target_lowest_m, self._readings.hand_on_target
        if touched and outcome.SLIP_FLOOR_M / 4 <= height < spec.LIFT_HEIGHT_M:
            return None
        return touched and height >= spec.LIFT_HEIGHT_M

    def _load(self, episode: EpisodeSpec) -> None:
        if isinstance(episode, EpisodeSpec) and not episode.relevant:
            raise EpisodeError(f"{episode.suite}[{episode.index}] asks for one object: play it in a SimEnv")
        super()._load(episode)
        self.whole = self.scene

    def _hold(self, action: np.ndarray) -> str:
        now = self.scene.object_poses(self.data)
        return outcome.hold_word(
            self._readings.target_lowest_m, outcome.neighbour_disturbed(self._start_poses[1:], now[1:])
        )

    def _placed(self, index: int) -> Placed:
        thing, pose = self.whole.objects[index], self.poses()[index]
        rests = np.array([rest.quat for rest in thing.rest_poses])
        tilt = outcome.tilt_between_deg(np.repeat(pose[None, 3:], len(rests), axis=0), rests)
        return Placed(thing, (float(pose[0]), float(pose[1])), int(tilt.argmin()))


class _PromptTruth(SimTruth):
    """What the simulation knows of the target, and of what a prompt asks for."""

    def __init__(self, env: LongHorizonEnv, rig: Any) -> None:
        super().__init__(env.scene, env.data, rig)
        self._env = env

    def requests(self) -> Requests:
        """What the prompt still asks for."""
        env = self._env
        everything = len(env.whole.episode.relevant) == len(env.whole.objects)
        return Requests(tuple(map(env.instruction_for, env.left())), everything)


def aimed_at(scene: Scene, order: Sequence[int], instruction: str) -> Scene:
    """The same scene in the same model, made of these objects alone, the first of them the target."""
    bits = scene.geom_bits & (ROBOT | HAND | STATIC)
    for place, i in enumerate(order):
        bits = np.where(scene.geom_bits & (OBJECT << i), bits | (OBJECT << place), bits)
    objects = tuple(scene.episode.objects[i] for i in order)
    return replace(
        scene,
        episode=replace(scene.episode, objects=objects, instruction=instruction, relevant=()),
        objects=tuple(scene.objects[i] for i in order),
        supports=tuple(scene.supports[i] for i in order),
        object_bodies=scene.object_bodies[list(order)],
        object_qpos=scene.object_qpos[list(order)],
        geom_bits=bits,
    )


def _says(text: str, words: Sequence[str]) -> bool:
    return any(f" {word} " in text for word in words)


def _colours(thing: ObjectSpec) -> tuple[str, ...]:
    return (*thing.colors, *(word for color in thing.colors for word in ALSO_CALLED.get(color, ())))
