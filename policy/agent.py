"""The policy that is scored: a planner says what and where, masks follow it, a controller acts in chunks.

Everything runs on the environment's clock, in the order in which it is called: no threads, no wall clock. The same
observations and the same seed lead to the same actions. `policy.build` makes one from a checkpoint.
"""

import time
import zlib
from typing import Any, Protocol

import numpy as np

from envs import spec
from envs.interface import GAVE_UP, HELD, GraspEnv, Observation, Policy
from policy.masks.interface import MaskError, Tracker
from policy.planner import Planner, PlannerError
from policy.planner.consult import consult
from policy.planner.monitor import Monitor, MonitorConfig
from policy.planner.transitions import Event, State
from policy.timetable import Timetable

# A lift that stopped in the moment in which the target passes the line would sag back below it: after the verdict
# "held" the motion in hand goes on for this long, and its last command is held.
FINISH_S = spec.UP_BEFORE_HOLD_S


class Controller(Protocol):
    """What turns pictures, mask and state into a chunk of actions: `policy.controller.predictor.Predictor`."""

    config: Any  # has `horizon` and `execute`

    def begin(self, head: np.ndarray, mask: np.ndarray) -> None:
        """An attempt begins: head (H, W, 3) uint8 RGB and the target's mask (H, W) uint8 in it."""

    def predict(
        self, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray, seed: int
    ) -> np.ndarray:
        """A chunk (horizon, 13)."""


class Agent(Policy):
    """Planner, masks and controller in one.

    What the prompt is: the instruction of the environment. When the planner takes the target for held, the motion in
    hand is finished and held to the end of the attempt (`verdict` HELD). Three false verdicts, which in the published
    system send the arm home, make the planner look again within the attempt. A planner that finds nothing to go for
    ends the attempt where the arm stands (`verdict` GAVE_UP); `reason` says why.

    Args:
        latency_ms: how long a chunk takes in the environment's time, at the least what the environment asks for; see
            Timetable, whose errors it raises.
    """

    bridges_latency = True
    cameras = spec.CAMERAS

    def __init__(
        self,
        planner: Planner,
        masks: Tracker,
        controller: Controller,
        *,
        latency_ms: float = 0.0,
        name: str = "agent",
        monitor: MonitorConfig | None = None,
    ) -> None:
        self.name = name
        self.planner, self.masks, self.controller = planner, masks, controller
        self.privileged = tuple(dict.fromkeys((*planner.privileged, *masks.privileged)))
        self.latency_ms = latency_ms
        self._monitor_config = monitor or MonitorConfig()
        self._timetable = self._fresh_timetable(0.0)
        self.reason = ""
        self.chunks = 0  # of the present attempt
        self._begin(0, "", 0.0)

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Begin an attempt. Raises PlannerError or MaskError where what is privileged finds no truth."""
        self.planner.begin(env)
        self.masks.begin(env)
        self._begin(seed, env.instruction, env.latency_ms)

    def act(self, observation: Observation) -> np.ndarray:
        """The next action, shape (13,). Pictures are read at the first step, for chunks and for the planner alone;
        masks that follow the target by sight read the head picture at every step."""
        step, self._step = self._step, self._step + 1
        if self._command is None:
            self._command = np.clip(observation[spec.STATE], spec.ACTION_LOW, spec.ACTION_HIGH).astype(np.float32)
        if not self.verdict:
            self._look(step, observation)
        if step < self._still_from:
            due = self._timetable.action(step)
            self._command = self._command if due is None else due
        return self._command.copy()

    def rehearse(self) -> float:
        """Compute one chunk from grey pictures, between attempts; the seconds that it took. The first one is slow."""
        width, height = spec.IMAGE_SIZE
        picture = np.full((height, width, 3), 127, np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[height // 3 : height // 2, width // 3 : width // 2] = 1
        began = time.perf_counter()
        self.controller.begin(picture, mask)
        self.controller.predict(picture, picture, mask, np.zeros(spec.ACTION_DIM, np.float32), 0)
        return time.perf_counter() - began

    def close(self) -> None:
        """Let go of the planner's connections."""
        self.planner.close()

    def _begin(self, seed: int, prompt: str, least_ms: float) -> None:
        self._seed, self._prompt = seed, prompt
        self._timetable, self._monitor = self._fresh_timetable(least_ms), Monitor(self._monitor_config)
        self.verdict, self.reason, self.chunks = "", "", 0
        self._step, self._still_from = 0, np.inf
        self._command: np.ndarray | None = None
        self._mask: np.ndarray | None = None
        self._known = ""  # the instruction that the controller has begun with

    def _fresh_timetable(self, least_ms: float) -> Timetable:
        config = self.controller.config
        return Timetable(config.horizon, config.execute, max(self.latency_ms, least_ms))

    def _look(self, step: int, observation: Observation) -> None:
        """Follow the target, ask the planner what is to be asked, compute a chunk if one is due."""
        try:
            # What knows the truth of the present moment need not have seen those before.
            if self._mask is not None and (self._timetable.wants_chunk(step) or not self.masks.privileged):
                self._mask = self.masks.track(observation[spec.HEAD])
            self._plan(step, observation)
        except (PlannerError, MaskError) as fault:
            self._give_up(step, str(fault))
        if self._monitor.acting and not self.verdict and self._timetable.wants_chunk(step):
            chunk = self.controller.predict(
                observation[spec.HEAD],
                observation[spec.WRIST],
                self._mask,
                observation[spec.STATE],
                chunk_seed(self._seed, self.chunks),
            )
            self._timetable.add(step, chunk)
            self.chunks += 1

    def _plan(self, step: int, observation: Observation) -> None:
        monitor, now_s = self._monitor, step * spec.CONTROL_PERIOD_S
        if step == 0:
            self._initial = observation[spec.HEAD]
            monitor.start(now_s)
        views, state = _Views(self._prompt, self._initial, observation), observation[spec.STATE]
        seen = len(monitor.history)
        lost = self._mask is not None and self.masks.lost
        home, trouble = consult(monitor, self.planner, views, now_s, state, lost)
        while home is not None and monitor.grasp_end is not Event.HELD:
            # No way home within an attempt: the planner looks again, from where the arm is.
            monitor.reply(home.serial, None, now_s)
            home, trouble = consult(monitor, self.planner, views, now_s, state, lost)
        if any(line.event is Event.LOCATED for line in monitor.history[seen:]):
            self._follow(views.head)
        if monitor.grasp_end is Event.HELD or (monitor.state is State.DONE and monitor.rounds):
            self.verdict, self._still_from = HELD, step + round(FINISH_S * spec.CONTROL_HZ)
        elif monitor.finished:
            self._give_up(step, trouble or f"the planner ended with {monitor.end!s}")

    def _follow(self, head: np.ndarray) -> None:
        self._mask = self.masks.start(head, self._monitor.box)
        # What the controller keeps in mind is the first moment of an attempt, before the hand hides the target.
        if self._known != self._monitor.instruction:
            self._known = self._monitor.instruction
            self.controller.begin(head, self._mask)

    def _give_up(self, step: int, reason: str) -> None:
        self.verdict, self.reason, self._still_from = GAVE_UP, reason, step


class _Views:
    """What the planner is shown; pictures are drawn when it looks at them. Stands in for policy.planner's Views."""

    def __init__(self, prompt: str, initial: np.ndarray, observation: Observation) -> None:
        self.prompt, self.initial, self._observation = prompt, initial, observation

    @property
    def head(self) -> np.ndarray:
        return self._observation[spec.HEAD]

    @property
    def wrist(self) -> np.ndarray:
        return self._observation[spec.WRIST]


def chunk_seed(seed: int, number: int) -> int:
    """The seed of one chunk: a function of the attempt's seed and the chunk's number alone."""
    return zlib.crc32(f"{seed}/{number}".encode())
