"""Masks from the simulation's own knowledge: exact, and declared as such."""

import numpy as np

from envs.interface import GraspEnv
from policy.masks.interface import MaskError, Tracker


class PrivilegedMasks(Tracker):
    """The pixels in which the head picture shows the episode's target, whatever box the planner drew.

    The mask belongs to the present moment of the environment, which is that of the latest picture.
    `begin` raises MaskError for an environment that has no truth, such as a robot.
    """

    name = "privileged"
    privileged = ("masks",)

    def __init__(self) -> None:
        self._env: GraspEnv | None = None

    def begin(self, env: GraspEnv) -> None:
        """Keep `env`, to ask it for masks."""
        super().begin(env)
        if env.truth is None:
            raise MaskError("privileged masks need a simulation: this environment has no truth; choose other masks")
        self._env = env

    def _start(self, head: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        del box  # Unused: the truth knows which object is meant.
        if self._env is None:
            raise MaskError("privileged masks need begin(env) before start()")
        return self._track(head)

    def _track(self, head: np.ndarray) -> np.ndarray:
        mask = self._env.truth.target_mask()
        if mask.shape != head.shape[:2]:
            raise MaskError(f"the true mask has shape {mask.shape}, the head picture {head.shape[:2]}")
        return mask
