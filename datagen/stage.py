"""Physics first: plays one job without drawing anything, and keeps what a demonstration needs."""

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np

from datagen.grasps import Grasp
from datagen.jobs import NO_RECOVERY, Job, Request, scene_of
from datagen.recovery import Shove, missing_plan, moved_start
from datagen.scout import Scout, find_grasp
from datagen.search import LIFT, REACH, STILL_STEPS, Plan
from envs import outcome, spec
from envs.episode import EpisodeSpec
from envs.home import OPEN_STEPS, RISE_STEPS, homing_actions
from envs.interface import DexClutterError
from envs.sim import STATE_KIND, SimEnv

NOTICED_M = 0.01  # a target that has moved this far since the plan was made is planned for anew
BRAKE_STEPS = 8
SAFETY = 3.0  # a hold ends early only if the target would stay up sinking this many times as fast


class SimulationError(DexClutterError, RuntimeError):
    """MuJoCo itself complained; what it computed is not to be trusted."""


class Stage(SimEnv):
    """SimEnv whose hold may end before the benchmark's 20 s, where its result is plain by then.

    After `hold_s` seconds the hold ends if the target has stayed up and sinks so slowly that it would stay up for the
    rest of the 20 s sinking three times as fast. Anything else is held on to the end: only a success is ever assumed.
    """

    def __init__(self, suite: str, hand: str, hold_s: float = spec.HOLD_S) -> None:
        super().__init__(suite=suite, obs_mode="state", hand=hand)
        self._least_steps = round(hold_s * spec.CONTROL_HZ)

    def _hold(self, action: np.ndarray) -> str:
        heights = [self._readings.target_lowest_m]
        for step in range(1, outcome.HOLD_STEPS + 1):
            self._drive(action)
            heights.append(self.scene.lowest_m(self.data))
            plain = step == self._least_steps and expected_lowest_m(heights) >= spec.LIFT_HEIGHT_M
            if plain or heights[-1] < spec.LIFT_HEIGHT_M:
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
class Played:
    """One job, played. Row t: the physics state and the measured joints before action t. See datagen.storage.

    episode: the scene as it was played; attempts: grasps carried out; recovery: what was disturbed, or "none".
    """

    episode: EpisodeSpec
    outcome: str
    recovery: str
    attempts: int
    states: np.ndarray
    measured: np.ndarray
    actions: np.ndarray
    phases: np.ndarray

    @property
    def success(self) -> bool:
        """True for the words that count as the published success."""
        return outcome.is_success(self.outcome)


def play(stage: Stage, request: Request, job: Job) -> Played:
    """Demonstrate one job. A function of (request, job) alone. Raises SimulationError where MuJoCo warned."""
    stage.reset(seed=0, options={"episode": scene_of(request, job)})
    moved = moved_start(stage.scene, job.rng("joints")) if job.recovery == "joints" else None
    if moved is not None:
        stage.reset(seed=0, options={"episode": moved})
    script = Script(stage, job, request.tolerant)
    shove = Shove(job.rng("shove"))
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]] = []
    for action, phase in script.moves():
        rows.append((_state(stage), stage.servo.measured(stage.data), action, phase))
        stage.step(action)
        if stage.outcome is not None:
            break
        # A shove also stands in where there is no room for another start, or no way to miss.
        if job.recovery != NO_RECOVERY and moved is None and not script.missed:
            shove.before(stage)
    _check(stage)
    happened = {"joints": moved is not None, "miss": script.missed, "shove": shove.done}
    recovery = next((kind for kind, did in happened.items() if did), NO_RECOVERY)
    size = mujoco.mj_stateSize(stage.model, STATE_KIND)
    states, measured, actions, phases = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Played(
        episode=stage.scene.episode,
        outcome=stage.outcome or "planner",
        recovery=recovery,
        attempts=max(1, script.grasps),
        states=np.array(states, np.float64).reshape(-1, size),
        measured=np.array(measured, np.float32).reshape(-1, spec.ACTION_DIM),
        actions=np.array(actions, np.float32).reshape(-1, spec.ACTION_DIM),
        phases=np.array(phases, np.int8),
    )


class Script:
    """The expert of the generator: plans with a scout, notices a target that moved, grasps again after a miss."""

    def __init__(self, stage: Stage, job: Job, tolerant: bool) -> None:
        self._stage, self._job = stage, job
        self._rng = job.rng("tolerance") if tolerant else None
        self._scout = Scout(stage.scene)
        self._known: Grasp | None = None  # the grasp that a miss was made from
        self.grasps, self.missed = 0, False

    def moves(self) -> Iterator[tuple[np.ndarray, int]]:
        """(action (13,) float32, phase) one after the other, until no grasp is left to try."""
        failed: set[tuple[str, float]] = set()
        while (plan := self._plan(frozenset(failed))) is not None:
            stood = self._target()
            self.grasps += 1
            beside = self.missed and self.grasps == 1
            last = len(plan.actions) - (STILL_STEPS if beside else 0)
            for i in range(last):
                yield plan.actions[i].astype(np.float32), int(plan.phases[i])
                if plan.phases[i] == REACH and np.linalg.norm(self._target() - stood) > NOTICED_M:
                    self.grasps -= 1
                    yield from _brake(plan, i)
                    break
            else:
                while self._stage.scene.lowest_m(self._stage.data) >= spec.LIFT_HEIGHT_M:
                    yield plan.actions[-1].astype(np.float32), LIFT
                if not beside:
                    failed.add((plan.grasp.template, plan.grasp.azimuth_deg))
                    yield from self._retreat()

    def _plan(self, failed: frozenset[tuple[str, float]]) -> Plan | None:
        stage = self._stage
        self._scout.snapshot(stage.data, stage.servo)
        arm_rad = stage.servo.reference_rad
        plan = find_grasp(self._scout, arm_rad, self._rng, failed, self._known)
        self._known = None
        if plan is None or self._job.recovery != "miss" or self.grasps:
            return plan
        beside = missing_plan(self._scout, arm_rad, plan, self._job.rng("miss"))
        self.missed = beside is not None
        self._known = plan.grasp if self.missed else None
        return beside or plan

    def _target(self) -> np.ndarray:
        return self._stage.data.xpos[self._stage.scene.object_bodies[0], :2].copy()

    def _retreat(self) -> Iterator[tuple[np.ndarray, int]]:
        """Let go and rise; the next plan begins there."""
        stage = self._stage
        home = homing_actions(
            stage.servo.measured(stage.data), stage.scene.episode.arm_start_rad, stage.scene.hand.rest_action
        )
        for _, action in zip(range(OPEN_STEPS + RISE_STEPS), home, strict=False):
            yield action.astype(np.float32), REACH


def _brake(plan: Plan, at: int) -> Iterator[tuple[np.ndarray, int]]:
    """Come to rest on the planned path, from full speed after action `at`."""
    place = float(at)
    for k in range(1, BRAKE_STEPS):
        place += 1.0 - k / BRAKE_STEPS
        low = int(place)
        high, share = min(low + 1, len(plan.actions) - 1), place - low
        yield (plan.actions[low] * (1 - share) + plan.actions[high] * share).astype(np.float32), REACH


def _state(stage: Stage) -> np.ndarray:
    state = np.empty(mujoco.mj_stateSize(stage.model, STATE_KIND))
    mujoco.mj_getState(stage.model, stage.data, state, STATE_KIND)
    return state


def _check(stage: Stage) -> None:
    warnings = [mujoco.mjtWarning(k).name for k, warning in enumerate(stage.data.warning) if warning.number]
    if warnings or not np.isfinite(stage.data.qpos).all():
        raise SimulationError(f"the simulation failed: {', '.join(warnings) or 'numbers are not finite'}")
