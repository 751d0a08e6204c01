"""Still pictures without an environment: one photograph of a compiled model, and sheets of labelled tiles."""

from collections.abc import Iterable, Sequence

import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from assets.gl import gl_context
from envs.spec import VISUAL_GROUP

Tile = tuple[np.ndarray, Sequence[str]]  # picture (H, W, 3) uint8 and the lines written under it

_MAX_GEOMS = 2000
_FONT_PX, _LINE_PX, _GAP_PX = 12, 15, 6
_PAPER, _INK = (250, 250, 248), (30, 30, 30)


def named_view(model: mujoco.MjModel, camera: str) -> mujoco.MjvCamera:
    """The view of a camera of the model; KeyError lists the cameras if there is none of that name."""
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(camera).id
    return view


def free_view(lookat_m: Sequence[float], distance_m: float, azimuth_deg: float, elevation_deg: float):
    """A view of the point `lookat_m` (3,): azimuth 0 looks along +x, 90 along +y; elevation -90 looks down."""
    view = mujoco.MjvCamera()
    view.type, view.lookat = mujoco.mjtCamera.mjCAMERA_FREE, lookat_m
    view.distance, view.azimuth, view.elevation = distance_m, azimuth_deg, elevation_deg
    return view


def photographs(
    model: mujoco.MjModel, data: mujoco.MjData, views: Iterable[mujoco.MjvCamera], size: tuple[int, int]
) -> list[np.ndarray]:
    """One (H, W, 3) uint8 picture per view; `data` must be forwarded, size is (width, height) in pixels.

    Raises:
        RenderingError: there is no OpenGL in this process.
    """
    gl_context()
    context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    try:
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        mujoco.mjr_resizeOffscreen(*size, context)
        return [_photograph(model, data, view, size, context) for view in views]
    finally:
        context.free()


def contact_sheet(tiles: Sequence[Tile], columns: int, title: str) -> Image.Image:
    """Tiles row by row with their captions; all pictures of one size.

    Raises:
        ValueError: there are no tiles.
    """
    if not tiles:
        raise ValueError(f"the sheet {title!r} has no tiles")
    height, width = tiles[0][0].shape[:2]
    caption = _LINE_PX * max(len(lines) for _, lines in tiles)
    step_x, step_y, top = width + _GAP_PX, height + caption + _GAP_PX, 2 * _LINE_PX
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, rows * step_y + top + _GAP_PX), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    pen.text((_GAP_PX, _GAP_PX), title, _INK, ImageFont.load_default(_FONT_PX + 4))
    for n, (picture, lines) in enumerate(tiles):
        x, y = _GAP_PX + (n % columns) * step_x, top + (n // columns) * step_y
        sheet.paste(Image.fromarray(picture), (x, y))
        for k, line in enumerate(lines):
            pen.text((x + 2, y + height + k * _LINE_PX), _shortened(line, width - 4, font), _INK, font)
    return sheet


def _photograph(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    view: mujoco.MjvCamera,
    size: tuple[int, int],
    context: mujoco.MjrContext,
) -> np.ndarray:
    option = mujoco.MjvOption()
    for groups in (option.geomgroup, option.sitegroup):
        groups[:] = 0
    option.geomgroup[VISUAL_GROUP] = 1
    scene = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
    everything = mujoco.mjtCatBit.mjCAT_ALL
    mujoco.mjv_updateScene(model, data, option, mujoco.MjvPerturb(), view, everything, scene)
    rect = mujoco.MjrRect(0, 0, *size)
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    mujoco.mjr_render(rect, scene, context)
    mujoco.mjr_readPixels(pixels, None, rect, context)
    return pixels[::-1].copy()


def _shortened(line: str, width: int, font: ImageFont.ImageFont) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "..") > width:
        line = line[:-1]
    return line + ".."
