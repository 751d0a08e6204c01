"""Pictures second: what the cameras saw in the stored states of an episode, equal to the bit to what SimEnv shows."""

from collections.abc import Iterator

import mujoco
import numpy as np

from assets.looks.looks import animate
from datagen.frames import Frames
from datagen.sight import bounds
from envs import spec
from envs.scene import Scene
from envs.sensing import Rig
from envs.sim import STATE_KIND

MASK, BOX = "mask", "box"
LEAST_HEIGHT_M = -0.005
_BYTE = 256


def draw(
    scene: Scene, states: np.ndarray, cameras: tuple[str, ...], size: tuple[int, int], jpeg_quality: int | None = None
) -> dict[str, Frames | np.ndarray]:
    """Pictures of the cameras in the states (T, nstate), and with "head" the target's mask and box (T, 4) float32.

    size: (width, height) in pixels. jpeg_quality: compress colour pictures with losses; masks never are.
    """
    if not cameras:
        return {}
    shape = (size[1], size[0])
    seen: dict[str, Frames | np.ndarray] = {}
    with _QuickRig(scene, size, cameras) as rig:
        for camera in cameras:
            colour = (rig.render(data, camera) for data in _moments(scene, states))
            seen[camera] = Frames.pack(colour, (*shape, 3), jpeg_quality)
        if spec.HEAD in cameras:
            target = int(scene.object_bodies[0])
            masks = (rig.body_mask(data, spec.HEAD, target).astype(np.uint8) for data in _moments(scene, states))
            boxes: list[np.ndarray] = []
            seen[MASK] = Frames.pack((_noted(mask, boxes) for mask in masks), shape)
            seen[BOX] = np.stack(boxes)
    return seen


class _QuickRig(Rig):
    """A Rig whose masks ask of each pixel only whether it shows the body, and not what else it might show."""

    def __init__(self, scene: Scene, size: tuple[int, int], cameras: tuple[str, ...]) -> None:
        super().__init__(scene.model, size, cameras)
        self._lowest_m = scene.lowest_m

    def body_mask(
        self, data: mujoco.MjData, camera: str, body_id: int, size: tuple[int, int] | None = None
    ) -> np.ndarray:
        # Table and room hide nothing of a target that lies on the table or higher; without them it takes half as long.
        on_table = self._lowest_m(data) > LEAST_HEIGHT_M
        what = mujoco.mjtCatBit.mjCAT_DYNAMIC if on_table else mujoco.mjtCatBit.mjCAT_ALL
        rect = self._draw(data, camera, size, identify=True, what=what)
        colour = np.empty((rect.height, rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(colour, None, rect, self._context)
        shown = self._body_of_index() == body_id
        if len(shown) <= _BYTE:  # a geom's number in the scene is written in red, green and blue, low byte first
            return shown[colour[::-1, :, 0]]
        number = colour[..., 1].astype(np.uint16) << 8
        number |= colour[..., 0]
        return shown[number[::-1]]


def _noted(mask: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
    boxes.append(bounds(mask))
    return mask


def _moments(scene: Scene, states: np.ndarray) -> Iterator[mujoco.MjData]:
    """The scene's data in each state, with poses, cameras and lights of that moment."""
    data = mujoco.MjData(scene.model)
    for state in states:
        mujoco.mj_setState(scene.model, data, state, STATE_KIND)
        animate(scene.model, scene.episode.look, data.time)
        mujoco.mj_kinematics(scene.model, data)
        mujoco.mj_camlight(scene.model, data)
        yield data
