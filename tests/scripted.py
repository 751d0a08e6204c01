"""What several tests share: an episode, the actions of a grasp that works in it, and equality to the bit."""

import functools
import hashlib
from typing import Any

import numpy as np

from datagen.expert import Expert
from envs.episode import EpisodeSpec, make_episode
from envs.sim import SimEnv

SUITE = "seen_objects"
CANDIDATES = (3, 7, 5, 4)  # with neighbours; the expert need not master every one for these tests to mean something


@functools.cache
def grasp(hand: str = "g0r") -> tuple[EpisodeSpec, np.ndarray]:
    """An episode and the actions (T, 13) float32 that end it with success in the last step."""
    env, expert = SimEnv(SUITE, hand=hand), Expert()
    for index in CANDIDATES:
        episode = make_episode(SUITE, index)
        actions = _played(env, expert, episode)
        if env.outcome in ("success", "disturbed"):
            return episode, actions
    raise AssertionError(f"the expert failed in all of the episodes {CANDIDATES} of {SUITE}")


def _played(env: SimEnv, expert: Expert, episode: EpisodeSpec) -> np.ndarray:
    observation, _ = env.reset(seed=0, options={"episode": episode})
    expert.reset(env, seed=0)
    actions = []
    while env.outcome is None:
        actions.append(expert.act(observation).astype(np.float32))
        observation, *_ = env.step(actions[-1])
    return np.array(actions)


def digest(*values: Any) -> str:
    """A fingerprint of nested results that changes with any bit, key, type or shape in them."""
    sha = hashlib.sha256()
    _feed(sha, values)
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            _feed(sha, (key, value[key]))
    elif isinstance(value, (list, tuple)):
        sha.update(f"[{len(value)}".encode())
        for item in value:
            _feed(sha, item)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.ndarray):
        _feed(sha, list(value))
    else:
        sha.update(f"{type(value).__name__}:{value!r};".encode())
