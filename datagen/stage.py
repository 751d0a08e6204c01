"""Physics first: an attempt is played without drawing anything, and what was tried in vain is taken back."""

from dataclasses import dataclass, replace

import mujoco
import numpy as np

from assets.looks.looks import animate
from datagen.branch import TURN_LEVER_M, in_hand
from datagen.search import GENTLE_N
from envs import outcome, spec
from envs.interface import DexClutterError
from envs.physics import resting_objects_sleep
from envs.sim import STATE_KIND, SavedState, SimEnv

SAFETY = 3.0  # a hold ends early only if the target would stay up sinking this many times as fast


class SimulationError(DexClutterError, RuntimeError):
    """MuJoCo itself complained; what it computed is not to be trusted."""


class Stage(SimEnv):
    """SimEnv whose hold may end before the benchmark's 20 s, where its result is plain by then.

    After `hold_s` seconds the hold ends if the target has stayed up and sinks so slowly that it would stay up for the
    rest of the 20 s sinking three times as fast. Anything else is held on to the end: only a success is ever assumed.
    `crept_m` is how far the target moved or turned within the hand in the last second of such an early end, else inf.
    """

    def __init__(self, suite: str, hand: str, hold_s: float = spec.HOLD_S) -> None:
        super().__init__(suite=suite, obs_mode="state", hand=hand)
        self._least_steps = round(hold_s * spec.CONTROL_HZ)
        self.crept_m = float("inf")

    def start_elsewhere(self, arm_start_rad: tuple[float, ...]) -> None:
        """Begin the episode anew with the arm at another start, in the model that is there. See `SimEnv.reset`."""
        self.scene = replace(self.scene, episode=replace(self.scene.episode, arm_start_rad=arm_start_rad))
        self.data = self.scene.initial_data()
        self.servo.reset(self.data, np.asarray(arm_start_rad), np.asarray(self.scene.hand.rest_action))
        animate(self.model, self.scene.episode.look, 0.0)
        mujoco.mj_forward(self.model, self.data)
        self._begin_attempt()

    @property
    def on_target(self) -> bool:
        """Whether the hand touches the target."""
        return self._readings.hand_on_target

    @property
    def lowest_m(self) -> float:
        """Height of the target's lowest point above the table."""
        return self._readings.target_lowest_m

    @property
    def target_speed(self) -> float:
        """How fast the target moves (m/s) or turns (m/s at a lever of TURN_LEVER_M), whichever is more."""
        speed = self.data.qvel[self.model.joint(spec.TARGET).dofadr[0] + np.arange(6)]
        return max(float(np.linalg.norm(speed[:3])), TURN_LEVER_M * float(np.linalg.norm(speed[3:])))

    def is_gentle(self) -> bool:
        """Whether the hand has pressed on nothing with much force so far, and has left the neighbours alone."""
        now = self.scene.object_poses(self.data)
        disturbed = outcome.neighbour_disturbed(self._start_poses[1:], now[1:])
        return self.progress.max_force_n <= GENTLE_N and not disturbed

    def is_sound(self) -> bool:
        """False once MuJoCo has complained, or computed what is no number."""
        return not any(warning.number for warning in self.data.warning) and bool(np.isfinite(self.data.qpos).all())

    def _hold(self, action: np.ndarray) -> str:
        heights = [self._readings.target_lowest_m]
        self.crept_m = float("inf")
        with resting_objects_sleep(self.model):
            for step in range(1, outcome.HOLD_STEPS + 1):
                if step - 1 == self._least_steps - spec.CONTROL_HZ:
                    held_at = in_hand(self.scene, self.data)
                self._drive(action)
                heights.append(self.scene.lowest_m(self.data))
                if heights[-1] < spec.LIFT_HEIGHT_M:
                    break
                if step == self._least_steps and expected_lowest_m(heights) >= spec.LIFT_HEIGHT_M:
                    self.crept_m = float(np.linalg.norm(in_hand(self.scene, self.data) - held_at))
                    break
        self.slip_m = float(heights[0] - min(heights))
        self._look_again()
        start, now = self._start_poses, self.scene.object_poses(self.data)
        return outcome.hold_word(min(heights), outcome.neighbour_disturbed(start[1:], now[1:]))


def expected_lowest_m(heights: list[float]) -> float:
    """The least height (m) to fear by the end of a 20 s hold of which `heights`, at 20 Hz, are the beginning."""
    half, rest = len(heights) // 2, outcome.HOLD_STEPS - (len(heights) - 1)
    sinking = max(0.0, heights[half] - heights[-1]) / max(1, len(heights) - 1 - half)
    return min(heights) - SAFETY * sinking * max(0, rest)


@dataclass(frozen=True, eq=False)
class Row:
    """One control step: the physics state and the measured joints before the action, and the action."""

    state: np.ndarray
    measured: np.ndarray
    action: np.ndarray
    phase: int


@dataclass(frozen=True, eq=False)
class Mark:
    """A moment of a take that it can go back to."""

    saved: SavedState
    rows: tuple[Row, ...]


class Take:
    """An attempt as it is being played. What was tried in vain is taken back and leaves no trace in the rows.

    rows: what was played; wrong_rows: how many of them, from the first on, are not to be learnt from.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rows: list[Row] = []
        self.wrong_rows = 0

    def do(self, action: np.ndarray, phase: int) -> None:
        """Play one action (13,), as float32, and keep it. Nothing happens any more once the attempt has ended."""
        if not self.goes_on:
            return
        stage, action = self.stage, action.astype(np.float32)
        state = np.empty(mujoco.mj_stateSize(stage.model, STATE_KIND))
        mujoco.mj_getState(stage.model, stage.data, state, STATE_KIND)
        self.rows.append(Row(state, stage.servo.measured(stage.data), action, phase))
        stage.step(action)

    @property
    def goes_on(self) -> bool:
        """False once the attempt has ended."""
        return self.stage.outcome is None

    def mark(self) -> Mark:
        """The present moment."""
        return Mark(self.stage.save_state(), tuple(self.rows))

    def back_to(self, mark: Mark) -> None:
        """Be again where `mark` was taken, to the bit."""
        # Clears what is no part of a state: warnings, and which bodies sleep.
        mujoco.mj_resetData(self.stage.model, self.stage.data)
        self.stage.load_state(mark.saved)
        self.rows = list(mark.rows)
        self.wrong_rows = min(self.wrong_rows, len(self.rows))
