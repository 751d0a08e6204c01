"""SimEnv: the simulated station as a Gymnasium environment.

Many at once: `gymnasium.make_vec("DexClutter/Grasp-v0", num_envs=..., vectorization_mode="async")`. Every worker makes
its own renderer at its first picture, so both ways to start workers give the same bits. Prefer
`vector_kwargs={"context": "spawn"}`: it is safe whatever the parent has done. The default of Linux, fork, is quicker
to start and safe where the parent has drawn nothing yet, or draws in software; the driver of a graphics card may not
survive a fork once the parent has used it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces

from assets.looks.looks import animate
from assets.robots.hands import HANDS
from envs import outcome, spec
from envs.control import Servo, check_action
from envs.episode import MAX_OBJECTS, EpisodeSpec, distribution, episode_count, make_episode
from envs.filament import RIGS
from envs.home import homing_actions
from envs.instruction import MAX_LETTERS, InstructionSpace
from envs.interface import EpisodeError, GraspEnv, Observation, Truth
from envs.interventions import Shover, palm_in_world
from envs.lazy import LazyObservation
from envs.physics import resting_objects_sleep
from envs.readings import raised_m, station_force_n, touched_objects
from envs.registration import register as register
from envs.scene import Scene, build_scene
from envs.sensing import Rig
from envs.truth import SimTruth
from envs.window import Window

OBS_MODES = ("state", "rgb")
REWARD_MODES = ("sparse", "dense")
STATE_KIND = mujoco.mjtState.mjSTATE_INTEGRATION
RANDOM_INDICES = 2**31  # reset without options draws its episode index from this many
_OBJECT_NUMBERS = np.arange(MAX_OBJECTS)


@dataclass(frozen=True, eq=False)
class SavedState:
    """Everything that decides how an episode goes on."""

    hand: str
    episode: EpisodeSpec
    physics: np.ndarray
    reference_rad: np.ndarray
    progress: outcome.Progress
    start_poses: np.ndarray
    readings: outcome.Readings
    touches: int
    outcome: str | None
    slip_m: float | None
    random: dict[str, Any]
    shove_steps: int = 0


class SimEnv(GraspEnv):
    """One cluttered scene, one named target. Live MuJoCo objects are `model` and `data`.

    obs_mode "state": {"state": (13,) float32, "instruction": text}; "rgb" adds "head" and "wrist", (H, W, 3) uint8.
    lazy=True draws these when they are read (envs.lazy: a mapping, no dict), for loops that know what they read.
    image_size is (width, height). reward_mode "sparse" pays 1 at the end of a success; "dense" adds shaping below 1.
    segmentation=True adds info["segmentation"], (H, W) int32 of the head image: 0 nothing, i + 1 for object i.
    reset(options={"episode": EpisodeSpec}) or {"index": int} chooses the scene; otherwise the seed draws an index.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": spec.CONTROL_HZ}

    def __init__(
        self,
        suite: str = "seen_objects",
        obs_mode: str = "state",
        image_size: tuple[int, int] = spec.IMAGE_SIZE,
        hand: str = "g0r",
        reward_mode: str = "sparse",
        segmentation: bool = False,
        render_mode: str | None = None,
        lazy: bool = False,
    ) -> None:
        _choose("obs_mode", obs_mode, OBS_MODES)
        _choose("reward_mode", reward_mode, REWARD_MODES)
        _choose("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        _choose("hand", hand, tuple(HANDS))
        distribution(suite)  # raises an error that lists the choices
        self.suite, self.obs_mode, self.hand, self.reward_mode = suite, obs_mode, hand, reward_mode
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.segmentation, self.render_mode, self.lazy = segmentation, render_mode, lazy
        self.action_space = spaces.Box(spec.ACTION_LOW, spec.ACTION_HIGH, dtype=np.float32)
        self.observation_space = self._space()
        self._rig: Rig | None = None
        self._video_rig: Rig | None = None
        self._viewer: Window | None = None
        self._moment: LazyObservation | None = None
        self.scene: Scene | None = None
        self.data: mujoco.MjData | None = None
        self.outcome: str | None = None  # one of envs.interface.OUTCOMES once the attempt has ended
        self.slip_m: float | None = None  # how far the target sank during the 20 s hold, once there was one
        self.progress = outcome.Progress()

    # The contract of Gymnasium.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode. See the class for `options`."""
        super().reset(seed=seed)
        self._load(self._episode_from(options or {}))
        self._begin_attempt()
        return self._first_moment()

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control period of 50 ms. When the target has been up for 0.5 s this call also runs the 20 s hold."""
        if self._loaded() and self.outcome is not None:
            raise EpisodeError(f"the attempt has ended ({self.outcome}); call reset() or retry()")
        checked = check_action(action)
        self._peak_n = 0.0
        self.shover.act(self.data, self.progress.steps)
        self._drive(checked, self._watch)
        self._read()
        self.progress = outcome.advance(self.progress, self._readings)
        truncated = False
        if outcome.ready_to_hold(self.progress):
            self.outcome = self._hold(checked)
        elif (word := outcome.early_failure(self.progress)) is not None:
            self.outcome = word
        elif outcome.out_of_time(self.progress):
            self.outcome, truncated = outcome.timeout_word(self.progress), True
        if self.render_mode == "human":
            self.render()
        ended = self.outcome is not None
        return self._observe(), self._reward(), ended and not truncated, truncated, self._info()

    def render(self) -> np.ndarray | None:
        """rgb_array: the view from outside, (480, 640, 3) uint8. human: opens or refreshes MuJoCo's viewer window.

        Raises RenderingError where there is no screen for the window, or nothing that draws pictures.
        """
        self._loaded()
        if self.render_mode == "rgb_array":
            return self.picture("outside")
        if self.render_mode == "human":
            if self._viewer is None:
                self._viewer = Window(self.model, self.data)
            self._viewer.sync()
        return None

    def close(self) -> None:
        """Free renderers and window; may be called twice."""
        for rig in (self._rig, self._video_rig, self._viewer):
            if rig is not None:
                rig.close()
        self._rig = self._video_rig = self._viewer = None

    # What DexClutter adds.

    @property
    def model(self) -> mujoco.MjModel:
        """The live model of the present episode. Every reset compiles a new one."""
        return self._loaded().model

    @property
    def instruction(self) -> str:
        """The words that name the target."""
        return self._loaded().episode.instruction

    @property
    def truth(self) -> Truth:
        """What the simulation knows, for privileged planners and masks."""
        return SimTruth(self._loaded(), self.data, self._observing_rig())

    @property
    def latency_ms(self) -> float:
        """What the episode says of it."""
        return self._loaded().episode.changes.latency_ms

    @property
    def task_description(self) -> str:
        """The instruction under the name that LeRobot's environments use."""
        return self.instruction

    def retry(self) -> tuple[Observation, dict[str, Any]]:
        """Open the hand, raise it, drive home through the scene as it is, and begin the next attempt."""
        scene = self._loaded()
        for action in homing_actions(
            self.servo.measured(self.data), scene.episode.arm_start_rad, scene.hand.rest_action
        ):
            self._drive(action)
        self._begin_attempt()
        return self._first_moment()

    def picture(self, camera: str) -> np.ndarray:
        """An extra view of the scene as it is now, (480, 640, 3) uint8, for videos and reports."""
        if self._video_rig is None:
            self._video_rig = Rig(self.model, spec.IMAGE_SIZE)
        return self._video_rig.render(self.data, camera)

    def save_state(self) -> SavedState:
        """A complete copy of the present state."""
        physics = np.zeros(mujoco.mj_stateSize(self.model, STATE_KIND))
        mujoco.mj_getState(self.model, self.data, physics, STATE_KIND)
        return SavedState(
            self.hand, self.scene.episode, physics, self.servo.reference_rad.copy(), self.progress,
            self._start_poses.copy(), self._readings, self._touches, self.outcome, self.slip_m,
            self.np_random.bit_generator.state, self.shover.steps,
        )  # fmt: skip

    def load_state(self, saved: SavedState) -> tuple[Observation, dict[str, Any]]:
        """Go on exactly where `save_state` was called, in this or another environment with the same hand.

        Raises EpisodeError for a state of the other hand.
        """
        if saved.hand != self.hand:
            raise EpisodeError(f"the state was saved with hand {saved.hand!r}; this environment has {self.hand!r}")
        if self.scene is None or self.scene.episode != saved.episode:
            self._load(saved.episode)
        mujoco.mj_setState(self.model, self.data, saved.physics, STATE_KIND)
        animate(self.model, self.scene.episode.look, self.data.time)
        mujoco.mj_forward(self.model, self.data)
        # The forward pass above overwrites the solver's warm start, which is part of the state.
        mujoco.mj_setState(self.model, self.data, saved.physics, STATE_KIND)
        self.servo.reference_rad = saved.reference_rad.copy()
        self.progress, self.outcome, self.slip_m = saved.progress, saved.outcome, saved.slip_m
        self._readings, self._touches = saved.readings, saved.touches
        self._start_poses = saved.start_poses.copy()
        self.np_random.bit_generator.state, self.shover.steps = saved.random, saved.shove_steps
        return self._observe(), self._info()

    # Inside.

    def _space(self) -> spaces.Dict:
        entries: dict[str, spaces.Space] = {
            spec.STATE: spaces.Box(spec.ACTION_LOW, spec.ACTION_HIGH, dtype=np.float32),
            spec.INSTRUCTION: InstructionSpace(),
        }
        width, height = self.image_size
        if self.obs_mode == "rgb":
            for camera in spec.CAMERAS:
                entries[camera] = spaces.Box(0, 255, (height, width, 3), dtype=np.uint8)
        return spaces.Dict(entries)

    def _episode_from(self, options: dict[str, Any]) -> EpisodeSpec:
        unknown = set(options) - {"episode", "index"}
        if unknown:
            raise EpisodeError(f"reset options are 'episode' or 'index'; got {', '.join(sorted(unknown))}")
        episode, index = options.get("episode"), options.get("index")
        if episode is not None and index is not None:
            raise EpisodeError("reset takes either an 'episode' or an 'index', not both")
        if episode is not None:
            return EpisodeSpec.from_dict(episode) if isinstance(episode, dict) else episode
        if index is None:
            index = self.np_random.integers(episode_count(self.suite) or RANDOM_INDICES)
        return make_episode(self.suite, int(index))

    def _loaded(self) -> Scene:
        if self.scene is None:
            raise EpisodeError("there is no episode yet: call reset() first")
        return self.scene

    def _load(self, episode: EpisodeSpec) -> None:
        if not isinstance(episode, EpisodeSpec):
            raise EpisodeError(f"an episode is an EpisodeSpec or its as_dict(); got {type(episode).__name__}")
        if not 1 <= len(episode.objects) <= MAX_OBJECTS:
            raise EpisodeError(
                f"a scene holds 1 to {MAX_OBJECTS} objects, the target first; got {len(episode.objects)}"
            )
        if episode.instruction not in self.observation_space[spec.INSTRUCTION]:
            raise EpisodeError(
                f"an instruction is 1 to {MAX_LETTERS} printable letters of ASCII; got {episode.instruction!r}"
            )
        scene = build_scene(episode, self.hand)
        self.close()
        self.scene, self.data = scene, scene.initial_data()
        self.servo, self.shover = Servo(scene.model, scene.hand), Shover(scene)
        self.servo.reset(self.data, np.asarray(episode.arm_start_rad), np.asarray(scene.hand.rest_action))
        animate(scene.model, episode.look, 0.0)
        mujoco.mj_forward(scene.model, self.data)

    def _begin_attempt(self) -> None:
        self.progress, self.outcome, self.slip_m = outcome.Progress(), None, None
        self._start_poses = self.scene.object_poses(self.data)
        self._look_again()

    def _first_moment(self) -> tuple[Observation, dict[str, Any]]:
        if self.render_mode == "human":
            self.render()
        return self._observe(), self._info()

    def _drive(self, action: np.ndarray, watch: Callable[[mujoco.MjData], None] | None = None) -> None:
        """One control period. Afterwards poses, cameras and lights belong to the same instant as the joint angles.

        MuJoCo leaves them one physics step behind; a state that is loaded again could not show the same picture.
        """
        scene, data = self.scene, self.data
        self.servo.run(data, action, watch)
        animate(scene.model, scene.episode.look, data.time)
        mujoco.mj_kinematics(scene.model, data)
        mujoco.mj_camlight(scene.model, data)

    def _watch(self, data: mujoco.MjData) -> None:
        # Every 10 ms: an impact is over before the end of a control period.
        self._peak_n = max(self._peak_n, station_force_n(self.scene, data))

    def _look_again(self) -> None:
        self._peak_n = 0.0
        self._watch(self.data)
        self._read()

    def _read(self) -> None:
        scene, data = self.scene, self.data
        self._touches = touched_objects(scene, data)
        self._readings = outcome.Readings(
            target_lowest_m=scene.lowest_m(data),
            other_raised_m=raised_m(scene, data, self._start_poses),
            hand_on_target=bool(self._touches & 1),
            station_force_n=self._peak_n,
        )

    def _hold(self, action: np.ndarray) -> str:
        """Run the 20 s hold with the last action; give up as soon as the target has come down."""
        first = lowest = self._readings.target_lowest_m
        with resting_objects_sleep(self.model):
            for _ in range(outcome.HOLD_STEPS):
                self._drive(action)
                lowest = min(lowest, self.scene.lowest_m(self.data))
                if lowest < spec.LIFT_HEIGHT_M:
                    break
        self.slip_m = float(first - lowest)
        self._look_again()
        now = self.scene.object_poses(self.data)
        return outcome.hold_word(lowest, outcome.neighbour_disturbed(self._start_poses[1:], now[1:]))

    def _reward(self) -> float:
        if outcome.is_success(self.outcome):
            return 1.0
        if self.reward_mode == "sparse":
            return 0.0
        to_palm = palm_in_world(self.data) - self.data.xpos[self.scene.object_bodies[0]]
        reach = np.exp(-5.0 * float(np.linalg.norm(to_palm)))
        lift = np.clip(self._readings.target_lowest_m / spec.LIFT_HEIGHT_M, 0.0, 1.0)
        return float(0.3 * reach + 0.2 * self.progress.touched + 0.4 * lift)

    def _observe(self) -> Observation:
        observation = {spec.STATE: self.servo.measured(self.data), spec.INSTRUCTION: self.instruction}
        if self._moment is not None:
            self._moment.expire()
        cameras = spec.CAMERAS if self.obs_mode == "rgb" else ()
        if self.lazy:
            self._moment = LazyObservation(observation, cameras, self._draw)
            return self._moment
        return observation | {camera: self._draw(camera) for camera in cameras}

    def _draw(self, camera: str) -> np.ndarray:
        return self._observing_rig().render(self.data, camera)

    def _info(self) -> dict[str, Any]:
        success = outcome.is_success(self.outcome)
        poses = self.scene.object_poses(self.data)
        padded = np.zeros((MAX_OBJECTS, 7))
        padded[: len(poses)] = poses
        info: dict[str, Any] = {
            "success": success,
            "is_success": success,
            "outcome": self.outcome or "",
            "instruction": self.instruction,
            "time_s": self.progress.time_s,
            "target_lowest_m": self._readings.target_lowest_m,
            "hand_on_target": self._readings.hand_on_target,
            "hand_touches": (self._touches >> _OBJECT_NUMBERS & 1).astype(bool),
            "station_force_n": self._readings.station_force_n,
            "max_contact_force_n": self.progress.max_force_n,
            "object_count": len(poses),
            "object_poses": padded,
            "neighbour_motion_m": outcome.neighbour_motion_m(self._start_poses[1:], poses[1:]),
        }
        if self.segmentation:
            info["segmentation"] = self._segmentation()
        return info

    def _segmentation(self) -> np.ndarray:
        bodies = self._observing_rig().segment(self.data, spec.HEAD)
        labels = np.zeros(self.model.nbody + 1, dtype=np.int32)  # the last entry serves -1, the background
        labels[self.scene.object_bodies] = np.arange(1, len(self.scene.object_bodies) + 1)
        return labels[bodies]

    def _observing_rig(self) -> Rig:
        if self._rig is None:
            self._rig = RIGS[self.scene.episode.changes.renderer](self.model, self.image_size)
        return self._rig


def _choose(what: str, value: str | None, choices: tuple) -> None:
    if value not in choices:
        raise EpisodeError(f"{what} must be one of {', '.join(map(str, choices))}; got {value!r}")
