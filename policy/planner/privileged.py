"""A planner that knows the truth of the simulation: the upper bound, and the default while a controller is scored."""

import numpy as np

from envs import spec
from envs.interface import GraspEnv, Truth
from policy.planner.interface import Box, Planner, PlannerError, Understanding


class PrivilegedPlanner(Planner):
    """Answers from `GraspEnv.truth` and ignores words and pictures, whose size must be that of the truth's mask."""

    name = "privileged"
    privileged = ("planner",)

    def __init__(self) -> None:
        self._env: GraspEnv | None = None

    def begin(self, env: GraspEnv) -> None:
        """Keep the environment; raises PlannerError where it has no truth to tell, as on a robot."""
        if env.truth is None:
            raise PlannerError("the privileged planner needs a simulation; on a robot choose: server, local")
        self._env = env

    def propose(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> str | None:
        """The episode's own instruction; None once the target is up. Of a prompt for several objects the next one's."""
        asked = self._truth().requests()
        if asked is not None:
            return asked.left[0] if asked.left else None
        return None if self._up() else self._begun().instruction

    def locate(self, head: np.ndarray, instruction: str) -> Box | None:
        """The tightest box around the target's visible pixels; None: the head camera sees none of them."""
        mask = self._truth().target_mask()
        if mask.shape != head.shape[:2]:
            raise PlannerError(
                f"the truth's mask is {mask.shape}, the head picture {head.shape[:2]}: pass the picture whole"
            )
        rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        if not len(rows):
            return None
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)

    def verify(self, head: np.ndarray, wrist: np.ndarray, instruction: str) -> bool:
        """Whether the hand touches the target and holds it at the height that counts as success."""
        return self._up() and self._truth().target_touched()

    def completed(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> bool:
        """Whether the one object that an episode asks for is up or put away; of several, whether nothing is left."""
        asked = self._truth().requests()
        return self._up() or self._truth().target_put_away() if asked is None else not asked.left

    def understand(self, head: np.ndarray, prompt: str) -> Understanding:
        """One object, the target; or all that a prompt asks for, unless it is the whole table."""
        asked = self._truth().requests()
        if asked is not None:
            return Understanding("abstract") if asked.everything else Understanding("objects", asked.left)
        return Understanding("objects", (self._begun().instruction,))

    def instruction_completed(self, head: np.ndarray, instruction: str) -> bool:
        """Whether the target is up, or, where there are several, no longer among what is left."""
        asked = self._truth().requests()
        return self._up() if asked is None else instruction not in asked.left

    def _begun(self) -> GraspEnv:
        if self._env is None:
            raise PlannerError("call begin(env) before the first question")
        return self._env

    def _truth(self) -> Truth:
        truth = self._begun().truth
        if truth is None:
            raise PlannerError("the environment no longer tells the truth")
        return truth

    def _up(self) -> bool:
        return self._truth().target_height_m() >= spec.LIFT_HEIGHT_M
