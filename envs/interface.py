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


@dataclass(frozen=True)
class Requests:
    """What a prompt for several objects still asks for.

    left: for each object of it on the table an instruction that means this one alone, the next to be grasped first;
    everything: the prompt asks for all that lies on the table and names nothing.
    """

    left: tuple[str, ...]
    everything: bool


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

    def requests(self) -> Requests | None:
        """What a prompt for several objects still asks for; None where the episode has a single target."""
        return None

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
    bridges_latency: bool = False  # whether its actions are already those for when they act; else they come late
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
class Round:
    """One round of a prompt for several objects: what the planner said, what the hand did, and whether it was right.

    None stands for what did not happen in this round.
    """

    instruction: str = ""  # what the planner proposed
    proposal: bool | None = None  # whether that means something that the prompt asks for and that is on the table
    box: bool | None = None  # whether the box encloses what the instruction means
    target: str = ""  # id of the object in the box, for which the hand went
    relevant: bool | None = None  # whether the prompt asks for it
    grasp: str = ""  # the word of the grasp, see OUTCOMES
    held: bool | None = None  # whether it was up in the air at the end of the grasp
    cleared: bool | None = None  # whether it was off the table once the arm was home
    in_tray: bool | None = None
    verdicts: tuple[bool, ...] = ()  # of each grasp verification, whether it was right
    completion: bool | None = None  # whether the completion check after the round was right


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
    rounds: tuple[Round, ...] = ()  # of a prompt for several objects
    # Of an episode in which the target is to be shoved, else None: whether it was; and, of a success, the policy time
    # from the end of the shove until the target was up.
    shoved: bool | None = None
    recovery_s: float | None = None
    measures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what is said of rounds, of a shove and of answers only where there are any."""
        values = asdict(self)
        if not self.rounds:
            del values["rounds"]
        if self.shoved is None:
            del values["shoved"], values["recovery_s"]
        if not self.measures:
            del values["measures"]
        return values

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "EpisodeResult":
        """The inverse of `as_dict`, also from parsed JSON. Raises TypeError for fields that there are not."""
        rounds = tuple(Round(**{**each, "verdicts": tuple(each["verdicts"])}) for each in values.get("rounds", ()))
        return EpisodeResult(**{**values, "attempt_outcomes": tuple(values["attempt_outcomes"]), "rounds": rounds})
