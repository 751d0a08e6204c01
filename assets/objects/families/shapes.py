"""Shapes at random, for training alone: what no household object looks like, but any of them may have a part of.

Thirty-six seen objects stand for few shapes. These stand for their outlines, their heights and their proportions, in
every combination that the hand can hold; randomised shapes are what Tobin et al. (2018) train grasping on.
"""

from collections.abc import Callable

import numpy as np

from assets.mesh import Mesh, circle
from assets.objects import palette
from assets.objects.families.draw import FRICTION, Draw
from assets.objects.shapes import (
    Z_TO_X,
    about_z,
    blob,
    block,
    cylinder,
    dome,
    ellipsoid,
    foot,
    hull,
    prism,
    rectangle,
    turned,
)
from assets.objects.solids import rotation
from assets.objects.types import Draft, Piece, Visual

Part = tuple[Piece, Mesh]
ALONG_X = rotation(Z_TO_X)
MATERIALS = ("plastic", "wood", "cardboard", "rubber")
DENSITY = (0.25, 1.0)  # g/cm3
TALLEST_M, MOST_SLENDER = 0.17, 3.3  # height, and height over the narrowest side, of what stands safely


def random_shape(draw: Draw) -> Draft:
    """A bar, a stack, a slab or a pebble, by turns."""
    noun, build = KINDS[draw.index % len(KINDS)]
    parts = build(draw.rng)
    colors = [str(draw.rng.choice(palette.COLOR_WORDS)) for _ in parts]
    if draw.rng.random() < 0.5:
        colors = colors[:1] * len(parts)
    material = str(draw.rng.choice(MATERIALS))
    pieces = [piece for piece, _ in parts]
    gloss = float(draw.rng.uniform(0.0, 0.6))
    return Draft(
        noun=noun,
        colors=tuple(dict.fromkeys(colors)),
        material=material,
        mass_kg=draw.mass(pieces, *DENSITY),
        friction=float(draw.rng.uniform(*FRICTION[material])),
        pieces=pieces,
        visuals=[Visual(mesh, draw.shade(color), gloss=gloss) for (_, mesh), color in zip(parts, colors, strict=True)],
        # What is round lies still all the same.
        rolling_m=0.002,
    )


def _bar(rng: np.random.Generator) -> list[Part]:
    """Something long that lies: one to four links in a straight or bent row, thick or thin, round or square."""
    links = int(rng.integers(1, 5))
    thick = rng.uniform(0.012, 0.026, links)  # half
    if links == 3 and rng.random() < 0.5:
        thick[2] = thick[0]
    length = rng.uniform(0.08, 0.17) * rng.dirichlet(np.full(links, 8.0))
    bend = rng.choice([0.0, rng.uniform(-0.5, 0.5)])
    middle = (links - 1) / 2
    lifted = links == 3 and thick[0] == thick[2] > thick[1]  # as a dumbbell's handle
    parts, start = [], np.zeros(2)
    for k in range(links):
        turn = (k - middle) * bend
        along = np.array([np.cos(turn), np.sin(turn)])
        centre = start + along * length[k] / 2
        start = start + along * length[k]
        rise = thick[0] if lifted else thick[k]
        overlap = 0.004 if links > 1 else 0.0
        parts.append(_link(rng, (*centre, rise), length[k] / 2 + overlap, thick[k], turn))
    return _centred(parts)


def _link(rng: np.random.Generator, centre: tuple, half_length: float, half: float, turn: float) -> Part:
    """A lying box, or a lying cylinder on a box within it that keeps it from rolling."""
    frame = rotation(about_z(turn))
    if rng.random() < 0.5:
        solid = rectangle(half, half, rng.uniform(0.0, 0.5) * half)  # its section
    else:
        solid = circle(12, half)[:, :2]
        solid = solid @ np.array([[np.cos(np.pi / 12), np.sin(np.pi / 12)], [-np.sin(np.pi / 12), np.cos(np.pi / 12)]])
        solid *= half / np.abs(solid[:, 1]).max()
    lying = frame @ ALONG_X
    vertices = np.array([(*p, z) for p in solid for z in (-half_length, half_length)]) @ lying.T
    return hull(vertices, tuple(map(float, centre))), prism(solid, -half_length, half_length).moved(lying, centre)


def _stack(rng: np.random.Generator) -> list[Part]:
    """Something that stands: one to three storeys, round or square, of different widths; the widest is the foot."""
    storeys = int(rng.integers(1, 4))
    half = np.sort(rng.uniform(0.013, 0.040, storeys))[::-1]
    top = min(TALLEST_M, 2 * half[0] * MOST_SLENDER * 0.9)
    height = rng.uniform(0.025, top) * rng.dirichlet(np.full(storeys, 3.0))
    height = np.maximum(height, 0.012)
    # A square foot may be longer than wide; what stands on it may stand off its middle.
    long = rng.uniform(1.0, 1.7) if half[0] < 0.032 else 1.0
    parts, z = [], 0.0
    for k in range(storeys):
        at = np.zeros(2) if k == 0 else rng.uniform(-1, 1, 2) * 0.7 * (half[0] - half[k])
        if rng.random() < 0.5:
            sides = (half[k] * (long if k == 0 else 1.0), half[k])
            piece = block((*sides, height[k] / 2), (*at, z + height[k] / 2))
            mesh = prism(rectangle(*sides, 0.002), z, z + height[k]).moved(np.eye(3), (*at, 0.0))
        else:
            piece = cylinder(half[k], z, z + height[k], *map(float, at))
            mesh = turned([(half[k], z), (half[k], z + height[k])], 16).moved(np.eye(3), (*at, 0.0))
        parts.append((piece, mesh))
        z += height[k]
    if rng.random() < 0.3 and z > 0.05:
        parts.append(_handle(rng, half[0], z))
    return parts


def _handle(rng: np.random.Generator, out: float, height: float) -> Part:
    """A lug at one side, as of a mug or a jug."""
    size = (0.012, 0.006, float(rng.uniform(0.3, 0.5) * height / 2))
    at = (out + 0.010, 0.0, height / 2)
    return block(size, at, density=0.5), prism(rectangle(*size[:2]), -size[2], size[2]).moved(np.eye(3), at)


def _slab(rng: np.random.Generator) -> list[Part]:
    """Something flat: a plate with three to eight corners, some of which may stick out."""
    corners, half = int(rng.integers(3, 9)), float(rng.uniform(0.011, 0.022))
    radius = rng.uniform(0.026, 0.044)
    if corners >= 6 and rng.random() < 0.5:  # arms, as of a star or a cross
        arms = corners // 2 + 1
        width = rng.uniform(0.009, 0.014)
        parts = []
        for k in range(arms):
            turn = rotation(about_z(2 * np.pi * k / arms))
            outline = np.array([(0.0, -width), (radius, -0.8 * width), (radius, 0.8 * width), (0.0, width)])
            vertices = np.array([(*p, z) for p in outline for z in (-half, half)]) @ turn.T
            parts.append(
                (hull(vertices), prism(outline - [radius / 2, 0], -half, half).moved(turn, turn[:, 0] * radius / 2))
            )
        return parts
    stretch = rng.uniform(0.75, 1.25)
    outline = circle(corners, radius * stretch**0.5, radius / stretch**0.5)[:, :2]
    return [(hull(np.array([(*p, z) for p in outline for z in (-half, half)])), prism(outline, -half, half))]


def _pebble(rng: np.random.Generator) -> list[Part]:
    """Something round: an ellipsoid with a flat under it, or a cylinder with a dome on it."""
    if rng.random() < 0.6:
        a, b = rng.uniform(0.020, 0.040, 2)
        b = float(np.clip(b, a / 1.5, a * 1.5))
        c = float(rng.uniform(0.7, 1.4) * min(a, b))
        radii = (float(a), b, max(c, 0.014))
        flat = 0.35 * min(a, b)
        return [
            (ellipsoid(radii), blob(radii)),
            (foot(flat, min(a, b) ** 2 / radii[2], -radii[2]), turned([(flat, -radii[2]), (flat, 0.0)], 10)),
        ]
    radius, wall = rng.uniform(0.018, 0.036), rng.uniform(0.01, 0.06)
    cap = rng.uniform(0.4, 1.0) * radius
    profile = [(radius, 0.0), (radius, wall), *dome(radius, cap, wall)[1:]]
    points = np.concatenate([circle(16, r) + [0, 0, z] for r, z in profile])
    return [(hull(points), turned(profile, 16))]


def _centred(parts: list[Part]) -> list[Part]:
    """Moved so that the middle of the bounding rectangle lies over the origin."""
    points = np.concatenate([mesh.vertices for _, mesh in parts])
    shift = np.array([*(-(points.min(axis=0) + points.max(axis=0))[:2] / 2), 0.0])
    moved = []
    for piece, mesh in parts:
        pos = tuple(float(v) for v in np.add(piece.pos, shift))
        moved.append(
            (
                Piece(piece.kind, piece.size, pos, piece.quat, piece.vertices, piece.density),
                mesh.moved(np.eye(3), shift),
            )
        )
    return moved


KINDS: tuple[tuple[str, Callable[[np.random.Generator], list[Part]]], ...] = (
    ("bar", _bar), ("stack", _stack), ("bar", _bar), ("slab", _slab), ("bar", _bar), ("stack", _stack),
    ("pebble", _pebble),
)  # fmt: skip
