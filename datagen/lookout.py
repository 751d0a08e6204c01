"""Whether the target still lies where a plan expects it, and how to stop on the way to where it no longer is."""

import mujoco
import numpy as np

from datagen.branch import Branch
from datagen.search import Plan

# A target that is off by more than this from where the plan's trial had it, at the same step, has been moved.
MOVED_M, MOVED_RAD = 0.005, np.radians(5.0)
# How far along the plan each further step goes, in steps of the plan; then the arm rests until things lie still.
# A quarter of the speed of a step less per step stays far within what the drives can do: they stop in one.
PACES = (0.75, 0.5, 0.25)
REST_STEPS = 8


class Lookout:
    """Follows one plan; `data` is as it was when the plan was made, and `branch` still at its snapshot of that."""

    def __init__(self, branch: Branch, plan: Plan, data: mujoco.MjData) -> None:
        self._branch, self._plan, self._step = branch, plan, 0
        self._address = branch.scene.object_qpos[0]
        self._start = data.qpos[self._address].copy()
        self._expected: np.ndarray | None = None

    def is_moved(self, data: mujoco.MjData) -> bool:
        """Whether something has moved the target unexpectedly. Ask after every action, until the hand closes.

        What the hand itself moves on its way is expected: the plan is carried out in the copy once more to see it.
        """
        self._step += 1
        pose = data.qpos[self._address]
        if not _differ(pose, self._start):
            return False
        if self._expected is None:
            self._expected = self._branch.target_path(self._plan.actions[: self._plan.reach_steps])
        return _differ(pose, self._expected[self._step - 1])

    def stop(self) -> np.ndarray:
        """Actions (T, 13) that slow down along the plan from where it is now, and then rest."""
        ahead = self._plan.actions[self._step - 1 : self._plan.reach_steps]
        along = np.cumsum([*PACES, *[0.0] * REST_STEPS])
        return np.stack([np.interp(along, np.arange(len(ahead)), values) for values in ahead.T], axis=1)


def _differ(pose: np.ndarray, other: np.ndarray) -> bool:
    turn_rad = 2 * np.arccos(min(1.0, abs(float(pose[3:] @ other[3:]))))
    return bool(np.linalg.norm(pose[:3] - other[:3]) > MOVED_M or turn_rad > MOVED_RAD)
