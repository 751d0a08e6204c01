"""Who can be scored: the shipped controller or one of yours, any policy by its import path, and three baselines."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.errors import UsageError
from envs import spec
from envs.interface import DexClutterError, GraspEnv, Observation, Policy
from policy.build import (
    DEFAULT,
    PRIVILEGED,
    AgentOptions,
    checkpoint_path,
    examined,
    is_import_path,
    make_agent,
    own_policy,
)
from policy.planner import PlannerConfig


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


NO_POLICY = "none"  # where a planner alone is asked


@dataclass(frozen=True)
class Entrant:
    """What a run says of its policy. For a trained controller it is known without loading it.

    title: how reports name it; checkpoint: fingerprint of the controller's file, "" for every other policy;
    agent: what stands around a controller, or what is asked in place of a policy; None for every other policy.
    """

    title: str
    privileged: tuple[str, ...]
    cameras: tuple[str, ...]
    checkpoint: str = ""
    agent: AgentOptions | None = None


def is_controller(name: str) -> bool:
    """Whether `name` stands for a trained controller: DEFAULT, or a path. Raises UsageError listing the choices."""
    if name in POLICIES or is_import_path(name):
        return False
    if name == DEFAULT or len(Path(name).parts) > 1 or Path(name).suffix or Path(name).exists():
        return True
    choices = ", ".join(sorted({DEFAULT, *POLICIES}))
    raise UsageError(f"unknown policy {name!r}; choose from: {choices}, a controller's file, or module:factory")


def entrant(name: str, agent: AgentOptions) -> Entrant:
    """What there is to say of the policy called `name`. Raises UsageError for what cannot be scored."""
    try:
        if name == NO_POLICY:
            return _planner_alone(agent)
        if is_controller(name):
            known = examined(checkpoint_path(name), agent)
            return Entrant(known.title, agent.privileged, spec.CAMERAS, known.fingerprint, agent)
        if agent.words():
            raise UsageError(f"{agent.words()[0]} is for a trained controller; policy {name!r} has no use for it")
        policy = make_policy(name)
        return Entrant(policy.name, policy.privileged, policy.cameras)
    except UsageError:
        raise
    except DexClutterError as fault:
        raise UsageError(str(fault)) from fault


def _planner_alone(agent: AgentOptions) -> Entrant:
    agent.check()
    stray = replace(agent, planner=PlannerConfig()).words()
    if stray:
        raise UsageError(f"{stray[0]} is for a trained controller; no policy acts where a planner is asked")
    config = agent.planner
    privileged = ("planner",) if config.name == PRIVILEGED else ()
    return Entrant(f"{NO_POLICY}, planner {planner_words(config)}", privileged, spec.CAMERAS, agent=agent)


def planner_words(config: PlannerConfig) -> str:
    """How reports name a planner: with its model, where one is named."""
    return f"{config.name} ({config.model})" if config.model else config.name


def make_policy(name: str, agent: AgentOptions | None = None, checkpoint: str = "") -> Policy:
    """A fresh policy by its name; a controller's file must have the fingerprint `checkpoint`, where that is given.

    Raises UsageError listing the choices, or another DexClutterError for what cannot be made.
    """
    if is_controller(name):
        return make_agent(checkpoint_path(name), agent or AgentOptions(), checkpoint)
    return own_policy(name) if is_import_path(name) else POLICIES[name]()
