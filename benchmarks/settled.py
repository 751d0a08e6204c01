"""What a policy's planner says during one grasp of a longer prompt: what and where is settled, the rest is asked."""

from collections.abc import Callable

import numpy as np

from envs.interface import GraspEnv
from policy.planner.interface import Box, Planner, Understanding


class Settled(Planner):
    """Stands in for a planner while one object is grasped.

    It proposes `words`, and finds the object in `box` when first asked; other questions it passes on. `verdicts` are
    the grasp verifications so far, whether each was right.

    Args:
        is_held: the truth about the object; None where either answer is right.
    """

    def __init__(self, planner: Planner, words: str, box: Box, is_held: Callable[[], bool | None]) -> None:
        self.name, self.privileged = planner.name, planner.privileged
        self.verdicts: list[bool] = []
        self._planner, self._words, self._is_held = planner, words, is_held
        self._box: Box | None = box

    def begin(self, env: GraspEnv) -> None:
        """Passed on."""
        self._planner.begin(env)

    def propose(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> str | None:
        """What was proposed."""
        return self._words

    def locate(self, head: np.ndarray, instruction: str) -> Box | None:
        """What was located, at the first question."""
        box, self._box = self._box, None
        return self._planner.locate(head, instruction) if box is None else box

    def verify(self, head: np.ndarray, wrist: np.ndarray, instruction: str) -> bool:
        """Passed on, and judged."""
        said = self._planner.verify(head, wrist, instruction)
        self.verdicts.append(self._is_held() in (None, said))
        return said

    def completed(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> bool:
        """Not yet: the check of the whole prompt comes after the grasp."""
        return False

    def understand(self, head: np.ndarray, prompt: str) -> Understanding:
        """The one object."""
        return Understanding("objects", (self._words,))

    def instruction_completed(self, head: np.ndarray, instruction: str) -> bool:
        """Passed on."""
        return self._planner.instruction_completed(head, instruction)
