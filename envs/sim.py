"""SimEnv: the simulated station as a Gymnasium environment."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from assets.looks.looks import animate
from envs import outcome, spec
from envs.control import Servo, check_action
from envs.episode import MAX_OBJECTS, EpisodeSpec, make_episode
from envs.home import homing_actions
from envs.interface import EpisodeError, GraspEnv, Observation
from envs.readings import contact_readings, raised_m
from envs.scene import Scene, build_scene
from envs.sensing import Rig

OBS_MODES = ("state", "rgb")
REWARD_MODES = ("sparse", "dense")
MAX_INSTRUCTION = 240
TEXT = "".join(chr(c) for c in range(32, 127))
STATE_KIND = mujoco.mjtState.mjSTATE_INTEGRATION
RANDOM_INDICES = 2**31  # reset without options draws its episode index from this many


@dataclass(frozen=True)
class SavedState:
    """Everything that decides how an episode goes on."""

    episode: EpisodeSpec
    physics: np.ndarray
    reference_rad: np.ndarray
    progress: outcome.Progress
    start_poses: np.ndarray
    outcome: str | None
    slip_m: float | None
    random: dict[str, Any]


class SimEnv(GraspEnv):
    """One cluttered scene, one named target. Live MuJoCo objects are `model` and `data`.

    obs_mode "state": {"state": (13,) float32, "instruction": text}; "rgb" adds "head" and "wrist", (H, W, 3) uint8.
    image_size is (width, height). reward_mode "sparse" pays 1 at the end of a success; "dense" adds shaping below 1.
    segmentation=True adds info["segmentation"], (H, W) int32 of the head image: 0 nothing, i + 1 for object i.
    reset(options={"episode": EpisodeSpec}) or {"index": int} chooses the scene; without options the seed draws an index.
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
    ) -> None:
        _choose("obs_mode", obs_mode, OBS_MODES)
        _choose("reward_mode", reward_mode, REWARD_MODES)
        _choose("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self.suite, self.obs_mode, self.hand, self.reward_mode = suite, obs_mode, hand, reward_mode
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.segmentation, self.render_mode = segmentation, render_mode
        self.action_space = spaces.Box(spec.ACTION_LOW, spec.ACTION_HIGH, dtype=np.float32)
        self.observation_space = self._space()
        self._rig: Rig | None = None
        self._video_rig: Rig | None = None
        self._viewer: Any = None
        self.scene: Scene | None = None
        self.data: mujoco.MjData | None = None

    # The contract of Gymnasium.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode. See the class for `options`."""
        super().reset(seed=seed)
        self._load(self._episode_from(options or {}))
        self._begin_attempt()
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control period of 50 ms. When the target has been up for 0.5 s this call also runs the 20 s hold."""
        if self.outcome is not None:
            raise EpisodeError(f"the attempt has ended ({self.outcome}); call reset() or retry()")
        checked = check_action(action)
        self.servo.run(self.data, checked)
        animate(self.model, self.scene.episode.look, self.data.time)
        self.progress = outcome.advance(self.progress, self._readings())
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
        """rgb_array: the view from outside, (H, W, 3) uint8. human: refreshes MuJoCo's viewer window."""
        if self.data is None:
            raise EpisodeError("there is nothing to render before reset()")
        if self.render_mode == "rgb_array":
            return self._picture("outside")
        if self.render_mode == "human":
            if self._viewer is None:
                from mujoco import viewer  # needs a screen; only this mode may ask for one

                self._viewer = viewer.launch_passive(self.model, self.data, show_left_ui=False, show_right_ui=False)
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
        """The live model of the present episode."""
        return self.scene.model

    @property
    def instruction(self) -> str:
        """The words that name the target."""
        return self.scene.episode.instruction

    @property
    def task_description(self) -> str:
        """The instruction under the name that LeRobot's environments use."""
        return self.instruction

    def retry(self) -> tuple[Observation, dict[str, Any]]:
        """Open the hand, raise it, drive home through the scene as it is, and begin the next attempt."""
        for action in homing_actions(
            self.servo.measured(self.data), self.scene.episode.arm_start_rad, self.scene.hand.rest_action
        ):
            self.servo.run(self.data, action)
        self._begin_attempt()
        return self._observe(), self._info()

    def picture(self, camera: str) -> np.ndarray:
        """An extra view of the scene as it is now, (H, W, 3) uint8, for videos and reports."""
        return self._picture(camera)

    def save_state(self) -> SavedState:
        """A complete copy of the present state."""
        physics = np.zeros(mujoco.mj_stateSize(self.model, STATE_KIND))
        mujoco.mj_getState(self.model, self.data, physics, STATE_KIND)
        return SavedState(
            self.scene.episode, physics, self.servo.reference_rad.copy(), self.progress,
            self._start_poses.copy(), self.outcome, self._slip_m, self.np_random.bit_generator.state,
        )  # fmt: skip

    def load_state(self, saved: SavedState) -> tuple[Observation, dict[str, Any]]:
        """Go on exactly where `save_state` was called, in this or another environment with the same hand."""
        if self.scene is None or self.scene.episode != saved.episode:
            self._load(saved.episode)
        mujoco.mj_setState(self.model, self.data, saved.physics, STATE_KIND)
        mujoco.mj_forward(self.model, self.data)
        # The forward pass above overwrites the solver's warm start, which is part of the state.
        mujoco.mj_setState(self.model, self.data, saved.physics, STATE_KIND)
        animate(self.model, self.scene.episode.look, self.data.time)
        self.servo.reference_rad = saved.reference_rad.copy()
        self.progress, self.outcome, self._slip_m = saved.progress, saved.outcome, saved.slip_m
        self._start_poses = saved.start_poses.copy()
        self.np_random.bit_generator.state = saved.random
        return self._observe(), self._info()

    # Inside.

    def _space(self) -> spaces.Dict:
        entries: dict[str, spaces.Space] = {
            spec.STATE: spaces.Box(spec.ACTION_LOW, spec.ACTION_HIGH, dtype=np.float32),
            spec.INSTRUCTION: spaces.Text(min_length=1, max_length=MAX_INSTRUCTION, charset=TEXT),
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
        if (episode := options.get("episode")) is not None:
            return EpisodeSpec.from_dict(episode) if isinstance(episode, dict) else episode
        index = options.get("index")
        return make_episode(self.suite, int(self.np_random.integers(RANDOM_INDICES)) if index is None else int(index))

    def _load(self, episode: EpisodeSpec) -> None:
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None
        self.scene = build_scene(episode, self.hand)
        self.data = self.scene.initial_data()
        self.servo = Servo(self.scene.model, self.scene.hand)
        self.servo.reset(self.data, np.asarray(episode.arm_start_rad), np.asarray(self.scene.hand.rest_action))
        mujoco.mj_forward(self.model, self.data)
        animate(self.model, episode.look, 0.0)
        for rig in (self._rig, self._video_rig):
            if rig is not None:
                rig.close()
        self._rig = self._video_rig = None

    def _begin_attempt(self) -> None:
        self.progress, self.outcome, self._slip_m = outcome.Progress(), None, None
        self._start_poses = self.scene.object_poses(self.data)

    def _readings(self) -> outcome.Readings:
        touching, force = contact_readings(self.scene, self.data)
        return outcome.Readings(
            target_lowest_m=self.scene.lowest_m(self.data),
            other_raised_m=raised_m(self.scene, self.data, self._start_poses),
            hand_on_target=touching,
            station_force_n=force,
        )

    def _hold(self, action: np.ndarray) -> str:
        """Run the 20 s hold with the last action; give up as soon as the target has come down."""
        first = lowest = self.scene.lowest_m(self.data)
        for _ in range(outcome.HOLD_STEPS):
            self.servo.run(self.data, action)
            lowest = min(lowest, self.scene.lowest_m(self.data))
            if lowest < spec.LIFT_HEIGHT_M:
                break
        self._slip_m = float(first - lowest)
        now = self.scene.object_poses(self.data)
        return outcome.hold_word(lowest, outcome.neighbour_disturbed(self._start_poses[1:], now[1:]))

    def _reward(self) -> float:
        if outcome.is_success(self.outcome):
            return 1.0
        if self.reward_mode == "sparse":
            return 0.0
        body = self.scene.object_bodies[0]
        frame = self.data.site("hand/frame")
        palm = frame.xpos + frame.xmat.reshape(3, 3) @ (0.0, 0.03, 0.12)
        reach = np.exp(-5.0 * float(np.linalg.norm(self.data.xpos[body] - palm)))
        lift = np.clip(self.scene.lowest_m(self.data) / spec.LIFT_HEIGHT_M, 0.0, 1.0)
        return float(0.3 * reach + 0.2 * self.progress.touched + 0.4 * lift)

    def _observe(self) -> Observation:
        observation: Observation = {
            spec.STATE: self.servo.measured(self.data),
            spec.INSTRUCTION: self.instruction[:MAX_INSTRUCTION],
        }
        if self.obs_mode == "rgb":
            for camera in spec.CAMERAS:
                observation[camera] = self._observing_rig().render(self.data, camera)
        return observation

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
            "target_lowest_m": self.scene.lowest_m(self.data),
            "hand_on_target": self.progress.touched,
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
            self._rig = Rig(self.model, self.image_size)
        return self._rig

    def _picture(self, camera: str) -> np.ndarray:
        if self._video_rig is None:
            self._video_rig = Rig(self.model, spec.IMAGE_SIZE)
        return self._video_rig.render(self.data, camera)


def _choose(what: str, value: str | None, choices: tuple) -> None:
    if value not in choices:
        raise EpisodeError(f"{what} must be one of {', '.join(map(str, choices))}; got {value!r}")


def register() -> None:
    """Make `gym.make("DexClutter/Grasp-v0")` known to Gymnasium; safe to call twice."""
    if "DexClutter/Grasp-v0" not in gymnasium.registry:
        gymnasium.register("DexClutter/Grasp-v0", entry_point="envs.sim:SimEnv")
