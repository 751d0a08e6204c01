"""Collects an episode, as it is played by any policy, into a demonstration."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from datagen.search import CLOSE
from datagen.storage import UNKNOWN_PHASE, Demo, DemoFile
from datagen.words import scene_words
from envs import spec
from envs.interface import EpisodeResult, Observation
from envs.rollout import Observer
from envs.sim import SimEnv


class DemoRecorder(Observer):
    """Writes an episode to a file of demonstrations if it succeeds: its last attempt, with all observations in it.

    Images are among them when the environment renders them (obs_mode "rgb"). phase: asked after every step for the
    index of the phase that the action belonged to; without it the phases are recorded as unknown (-1).
    """

    def __init__(self, file: DemoFile, versions: Mapping[str, str], phase: Callable[[], int] | None = None) -> None:
        self._file, self.versions = file, versions
        self.phase = phase or (lambda: UNKNOWN_PHASE)

    def on_reset(self, env: SimEnv, observation: Observation, info: dict[str, Any]) -> None:
        """Start over: a demonstration shows the attempt that succeeded, not those before it."""
        del info  # Unused: privileged readings are no part of a demonstration.
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []
        self._dones: list[bool] = []
        self._phases: list[int] = []
        self._observations, self._states = [observation], [env.save_state().physics]

    def on_step(
        self, env: SimEnv, action: np.ndarray, observation: Observation, reward: float, info: dict[str, Any]
    ) -> None:
        """Keep one action, what it earned, and what was seen after it."""
        self._actions.append(np.array(action, np.float32))
        self._rewards.append(reward)
        self._dones.append(bool(info["outcome"]))
        self._phases.append(self.phase())
        self._observations.append(observation)
        self._states.append(env.save_state().physics)

    def on_end(self, env: SimEnv, result: EpisodeResult) -> None:
        """Write the episode if it succeeded, and the simulation had nothing to complain of."""
        if not result.success or any(warning.number for warning in env.data.warning):
            return
        # Rows show what was there before their action, so what followed the last one is left out.
        observations, states = self._observations[:-1], self._states[:-1]
        keys = [key for key in observations[0] if key != spec.INSTRUCTION]
        phases = np.array(self._phases, np.int8)
        demo = Demo(
            suite=result.suite,
            index=result.index,
            success=result.success,
            outcome=result.outcome,
            attempts=max(result.attempts, grasps(phases)),
            actions=np.stack(self._actions),
            states=np.stack(states),
            rewards=np.array(self._rewards, np.float32),
            dones=np.array(self._dones),
            phases=phases,
            obs={key: np.stack([seen[key] for seen in observations]) for key in keys},
            spec=env.scene.episode.as_dict(),
            versions=self.versions,
            **scene_words(env.scene),
        )
        self._file.write(demo)


def grasps(phases: np.ndarray) -> int:
    """How often the hand begins to close in phases (T,); 0 where nobody said which they were."""
    closing = phases == CLOSE
    return int(np.count_nonzero(closing[1:] & ~closing[:-1]) + closing[:1].sum())
