"""What simulation and hardware share: the environment, the policy, the records of an episode and the errors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium
import numpy as np

Observation = Mapping[str, Any]

# How an attempt can end; "error" is our own fault and never counts against a policy.
OUTCOMES = (
    "success",
    "disturbed",
    "dropped",
    "slipped",
    "missed",
    "wrong_object",
    "collision",
    "timeout",
    "planner",
    "error",
)
SUCCESSES = ("success", "disturbed")

# Why a policy has stopped acting; see `Policy.verdict`.
HELD, GAVE_UP = "held", "gave up"


class DexClutterError(Exception):
    """Base of every error that this project raises on purpose."""


class EpisodeError(DexClutterError, ValueError):
    """An episode that cannot be made or does not fit the environment."""


class ActionError(DexClutterError, ValueError):
    """An action of the wrong shape, or with values that are not numbers."""


class Truth(ABC):
    """What only a simulation knows of the present moment. Whoever reads it declares itself privileged."""

    @abstractmethod
    def target_mask(self) -> np.ndarray:
        """(H, W) uint8, 1 where the head image shows the target; the size of the head image."""

    @abstractmethod
    def target_height_m(self) -> float:
        """Height of the target's lowest point over the table (m)."""

    @abstractmethod
    def target_touched(self) -> bool:
        """Whether the hand touches the target."""

    def target_put_away(self) -> bool:
        """Whether the target has been put away; never in an episode that asks for no more than to hold it up."""
        return False


class GraspEnv(gymnasium.Env[Observation, np.ndarray]):
    """One scene with one named target, acted on by 13 numbers at 20 Hz; simulated or real.

    Action and state are laid out by `envs.spec`: seven arm angles scaled to [-1, 1], six hand openings in [0, 1].
    """

    @property
    @abstractmethod
    def instruction(self) -> str:
        """The words that name the target of the present episode."""

    @property
    def truth(self) -> Truth | None:
        """The simulation's own knowledge; None where there is no simulation, as on a robot."""
        return None

    @property
    def latency_ms(self) -> float:
        """How long the world runs on, at the least, while a policy thinks; some suites ask for it."""
        return 0.0

    @abstractmethod
    def retry(self) -> tuple[Observation, dict[str, Any]]:
        """Send the arm home through the scene as it is now and begin the next attempt."""


class Policy(ABC):
    """Turns observations into actions. One object serves many episodes, one after the other."""

    name: str
    privileged: tuple[str, ...] = ()  # what it may read beyond the observation, e.g. ("simulator",)
    cameras: tuple[str, ...] = ()  # the images it needs; none are rendered for a policy that reads none
    # HELD: it takes the target for held and stopped acting; GAVE_UP: its planner found nothing to go for; else "".
    # A row whose attempt failed for such a verdict says "planner".
    verdict: str = ""

    @abstractmethod
    def reset(self, env: GraspEnv, seed: int) -> None:
        """Begin an attempt. Only a policy that declares `privileged` may keep `env`."""

    @abstractmethod
    def act(self, observation: Observation) -> np.ndarray:
        """The next action, shape (13,). The observation's pictures are good for the length of this call."""


@dataclass(frozen=True)
class EpisodeResult:
    """One row of a benchmark. Every field but `wall_s` is a function of (episode, policy) alone.

    Where no policy acts and a planner is asked, what was asked and answered stands in `measures`, plain JSON values.
    """

    suite: str
    version: int
    index: int
    spec_hash: str
    instruction: str
    target: str
    family: str
    objects: int
    outcome: str
    success: bool
    attempts: int
    attempt_outcomes: tuple[str, ...]
    steps: int
    policy_s: float
    lift_s: float | None  # time from the start of the last attempt until the target was up
    max_contact_force_n: float
    max_neighbour_motion_m: float
    slip_m: float | None  # how far the target sank towards the table during the 20 s hold
    error: str = ""
    wall_s: float = 0.0
    measures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; "measures" stands there only if there are any."""
        values = asdict(self)
        if not self.measures:
            del values["measures"]
        return values
