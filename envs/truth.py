"""What the simulation knows of the present moment, for planners, masks and verdicts that are declared privileged."""

import mujoco
import numpy as np

from envs import spec
from envs.interface import Truth
from envs.readings import touched_objects
from envs.scene import Scene
from envs.sensing import Rig


class SimTruth(Truth):
    """Reads one episode's physics; the mask is drawn when asked for. Good until the next reset.

    index: the object that the truth is about, where that is not the one that the scene was made for.
    """

    def __init__(self, scene: Scene, data: mujoco.MjData, rig: Rig, index: int = 0) -> None:
        self._scene, self._data, self._rig, self._index = scene, data, rig, index

    def target_mask(self) -> np.ndarray:
        """(H, W) uint8, 1 where the head image shows the target; the size of the head image."""
        return self._rig.body_mask(self._data, spec.HEAD, int(self._scene.object_bodies[self._index])).astype(np.uint8)

    def target_height_m(self) -> float:
        """Height of the target's lowest point over the table (m)."""
        return self._scene.lowest_m(self._data, self._index)

    def target_touched(self) -> bool:
        """Whether the hand touches the target."""
        return bool(touched_objects(self._scene, self._data) >> self._index & 1)
