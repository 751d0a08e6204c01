"""The only environment-and-policy loop; recording, video and metrics subscribe to it."""

import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs import spec
from envs.episode import EpisodeSpec
from envs.interface import GAVE_UP, HELD, SUCCESSES, EpisodeResult, Observation, Policy
from envs.sim import SimEnv


class Observer:
    """Hears of every moment of an episode. Override what you need; the default ignores everything."""

    def on_reset(self, env: SimEnv, observation: Observation, info: dict[str, Any]) -> None:
        """An attempt begins: the state before its first action."""

    def on_step(
        self, env: SimEnv, action: np.ndarray, observation: Observation, reward: float, info: dict[str, Any]
    ) -> None:
        """One action was carried out; observation and info show what followed."""

    def on_end(self, env: SimEnv, result: EpisodeResult) -> None:
        """The episode is over."""


def run_episode(
    env: SimEnv, policy: Policy, episode: EpisodeSpec, attempts: int = 1, observers: Sequence[Observer] = ()
) -> EpisodeResult:
    """Run up to `attempts` attempts of one episode and return its row.

    Every attempt after the first begins in the scene as the last one left it, after the arm went home.
    """
    began = time.perf_counter()
    observation, info = env.reset(seed=0, options={"episode": episode})
    first_poses = env.scene.object_poses(env.data)
    words: list[str] = []
    steps, policy_s, force, lift_s, shoved_s = 0, 0.0, 0.0, None, None
    while True:
        policy.reset(env, seed=attempt_seed(episode, len(words)))
        for observer in observers:
            observer.on_reset(env, observation, info)
        act = policy.act if policy.bridges_latency else _late(policy, env.latency_ms, observation)
        ended = False
        while not ended:
            action = act(observation)
            observation, reward, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            if env.shover.acted:
                shoved_s = policy_s + env.progress.time_s
            for observer in observers:
                observer.on_step(env, action, observation, reward, info)
        words.append(attempt_word(info["outcome"], policy.verdict))
        steps += env.progress.steps
        policy_s += env.progress.time_s
        force = max(force, env.progress.max_force_n)
        lift_s = env.progress.up_since_s
        if words[-1] in SUCCESSES or len(words) == attempts:
            break
        observation, info = env.retry()
    motion = np.linalg.norm(env.scene.object_poses(env.data)[1:, :3] - first_poses[1:, :3], axis=1)
    target = env.scene.objects[0]
    recovery_s = None
    if words[-1] in SUCCESSES and shoved_s is not None:
        recovery_s = round(policy_s - env.progress.time_s + lift_s - shoved_s, 6)
    result = result_about(
        episode,
        target=target.id,
        family=target.family,
        outcome=words[-1],
        success=words[-1] in SUCCESSES,
        attempts=len(words),
        attempt_outcomes=tuple(words),
        steps=steps,
        policy_s=round(policy_s, 6),
        lift_s=None if lift_s is None else round(lift_s, 6),
        max_contact_force_n=round(force, 6),
        max_neighbour_motion_m=round(float(motion.max(initial=0.0)), 6),
        slip_m=None if env.slip_m is None else round(env.slip_m, 6),
        wall_s=time.perf_counter() - began,
        shoved=None if episode.changes.shove is None else shoved_s is not None,
        recovery_s=recovery_s,
    )
    for observer in observers:
        observer.on_end(env, result)
    return result


def result_about(episode: EpisodeSpec, **told: Any) -> EpisodeResult:
    """A row about an episode: what the episode itself says, and all that is `told` of how it went."""
    return EpisodeResult(
        suite=episode.suite,
        version=episode.version,
        index=episode.index,
        spec_hash=episode.hash,
        instruction=episode.instruction,
        objects=len(episode.objects),
        **told,
    )


def _late(policy: Policy, latency_ms: float, first: Observation) -> Callable[[Observation], np.ndarray]:
    """What comes of a policy where the world does not wait: each action acts so much later, in whole steps rounded up.

    Until the first one does, the arm waits where it is at the beginning of the attempt, as `first` shows it.
    """
    waiting = deque([first[spec.STATE].astype(float)] * spec.steps_of(latency_ms))

    def act(observation: Observation) -> np.ndarray:
        waiting.append(policy.act(observation))
        return waiting.popleft()

    return act


def attempt_word(word: str, verdict: str) -> str:
    """The word of an attempt that ended as `word`, played by a policy whose last `verdict` is given.

    "planner" where its planner answers for the failure: it gave up before the target was held, or it took for held
    what never left the table.
    """
    blamed = {GAVE_UP: ("timeout", "missed", "slipped"), HELD: ("timeout", "missed")}
    return "planner" if word in blamed.get(verdict, ()) else word


def attempt_seed(episode: EpisodeSpec, attempt: int) -> int:
    """The seed that a policy gets for one attempt: a function of the episode and the attempt's number alone."""
    key = f"{episode.suite}/{episode.version}/{episode.index}/{attempt}"
    return zlib.crc32(key.encode())
