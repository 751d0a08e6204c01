"""Pictures of the world: colour, segmentation and depth from the named cameras."""

import sys
from collections.abc import Callable, Iterable
from typing import Self

import mujoco
import numpy as np

from assets import gl
from envs.spec import CAMERAS, IMAGE_SIZE, VISUAL_GROUP

BACKGROUND = -1
_MAX_GEOMS = 2000
# GL objects that a fork carried into a process that did not make them. Freeing them there would delete objects of
# the same number in the child's own context, so they are kept for good.
_ORPHANS: list[mujoco.MjrContext] = []


class Rig:
    """The cameras of one model.

    Meshes and textures go to the renderer on the first picture, in the process and thread that asks for it (3 to 10 ms;
    the OpenGL context itself is made once and shared by all rigs); a rig that was carried over a fork starts anew.
    A picture is a function of model and data alone: repeats are equal to the bit.
    A rig reads `model` at each picture, so lights moved by a look are seen at once.

    Args:
        model: what to draw: geoms of VISUAL_GROUP. Anti-aliasing and shadow map follow `model.vis.quality`.
        size: (width, height) in pixels of every picture, unless the call says otherwise.
        cameras: camera names that `frames` draws; each must exist.

    Raises:
        ValueError: a camera that the model does not have, or a size below one pixel.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        size: tuple[int, int] = IMAGE_SIZE,
        cameras: Iterable[str] = CAMERAS,
    ) -> None:
        self.model = model
        self.size = _checked(size)
        self.cameras = tuple(cameras)
        self._context: mujoco.MjrContext | None = None
        self._owner: tuple[int, int] | None = None
        self._views = {name: _view(model, name) for name in self.cameras}
        self._option = _only_visual_geoms()
        self._perturb = mujoco.MjvPerturb()
        self._scene: mujoco.MjvScene | None = None

    def render(self, data: mujoco.MjData, camera: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W, 3) uint8 RGB, a fresh array, top row first. `data` must be forwarded (positions up to date)."""
        rect = self._draw(data, camera, size, identify=False)
        pixels = np.empty((rect.height, rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, rect, self._context)
        return pixels[::-1].copy()

    def frames(self, data: mujoco.MjData) -> dict[str, np.ndarray]:
        """A picture from each camera of the rig, by name."""
        return {name: self.render(data, name) for name in self.cameras}

    def segment(self, data: mujoco.MjData, camera: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W) int32: id of the body that each pixel shows, BACKGROUND (-1) where there is none."""
        rect = self._draw(data, camera, size, identify=True)
        colour = np.empty((rect.height, rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(colour, None, rect, self._context)
        wide = colour.astype(np.int32)
        index = wide[..., 0] + (wide[..., 1] << 8) + (wide[..., 2] << 16)  # 0 is background, 1 + n the scene's geom n
        return self._body_of_index()[index[::-1]]

    def body_mask(
        self, data: mujoco.MjData, camera: str, body_id: int, size: tuple[int, int] | None = None
    ) -> np.ndarray:
        """(H, W) bool: pixels that show the body `body_id` (its own geoms; not those of its children)."""
        return self.segment(data, camera, size) == body_id

    def depth(self, data: mujoco.MjData, camera: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W) float32: distance in metres along the viewing axis, inf where there is nothing."""
        rect = self._draw(data, camera, size, identify=True)
        buffer = np.empty((rect.height, rect.width), np.float32)
        mujoco.mjr_readPixels(None, buffer, rect, self._context)
        near = self.model.vis.map.znear * self.model.stat.extent
        far = self.model.vis.map.zfar * self.model.stat.extent
        inverse = buffer[::-1].astype(np.float64)  # 1 at the near plane, 0 at the far plane, linear in 1 / distance
        distance = near * far / (near + inverse * (far - near))
        return np.where(inverse > 0, distance, np.inf).astype(np.float32)

    def close(self) -> None:
        """Give the renderer's memory back. May be called again; the next picture makes everything anew."""
        context, self._context = self._context, None
        if context is None:
            return
        if self._owner == gl.owner():
            gl.gl_context()
            context.free()
        else:
            _ORPHANS.append(context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # At interpreter exit the OpenGL context is gone already, and everything in it.
    def __del__(self, _exiting: Callable[[], bool] = sys.is_finalizing) -> None:
        if getattr(self, "_context", None) is not None and not _exiting():
            self.close()

    def _draw(
        self,
        data: mujoco.MjData,
        camera: str,
        size: tuple[int, int] | None,
        *,
        identify: bool,
        what: mujoco.mjtCatBit = mujoco.mjtCatBit.mjCAT_ALL,
    ) -> mujoco.MjrRect:
        """Draw into the offscreen buffer; the result waits there, bottom row first, in the returned rectangle."""
        view, width, height = self._asked(camera, size)
        self._prepare(width, height)
        flags = self._scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = identify
        shadows = not identify and bool(self.model.light_castshadow.any())
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        mujoco.mjv_updateScene(self.model, data, self._option, self._perturb, view, what, self._scene)
        rect = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rect, self._scene, self._context)
        return rect

    def _asked(self, camera: str, size: tuple[int, int] | None) -> tuple[mujoco.MjvCamera, int, int]:
        """What a picture is asked for: its view, width and height in pixels."""
        view = self._views.get(camera)
        if view is None:
            view = self._views[camera] = _view(self.model, camera)
        return view, *(self.size if size is None else _checked(size))

    def _prepare(self, width: int, height: int) -> None:
        if self._context is not None and self._owner != gl.owner():
            self.close()
        gl.gl_context()
        if self._context is None:
            self._context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_50)
            self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
            # The model asks for the largest picture; a buffer of the size in use is cleared faster.
            mujoco.mjr_resizeOffscreen(width, height, self._context)
            self._owner = gl.owner()
            self._scene = mujoco.MjvScene(self.model, maxgeom=_MAX_GEOMS)
            self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        room = self._context.offWidth, self._context.offHeight
        if width > room[0] or height > room[1]:
            mujoco.mjr_resizeOffscreen(max(width, room[0]), max(height, room[1]), self._context)
        # Every time: another rig of this process may have drawn last, into buffers of its own.
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def _body_of_index(self) -> np.ndarray:
        geoms = self._scene.geoms[: self._scene.ngeom]
        table = np.full(len(geoms) + 1, BACKGROUND, np.int32)
        for geom in geoms:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = self.model.geom_bodyid[geom.objid]
        return table


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"a picture needs at least one pixel each way, got width {width}, height {height}")
    return int(width), int(height)


def _view(model: mujoco.MjModel, camera: str) -> mujoco.MjvCamera:
    camera_id = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
    if camera_id < 0:
        names = ", ".join(model.camera(i).name for i in range(model.ncam)) or "none at all"
        raise ValueError(f"the model has no camera {camera!r}; it has {names}")
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera_id
    return view


def _only_visual_geoms() -> mujoco.MjvOption:
    option = mujoco.MjvOption()
    for groups in (option.geomgroup, option.sitegroup, option.jointgroup, option.tendongroup, option.actuatorgroup):
        groups[:] = 0
    option.geomgroup[VISUAL_GROUP] = 1
    return option
