"""What every planner offers: six questions about what the cameras show, and the errors that end them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from envs.interface import DexClutterError, GraspEnv

# (x0, y0, x1, y1) in pixels of the head image; x1 and y1 exclusive.
Box = tuple[float, float, float, float]


class PlannerError(DexClutterError, RuntimeError):
    """A planner cannot be made, cannot be reached, or gave no usable answer after every retry."""


class UnreadableReply(DexClutterError, ValueError):
    """A model's reply that does not say what was asked for; the planner asks again or takes the defined outcome."""


@dataclass(frozen=True)
class Understanding:
    """What kind of prompt the user gave.

    `kind` "objects": it names things, in the order in which `objects` lists them. `kind` "abstract": it states a goal
    ("clear the table"), so that what to grasp next has to be proposed from each new picture; `objects` is empty.
    """

    kind: Literal["objects", "abstract"]
    objects: tuple[str, ...] = ()


class Planner(ABC):
    """Looks at pictures and answers. Images are (H, W, 3) uint8 RGB as the environment delivers them.

    `initial` is the head image from before the first grasp, `head` and `wrist` are of now. Every question raises
    PlannerError where no answer can be had.
    """

    name: str
    privileged: tuple[str, ...] = ()  # ("planner",) where the answers come from ground truth
    unread: int = 0  # questions so far whose replies could not be read, so that the defined outcome stood in

    @property
    def title(self) -> str:
        """How a report names this planner."""
        return self.name

    @abstractmethod
    def begin(self, env: GraspEnv) -> None:
        """An attempt starts. Only a privileged planner may keep `env`."""

    @abstractmethod
    def propose(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> str | None:
        """One grasping instruction that serves the user's prompt; None: nothing is left to grasp."""

    @abstractmethod
    def locate(self, head: np.ndarray, instruction: str) -> Box | None:
        """The box of the instruction's object, inside the image and not empty; None: not visible."""

    @abstractmethod
    def verify(self, head: np.ndarray, wrist: np.ndarray, instruction: str) -> bool:
        """Grasp verification: whether the hand holds the object, off the table."""

    @abstractmethod
    def completed(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> bool:
        """Completion check: whether everything that the prompt asks for has been taken away."""

    @abstractmethod
    def understand(self, head: np.ndarray, prompt: str) -> Understanding:
        """Whether the prompt names objects, and which, or states an abstract goal."""

    @abstractmethod
    def instruction_completed(self, head: np.ndarray, instruction: str) -> bool:
        """Whether the instruction's object is gone from the table."""

    def close(self) -> None:  # noqa: B027  (most planners hold nothing)
        """Let go of connections and memory."""
