"""What a worker of the benchmark does: build environment and policy once, then play one episode after the other."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import mujoco

from assets import gl
from benchmarks.evaluate import Plan, Runner, error_result
from benchmarks.journal import thumbnail_name, video_name
from benchmarks.long_horizon import run_prompt
from benchmarks.looking import make_looker
from benchmarks.policies import make_policy
from benchmarks.suites import LOOKING, asks_for_several
from benchmarks.video import ThumbnailObserver, VideoObserver
from datagen.playback import RENDERER, renderer
from datagen.record import DemoRecorder
from datagen.storage import DemoFile
from datagen.versions import versions
from envs.episode import make_episode
from envs.interface import EpisodeResult, Policy
from envs.long_horizon import LongHorizonEnv
from envs.rollout import Observer, run_episode
from envs.sim import SimEnv
from policy.planner import Planner, make_planner


def make_runner(plan: Plan) -> Runner:
    """Build what plays any episode of `plan`.

    Raises whatever keeps the environment, the policy, the planner or (for films) the renderer from being made.
    """
    if plan.suite in LOOKING:
        return make_looker(plan)
    policy = make_policy(plan.policy, plan.agent, plan.checkpoint)
    can_draw = _can_draw(required=bool(plan.videos or policy.cameras or asks_for_several(plan.suite)))
    # A recording keeps every picture; else the policy alone decides which are worth drawing.
    env = SimEnv(suite=plan.suite, obs_mode=obs_mode(policy.cameras), hand=plan.hand, lazy=plan.demos is None)

    prompts = LongHorizonEnv(suite=plan.suite, hand=plan.hand)
    planner = planner_of(policy)

    def run(index: int) -> EpisodeResult:
        episode = make_episode(plan.suite, index, plan.version)
        with ExitStack() as stack:
            observers = _observers(plan, policy, index, can_draw, stack)
            if episode.relevant:
                result = run_prompt(prompts, policy, planner, episode, observers)
                return checked(plan, result, physics_warnings(prompts.data))
            result = run_episode(env, policy, episode, plan.attempts, observers)
        return checked(plan, result, physics_warnings(env.data))

    return run


def planner_of(policy: Policy) -> Planner:
    """Who answers for a policy what a prompt for several objects asks for: its own planner, else the truth."""
    own = getattr(policy, "planner", None)
    return own if isinstance(own, Planner) else make_planner("privileged")


def obs_mode(cameras: tuple[str, ...]) -> str:
    """The observation mode for a policy that wants these cameras: images are rendered only for who reads them."""
    return "rgb" if cameras else "state"


def physics_warnings(data: mujoco.MjData) -> list[str]:
    """What MuJoCo complained about since the scene was loaded; after any of it the physics is not to be trusted."""
    return [mujoco.mjtWarning(number).name for number, warning in enumerate(data.warning) if warning.number]


def checked(plan: Plan, result: EpisodeResult, warnings: Sequence[str]) -> EpisodeResult:
    """The result, or an error row where the simulation itself has failed: it warned, or numbers are not finite."""
    wild = [name for name, value in asdict(result).items() if isinstance(value, float) and not math.isfinite(value)]
    if wild or warnings:
        return error_result(plan, result.index, f"the simulation failed: {', '.join([*warnings, *wild])}")
    return result


def recorder(plan: Plan, policy: Policy) -> DemoRecorder:
    """What records the successes of a policy, with its phases where it has an attribute `phase_index` (else -1)."""
    made = versions() | ({RENDERER: renderer()} if policy.cameras else {})
    phase = (lambda: policy.phase_index) if hasattr(policy, "phase_index") else None
    return DemoRecorder(DemoFile(plan.demos), made, phase)


def _observers(plan: Plan, policy: Policy, index: int, can_draw: bool, stack: ExitStack) -> list[Observer]:
    observers: list[Observer] = []
    if plan.media_dir is not None:
        if can_draw:
            observers.append(ThumbnailObserver(Path(plan.media_dir) / thumbnail_name(index)))
        if index in plan.videos:
            observers.append(stack.enter_context(VideoObserver(Path(plan.media_dir) / video_name(index))))
    if plan.demos is not None:
        observers.append(recorder(plan, policy))
    return observers


def _can_draw(*, required: bool) -> bool:
    """Whether pictures can be drawn here. A run that only counts must not stop for want of an OpenGL library."""
    try:
        gl.gl_context()
    except gl.RenderingError:
        if required:
            raise
        return False
    return True
