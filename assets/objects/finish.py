"""Surfaces that are hard to see: the same object polished, of coloured glass, or painted like the table under it."""

import functools
from dataclasses import replace

import numpy as np

from assets.looks.tables import TABLES, tile
from assets.mesh import Mesh
from assets.objects.types import ObjectSpec, Visual

GLOSSY, TRANSPARENT, CAMOUFLAGED = "glossy", "transparent", "camouflaged"
FINISHES = ("", GLOSSY, TRANSPARENT, CAMOUFLAGED)
GLASS_ALPHA = 0.35
# The word for the colour of a table top, where there is one.
TABLE_COLORS = {"white": "white", "black_mouse_pad": "black", "pink_towel": "pink", "wood": "brown"}
# What a polished surface mirrors: (place around the body, half width, strength), all as shares; below 0 it is dark.
WINDOWS = ((0.06, 0.035, 0.9), (0.20, 0.06, -0.55), (0.36, 0.05, 0.85), (0.44, 0.015, 0.7), (0.58, 0.07, -0.5),
           (0.72, 0.04, 0.9), (0.90, 0.05, -0.6))  # fmt: skip
POLISHED_PX = 128
SLANT = 0.6  # the pattern is thrown on the surface along (-SLANT, -SLANT, 1), which few surfaces contain


@functools.lru_cache(maxsize=1024)
def finished(spec: ObjectSpec, finish: str, table: str) -> ObjectSpec:
    """The object with another surface; its words stay true. table: the name of the table top under it.

    finish: one of FINISHES; "" leaves the object as it is. Raises ValueError for another one, and for camouflage on a
    table top that has no colour word.
    """
    if not finish:
        return spec
    if finish == GLOSSY:
        return replace(spec, visuals=tuple(_polished(v) for v in spec.visuals))
    if finish == TRANSPARENT:
        glass = tuple(replace(v, alpha=GLASS_ALPHA, gloss=1.0) for v in spec.visuals)
        return replace(spec, visuals=glass, material="glass")
    if finish != CAMOUFLAGED:
        raise ValueError(f"unknown finish {finish!r}; choose one of: {', '.join(map(repr, FINISHES))}")
    if table not in TABLE_COLORS:
        raise ValueError(f"nothing can be camouflaged on {table!r}; choose a table of: {', '.join(TABLE_COLORS)}")
    painted = tuple(_painted(v, table) for v in spec.visuals)
    return replace(spec, visuals=painted, colors=(TABLE_COLORS[table],))


def _polished(visual: Visual) -> Visual:
    """With the windows and the dark corners of a room on it, as a mirror shows them: upright bands around the body."""
    side = POLISHED_PX
    if visual.texture is None:
        picture = np.broadcast_to(255.0 * np.array(visual.rgb), (side, side, 3))
    else:
        rows, columns = (np.arange(side) * size // side for size in visual.texture.shape[:2])
        picture = visual.texture[rows][:, columns].astype(float)
    u, v = (np.arange(side) + 0.5) / side, 1 - (np.arange(side)[:, None] + 0.5) / side
    light, shade = np.zeros((side, side)), np.zeros((side, side))
    for at, half, strength in WINDOWS:
        # Bands lean a little, and end before rim and foot.
        near = np.abs((u - at + 0.08 * (v - 0.5) + 0.5) % 1.0 - 0.5) < half
        band = np.where(near & (np.abs(v - 0.5) < 0.42), abs(strength), 0.0)
        light, shade = (np.maximum(light, band), shade) if strength > 0 else (light, np.maximum(shade, band))
    mirrored = picture * (1 - shade[..., None])
    mirrored += (255.0 - mirrored) * light[..., None]
    return replace(visual, rgb=(1.0, 1.0, 1.0), texture=mirrored.astype(np.uint8), gloss=1.0)


def _painted(visual: Visual, table: str) -> Visual:
    top, picture = TABLES[table](0), tile(table, 0)
    if top.is_plain:
        return replace(visual, rgb=tuple(float(v) for v in picture[0, 0] / 255.0), texture=None, gloss=0.0)
    mesh = visual.mesh
    uv = (mesh.vertices[:, :2] + SLANT * mesh.vertices[:, 2:]) / top.tile_m
    return replace(
        visual,
        mesh=Mesh(mesh.vertices, mesh.faces, np.ascontiguousarray(uv)),
        rgb=(1.0, 1.0, 1.0),
        texture=picture,
        gloss=0.0,
    )
