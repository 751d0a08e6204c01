"""What an episode does to the world while it runs: the shove."""

import mujoco
import numpy as np

from envs import spec
from envs.placing import SHOVE_STEPS, slid
from envs.scene import Scene

PALM_IN_HAND = (0.0, 0.03, 0.12)  # the middle of what the hand closes around (m, hand frame)
SHOVE_AFTER_STEPS = 6  # of an attempt: not before the hand is on its way, also where it begins near the target
TOUCH_M = 0.001  # a shoved target stops before it lies deeper than this in anything


def palm_in_world(data: mujoco.MjData) -> np.ndarray:
    """Position (3,) of the middle of the palm in world (m)."""
    hand = data.site("hand/frame")
    return hand.xpos + hand.xmat.reshape(3, 3) @ PALM_IN_HAND


class Shover:
    """Shoves the target once in an episode, as the episode says; see envs.changes.Shove.

    A shove is written into the simulation: a few centimetres in SHOVE_STEPS control periods, upright on the table. It
    ends early where anything is in its way, so that it never pushes one thing into another. `steps` is how far it has
    come, SHOVE_STEPS once it is over.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self.steps, self.acted = scene, 0, False
        self._shove = scene.episode.changes.shove

    def act(self, data: mujoco.MjData, steps_so_far: int) -> None:
        """What happens to the target at the beginning of a control period; `steps_so_far` of the attempt are over."""
        self.acted = False
        if self._shove is None or self.steps == SHOVE_STEPS:
            return
        away_m = np.linalg.norm(palm_in_world(data) - data.xpos[self._scene.object_bodies[0]])
        if self.steps == 0 and (steps_so_far < SHOVE_AFTER_STEPS or away_m > self._shove.at_m):
            return
        address = self._scene.object_qpos[0]
        pose = slid(data.qpos[address], self._shove, 1.0 / SHOVE_STEPS)
        if not self._is_free(data, pose):
            self.steps = SHOVE_STEPS
            return
        data.qpos[address] = pose
        data.qvel[self._scene.model.joint(spec.TARGET).dofadr[0] + np.arange(6)] = 0.0
        self.steps, self.acted = self.steps + 1, True

    def _is_free(self, data: mujoco.MjData, pose: np.ndarray) -> bool:
        """Whether the target would touch nothing but the table in this pose."""
        scene = self._scene
        there = mujoco.MjData(scene.model)
        there.qpos[:] = data.qpos
        there.qpos[scene.object_qpos[0]] = pose
        mujoco.mj_kinematics(scene.model, there)
        mujoco.mj_collision(scene.model, there)
        pairs = there.contact.geom[there.contact.dist < -TOUCH_M]
        of_target = scene.model.geom_bodyid[pairs] == scene.object_bodies[0]
        return not (of_target.any(axis=1) & ~scene.is_static[pairs].any(axis=1)).any()
