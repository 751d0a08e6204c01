"""Pictures by Filament, MuJoCo's physically based renderer: another look of the same world, for tests of policies."""

import atexit
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mujoco
import numpy as np

from assets import gl, vulkan
from envs.changes import CLASSIC, FILAMENT
from envs.sensing import Rig

# Light of a look that is white and of full strength, chosen so that the white table comes out as bright as in the
# classic pictures. A scene has further light from all around, which Filament adds by itself: 5,000 lux.
FULL_LUX = 46_000.0
TABLE = np.array([0.5, -0.2, 0.0])  # what spotlights are measured at (m, in world); they do not fade with distance
GLOW_FACTOR = 15.0  # what emission is multiplied by: then walls that glow come out as bright as in classic pictures
LINEAR, GAMMA = 0.0031308, 2.4  # of sRGB, IEC 61966-2-1


class FilamentRig(Rig):
    """A rig whose `render` is drawn by Filament; masks, segmentation and depth are those of the classic renderer.

    Materials and textures are those of the model, lights its lights, each as strong as in classic pictures. Filament's
    own postprocessing dithers at random, so it is left out: light is encoded here, without tone mapping, and a picture
    is a function of model and data alone. Software needs 0.2 to 0.3 s of a core for 640x480.

    Raises RenderingError at the first picture where there is no Vulkan driver; see assets.vulkan.
    """

    _stage: "_Stage | None" = None

    def render(self, data: mujoco.MjData, camera: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W, 3) uint8 RGB, a fresh array, top row first. `data` must be forwarded (positions up to date)."""
        view, width, height = self._asked(camera, size)
        if self._stage is None or not self._stage.is_live():
            self._stage = _Stage(self.model, self._option)
        return self._stage.draw(data, mujoco.mjv_camera2GLCamera(self.model, data, view), width, height)

    def close(self) -> None:
        """Give the memory of both renderers back."""
        if self._stage is not None:
            self._stage.leave()
            self._stage = None
        super().close()


RIGS = {CLASSIC: Rig, FILAMENT: FilamentRig}


class _Stage:
    """What Filament keeps of one model. A process has one at a time: a second scene makes it stop drawing."""

    present: "_Stage | None" = None
    process: int | None = None  # whoever has drawn first

    def __init__(self, model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
        context, mjrf = _context(*gl.owner())
        _leave_stage()
        self.model, self._owner = model, gl.owner()
        self._scene = context.create_scene(mjrf.SceneParams())
        self._scene.configure_from_model(model)
        with _translated(model):
            self._resources = mjrf.ModelResources(context, model)
            self._lights = mjrf.ModelLights(self._scene, self._resources)
            self._renderables = mjrf.ModelRenderables(self._scene, self._resources)
        self._renderables.set_options(option)
        config = mjrf.RenderTargetConfig(color_format=mjrf.PixelFormat.PIXEL_FORMAT_RGB8)
        self._target = context.create_render_target(config)
        self._read = mjrf.ReadRequest(target=self._target)
        _Stage.present = self

    def is_live(self) -> bool:
        """False once another stage has taken its place, or after a fork."""
        return _Stage.present is self and self._owner == gl.owner()

    def leave(self) -> None:
        """Free everything. A fork's child only forgets it: it belongs to the parent's threads."""
        if self.is_live():
            _Stage.present = None
            del self._read, self._target, self._renderables, self._lights, self._resources, self._scene

    def draw(self, data: mujoco.MjData, camera: Any, width: int, height: int) -> np.ndarray:
        """The picture (height, width, 3) that a camera sees."""
        context, mjrf = _context(*self._owner)
        self._lights.update(data)
        self._light()
        with _translated(self.model):
            self._renderables.update(data)
        self._target.resize(width, height)
        linear = np.empty((height, width, 3), np.uint8)
        self._read.set_buffer(linear)
        request = mjrf.RenderRequest()
        request.scene, request.target, request.post_processing = self._scene, self._target, False
        request.viewport.width, request.viewport.height = width, height
        names = ("pos", "forward", "up", "frustum_bottom", "frustum_top", "frustum_near", "frustum_far")
        request.camera = mjrf.Camera(**{name: getattr(camera, name) for name in names})
        context.wait_for_frame(context.render([request], [self._read]))
        return _encoding()[linear]

    def _light(self) -> None:
        """Make the lights as strong as the model says; Filament would share a fixed sum out among them."""
        for index in range(self.model.nlight):
            is_spot = self.model.light_type[index] == mujoco.mjtLightType.mjLIGHT_SPOT
            distance_m = np.linalg.norm(TABLE - self.model.light_pos[index]) if is_spot else 1.0
            self._lights.get_light(index).set_intensity(float(FULL_LUX * distance_m**2))  # candela of a spot, else lux


@contextmanager
def _translated(model: mujoco.MjModel) -> Iterator[None]:
    """The model in the words of Filament while the block runs: textures made for a screen, stronger glow."""
    said = model.tex_colorspace.copy(), model.mat_emission.copy()
    model.tex_colorspace[:] = mujoco.mjtColorSpace.mjCOLORSPACE_SRGB
    model.mat_emission *= GLOW_FACTOR
    try:
        yield
    finally:
        model.tex_colorspace[:], model.mat_emission[:] = said


@functools.cache
def _context(process_id: int, thread_id: int) -> tuple[Any, Any]:
    """(context, the module mjrf) of this process and thread; see `gl.owner`."""
    if _Stage.process not in (None, process_id):
        raise gl.RenderingError(
            "Filament has drawn before this process was forked, and its threads are gone: start workers by spawn"
        )
    try:
        vulkan.load()
        import mujoco.studio  # noqa: F401  (it brings Filament's shaders along)
        from mujoco import mjrf
    except (gl.RenderingError, ImportError) as fault:
        raise gl.RenderingError(f"pictures are to be drawn by Filament, which does not work here: {fault}") from fault
    _Stage.process = process_id
    with _stdout_on_stderr():
        context = mjrf.Context(mjrf.ContextConfig())
        context.set_clear_color([0.0, 0.0, 0.0])
    atexit.register(_leave_stage)  # before the interpreter frees things in an order of its own
    return context, mjrf


@contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    """Filament introduces itself on the standard output, which may be a table that somebody reads on."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _leave_stage() -> None:
    if _Stage.present is not None:
        _Stage.present.leave()


@functools.cache
def _encoding() -> np.ndarray:
    """(256,) uint8: light as Filament writes it to a value of sRGB."""
    light = np.arange(256) / 255
    encoded = np.where(light <= LINEAR, 12.92 * light, 1.055 * light ** (1 / GAMMA) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)
