"""Household tools: flashlight, brush, dumbbell, tape roll, marker, cushion."""

import numpy as np

from assets.mesh import Mesh, circle
from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import RGB, darker, mixed
from assets.objects.shapes import (
    Z_TO_X,
    about_z,
    blob,
    block,
    cuboid,
    cylinder,
    hull,
    prism,
    rectangle,
    rounded,
    turned,
)
from assets.objects.solids import rotation
from assets.objects.types import Draft, Piece, Visual

ALONG_X = rotation(Z_TO_X)

FLAT_SHARE = 0.93  # of a cushion's half height


def flashlight(draw: Draw) -> Draft:
    """A flashlight that stands on its head."""
    base = draw.choice(("black", "red", "yellow", "blue", "grey", "green", "orange"))
    rgb = draw.shade(base)
    trim = mixed(rgb, (0.0, 0.0, 0.0), 0.55) if base != "black" else (0.72, 0.73, 0.75)
    head, handle = draw.between(0.0225, 0.029, 0), draw.between(0.014, 0.0175, 1)
    low, tall = draw.between(0.030, 0.040, 2), min(draw.between(0.105, 0.145, 3), 6.8 * head)
    wall = [(head, 0.0), (head, low - 0.006), (handle, low + 0.006)]
    body = [(handle, low + 0.006), (handle, tall - 0.018)]
    tail = [(handle + 0.001, tall - 0.018), (handle + 0.001, tall - 0.002), (handle - 0.002, tall)]
    button = (0.0035, 0.004, 0.008)
    place = (handle - 0.001, 0.0, low + 0.025)
    pieces = [cylinder(head, 0.0, low, density=0.6), cylinder(handle, low, tall)]
    return Draft(
        noun="flashlight",
        synonyms=("torch",),
        colors=(base,),
        material="metal",
        mass_kg=draw.mass(pieces, 0.9, 1.4),
        # Knurled aluminium grips better than a smooth can.
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, 18, lid=False), rgb, gloss=0.6),
            Visual(turned(body, 12, floor=False, lid=False), darker(rgb, 0.9), gloss=0.4),
            Visual(turned(tail, 12), trim, gloss=0.5),
            Visual(rounded(button, place, 4, 8, 3), (0.85, 0.15, 0.12) if base != "red" else (0.9, 0.9, 0.9)),
        ],
        size_m={"head": head, "handle": handle, "height": tall},
    )


def brush(draw: Draw) -> Draft:
    """A scrubbing brush: long with a bridge handle (even members) or round with a knob (odd ones)."""
    base = draw.choice(("red", "blue", "green", "yellow", "orange", "light blue", "pink"))
    rgb = draw.shade(base)
    bristle = (0.90, 0.86, 0.74) if base not in ("yellow",) else (0.35, 0.35, 0.37)
    hair, back = draw.between(0.018, 0.024, 2), draw.between(0.014, 0.018, 1)
    if draw.index % 2:
        radius = draw.between(0.029, 0.036, 0)
        knob, rise = 0.017, hair + back + 0.018
        pieces = [
            cylinder(0.92 * radius, 0.0, hair, density=0.4),
            cylinder(radius, hair, hair + back),
            cylinder(0.009, hair + back, rise),
            Piece("sphere", (knob, 0.0, 0.0), (0.0, 0.0, rise + 0.006)),
        ]
        plate = [
            (radius, hair),
            (radius, hair + back - 0.004),
            (radius - 0.004, hair + back),
            (0.009, hair + back + 0.002),
        ]
        visuals = [
            Visual(turned([(0.92 * radius, 0.0), (0.92 * radius, hair)], 16), bristle, gloss=0.0),
            Visual(turned([*plate, (0.009, rise)], 16), rgb, gloss=0.4),
            Visual(blob((knob,) * 3, (0.0, 0.0, rise + 0.006), n=12), rgb, gloss=0.4),
        ]
        size = {"radius": radius, "hair": hair, "back": back}
    else:
        length, width = draw.between(0.055, 0.070, 0), draw.between(0.021, 0.027, 1)
        pieces = [
            block((0.94 * length, 0.90 * width, hair / 2), (0.0, 0.0, hair / 2), density=0.4),
            block((length, width, back / 2), (0.0, 0.0, hair + back / 2)),
        ]
        wood = textures.wood(rgb, draw.rng)
        outline = rectangle(length, width, 0.003)
        visuals = [
            Visual(cuboid(pieces[0].size, pieces[0].pos), texture=_bristles(bristle), gloss=0.0),
            Visual(prism(outline, hair, hair + back, 0.002), texture=wood, gloss=0.3),
        ]
        size = {"length": length, "width": width, "hair": hair, "back": back}
    return Draft(
        noun="brush",
        synonyms=("scrubbing brush",),
        colors=(base,),
        material="wood",
        mass_kg=draw.mass(pieces, 0.35, 0.6),
        friction=draw.friction("wood"),
        pieces=pieces,
        visuals=visuals,
        size_m=size,
    )


def _bristles(rgb: RGB) -> np.ndarray:
    """Upright dark and light streaks."""
    canvas = textures.plain(rgb, 32, 128)
    canvas[:, ::3] = darker(rgb, 0.72)
    return textures.finished(canvas)


def dumbbell(draw: Draw) -> Draft:
    """A small dumbbell with six-sided heads, lying: they keep it from rolling."""
    base = draw.choice(("pink", "blue", "purple", "green", "black", "teal", "red", "grey"))
    rgb = draw.shade(base)
    head, grip = draw.between(0.025, 0.031, 0), draw.between(0.0125, 0.0145, 1)
    inner, thick = draw.between(0.040, 0.046, 2), draw.between(0.022, 0.028, 3)
    outline = circle(6, head)[:, :2]
    solid = np.array([(*p, z) for p in outline for z in (0.0, thick)])
    # Turned onto x, the hexagon's flat side is at the bottom.
    places = [(inner, 0.0, 0.0), (-inner - thick, 0.0, 0.0)]
    flat = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=float)
    vertices = solid @ flat.T
    pieces = [hull(vertices, p) for p in places] + [Piece("cylinder", (grip, inner, 0.0), quat=Z_TO_X)]
    end = prism(outline, 0.0, thick, 0.003)
    return Draft(
        noun="dumbbell",
        synonyms=("weight",),
        colors=(base,),
        material="rubber",
        mass_kg=draw.mass(pieces, 1.9, 2.4),
        friction=draw.friction("rubber"),
        pieces=pieces,
        visuals=[
            *(Visual(end.moved(flat, p), rgb, gloss=0.3) for p in places),
            Visual(
                turned([(grip, -inner), (grip, inner)], 12, floor=False, lid=False).moved(ALONG_X, (0, 0, 0)),
                darker(rgb, 0.75) if base != "black" else (0.75, 0.76, 0.78),
                gloss=0.5,
            ),
        ],
        size_m={"head": head, "grip": grip, "inner": inner, "thick": thick},
    )


def tape(draw: Draw) -> Draft:
    """A roll of adhesive tape, lying; eight boxes around the hole."""
    base = draw.choice(("beige", "blue", "red", "green", "silver", "black", "yellow", "orange"))
    rgb = draw.shade(base)
    radius, half = draw.between(0.037, 0.044, 0), draw.between(0.0155, 0.022, 1)
    hole = radius * draw.between(0.62, 0.72, 2)
    # A box around an eighth of the ring: its outer face is half a sagitta inside, its corners as much outside.
    eighth = np.pi / 8
    far, near = radius * (1 + np.cos(eighth)) / 2, hole
    # Three boxes carry the roll, the others are a millimetre thinner: fewer contacts, quicker physics.
    middle, pieces = (far + near) / 2, []
    for k in range(8):
        angle = k * 2 * eighth
        size = ((far - near) / 2, far * np.tan(eighth), half if k in (0, 3, 5) else half - 0.001)
        pieces.append(block(size, (middle * np.cos(angle), middle * np.sin(angle), 0.0), about_z(angle)))
    core = 0.004
    outer = [(hole + core, -half), (radius - 0.001, -half), (radius, 0.001 - half), (radius, half - 0.001)]
    outer += [(radius - 0.001, half), (hole + core, half)]
    inner = [(hole + core, half), (hole, half), (hole, -half), (hole + core, -half)]
    return Draft(
        noun="tape roll",
        synonyms=("roll of tape", "tape"),
        colors=(base,),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.6, 0.9),
        friction=draw.friction("plastic", at_least=0.6),
        pieces=pieces,
        visuals=[
            Visual(turned(outer, 24, floor=False, lid=False), rgb, gloss=0.5),
            Visual(turned(inner, 20, floor=False, lid=False), (0.66, 0.52, 0.36), gloss=0.1),
        ],
        size_m={"radius": radius, "half": half, "hole": hole},
    )


def marker(draw: Draw) -> Draft:
    """A thick marker, lying: white barrel, cap and end in the colour of the ink, flattened so that it does not roll."""
    base = draw.choice(("red", "blue", "green", "black", "orange", "purple"))
    rgb = draw.shade(base)
    radius, half = draw.between(0.0115, 0.0145, 0), draw.between(0.054, 0.066, 1)
    flat = 0.38 * radius
    pieces = [
        Piece("cylinder", (radius, half, 0.0), quat=Z_TO_X),
        block((half, flat, radius), density=0.1),
    ]
    cap = [(radius, 0.25 * half), (radius, half - 0.003), (radius - 0.003, half)]
    barrel = [(radius - 0.0006, -0.82 * half), (radius - 0.0006, 0.25 * half)]
    end = [(radius - 0.002, -half), (radius, 0.002 - half), (radius, -0.82 * half)]
    canvas = textures.plain((0.94, 0.94, 0.93), 48, 64)
    canvas[10:20, 4:60] = canvas[26:29] = rgb
    clip = cuboid((0.012, 0.003, 0.0008), (0.55 * half, 0.0, radius + 0.0004))
    return Draft(
        noun="marker",
        synonyms=("pen", "felt pen"),
        colors=(base, "white"),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.5, 0.8),
        friction=draw.friction("plastic", at_least=0.6),
        rolling_m=0.0005,
        pieces=pieces,
        visuals=[
            Visual(turned(cap, 12, floor=False).moved(ALONG_X, (0, 0, 0)), rgb, gloss=0.5),
            Visual(
                turned(barrel, 12, floor=False, lid=False).moved(ALONG_X, (0, 0, 0)), texture=textures.finished(canvas)
            ),
            Visual(turned(end, 12, lid=False).moved(ALONG_X, (0, 0, 0)), rgb, gloss=0.5),
            Visual(clip, darker(rgb, 0.7), gloss=0.5),
        ],
        size_m={"radius": radius, "half": half},
    )


def _pressed(pad: Mesh, half_m: float) -> Mesh:
    """The pad with its two poles pressed flat; on a pole it would balance and then slowly lean over."""
    vertices = pad.vertices.copy()
    vertices[:, 2] = np.clip(vertices[:, 2], -FLAT_SHARE * half_m, FLAT_SHARE * half_m)
    return Mesh(vertices, pad.faces, pad.texcoord)


def cushion(draw: Draw) -> Draft:
    """A bean bag: a soft-edged pad in a woven cloth."""
    base = draw.choice(("blue", "red", "green", "purple", "yellow", "grey", "orange", "teal"))
    trim = draw.accent(base)
    x, y, z = draw.between(0.036, 0.042, 0), draw.between(0.042, 0.054, 1), draw.between(0.0175, 0.023, 2)
    pad = _pressed(rounded((x, y, z), power=3.4, n=16, levels=7), z)
    cloth = textures.knitted(draw.shade(base), draw.shade(trim), draw.rng, draw.index)
    # Printed from above and below: the picture lies flat on the pad.
    uv = 0.5 + 0.5 * pad.vertices[:, :2] / (x, y)
    # Fewer points for the physics than for the eye.
    solid = np.unique(np.round(_pressed(rounded((x, y, z), power=3.4, n=12, levels=5), z).vertices, 6), axis=0)
    pieces = [hull(solid)]
    return Draft(
        noun="bean bag",
        synonyms=("cushion", "pouch"),
        colors=(base, trim),
        material="cloth",
        mass_kg=draw.mass(pieces, 0.4, 0.8),
        friction=draw.friction("cloth"),
        pieces=pieces,
        visuals=[Visual(Mesh(pad.vertices, pad.faces, uv), texture=cloth, gloss=0.0)],
        size_m={"x": x, "y": y, "z": z},
    )
