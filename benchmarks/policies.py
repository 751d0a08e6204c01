"""Baseline policies by name: the scripted expert, and two that must score zero."""

from collections.abc import Callable

import numpy as np

from benchmarks.errors import UsageError
from envs import spec
from envs.interface import GraspEnv, Observation, Policy


class RandomPolicy(Policy):
    """A fresh uniform draw from the whole action space at every step."""

    name = "random"

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Start the stream of draws that belongs to `seed`."""
        del env  # Unused: not privileged.
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation) -> np.ndarray:
        """A (13,) draw between the limits of the action space."""
        del observation  # Unused: that is the point.
        return self._rng.uniform(spec.ACTION_LOW, spec.ACTION_HIGH).astype(np.float32)


class HoldStillPolicy(Policy):
    """Commands the first state it sees for the rest of the attempt."""

    name = "hold-still"

    def __init__(self) -> None:
        self._held: np.ndarray | None = None

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Forget the state of the attempt before."""
        del env, seed  # Unused: nothing is privileged and nothing is drawn.
        self._held = None

    def act(self, observation: Observation) -> np.ndarray:
        """The (13,) state at the first call since reset."""
        if self._held is None:
            self._held = np.clip(observation[spec.STATE], spec.ACTION_LOW, spec.ACTION_HIGH).astype(np.float32)
        return self._held.copy()


def _expert() -> Policy:
    from datagen.expert import Expert  # here, so that the other policies start without the planner

    return Expert()


POLICIES: dict[str, Callable[[], Policy]] = {
    "expert": _expert,
    RandomPolicy.name: RandomPolicy,
    HoldStillPolicy.name: HoldStillPolicy,
}


def check_policy(name: str) -> None:
    """Raises UsageError listing the choices if there is no policy called `name`."""
    if name not in POLICIES:
        raise UsageError(f"unknown policy {name!r}; choose from: {', '.join(sorted(POLICIES))}")


def make_policy(name: str) -> Policy:
    """A fresh policy by its name; raises UsageError listing the choices."""
    check_policy(name)
    return POLICIES[name]()
