"""Toys: ball, star, cross, car, nesting doll."""

import numpy as np

from assets.mesh import loft
from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import darker
from assets.objects.shapes import Z_TO_Y, about_z, blob, block, cylinder, ellipsoid, hull, prism, rectangle, turned
from assets.objects.solids import rotation
from assets.objects.types import Draft, Piece, Visual


def ball(draw: Draw) -> Draft:
    """A ball. Rolling friction keeps it where it was put, as a soft skin would."""
    base = draw.choice(("yellow", "red", "blue", "orange", "green", "pink", "purple", "white", "teal", "light blue"))
    trim = draw.accent(base)
    radius = draw.between(0.024, 0.039, 0)
    canvas, ink = textures.plain(draw.shade(base), 64, 96), draw.shade(trim)
    style = draw.index % 3
    if style == 0:
        textures.band(canvas, ink, 0.42, 0.58)
    elif style == 1:
        for k in range(3):
            canvas[:, 32 * k : 32 * k + 14] = ink
    else:
        for x in np.arange(4) / 4 + 0.125:
            textures.disc(canvas, ink, (x, 0.34), 0.10, 1.2)
            textures.disc(canvas, ink, ((x + 0.125) % 1, 0.66), 0.10, 1.2)
        textures.band(canvas, ink, 0.0, 0.10)
        textures.band(canvas, ink, 0.90, 1.0)
    pieces = [Piece("sphere", (radius, 0.0, 0.0))]
    return Draft(
        noun="ball",
        colors=(base, trim),
        material="rubber",
        mass_kg=draw.mass(pieces, 0.3, 0.7),
        friction=draw.friction("rubber"),
        rolling_m=0.002,
        pieces=pieces,
        visuals=[Visual(blob((radius,) * 3, n=18, k=10), texture=textures.finished(canvas), gloss=0.25)],
        size_m={"radius": radius},
    )


def star(draw: Draw) -> Draft:
    """A five-pointed star, lying: five convex kites around the middle."""
    base = draw.choice(("yellow", "red", "blue", "green", "pink", "orange", "purple", "white"))
    rgb = draw.shade(base)
    tip, waist = draw.between(0.038, 0.046, 0), draw.between(0.52, 0.60, 1)
    half = draw.between(0.0155, 0.021, 2)
    angles = np.arange(10) * np.pi / 5
    radii = tip * np.where(np.arange(10) % 2 == 0, 1.0, waist)
    outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    kite = np.array([(0, 0), outline[9], outline[0], outline[1]])
    # Three points carry the star, the other two are a millimetre thinner: fewer contacts, quicker physics.
    thick, thin = (np.array([(*p, z) for p in kite for z in (-h, h)]) for h in (half, half - 0.001))
    pieces = [hull(thin if k in (1, 4) else thick, quat=about_z(2 * np.pi * k / 5)) for k in range(5)]
    return Draft(
        noun="star",
        synonyms=("toy star",),
        colors=(base,),
        material="wood",
        mass_kg=draw.mass(pieces, 0.5, 0.8),
        friction=draw.friction("wood", at_least=0.6),
        pieces=pieces,
        visuals=[Visual(prism(outline, -half, half, 0.0025), rgb, gloss=0.3)],
        size_m={"tip": tip, "waist": waist, "half": half},
    )


def cross(draw: Draw) -> Draft:
    """A plus sign, lying: two bars, the second in two halves so that no volume counts twice."""
    base = draw.choice(("green", "red", "orange", "blue", "white", "purple", "yellow"))
    rgb = draw.shade(base)
    reach, arm, half = draw.between(0.034, 0.042, 0), draw.between(0.0125, 0.016, 1), draw.between(0.0155, 0.021, 2)
    side = (reach - arm) / 2
    pieces = [
        block((reach, arm, half)),
        block((arm, side, half), (0.0, arm + side, 0.0)),
        block((arm, side, half), (0.0, -arm - side, 0.0)),
    ]
    quarter = np.array([(reach, -arm), (reach, arm), (arm, arm)])
    outline = np.concatenate([quarter @ rotation(about_z(k * np.pi / 2))[:2, :2].T for k in range(4)])
    return Draft(
        noun="cross",
        synonyms=("plus sign", "toy cross"),
        colors=(base,),
        material="wood",
        mass_kg=draw.mass(pieces, 0.5, 0.8),
        friction=draw.friction("wood", at_least=0.6),
        pieces=pieces,
        visuals=[Visual(prism(outline, -half, half, 0.002), rgb, gloss=0.3)],
        size_m={"reach": reach, "arm": arm, "half": half},
    )


def car(draw: Draw) -> Draft:
    """A toy car: chassis, cabin with windows, wheels that do not turn."""
    base = draw.choice(("red", "yellow", "blue", "green", "orange", "light blue", "purple", "white"))
    rgb = draw.shade(base)
    length, width = draw.between(0.046, 0.054, 0), draw.between(0.021, 0.025, 1)
    wheel, belly, deck = draw.between(0.010, 0.012, 2), 0.006, draw.between(0.026, 0.029, 3)
    roof = deck + draw.between(0.016, 0.020, 2)
    low = np.array([(x, y, deck) for x in (-0.62 * length, 0.42 * length) for y in (-width * 0.94, width * 0.94)])
    high = np.array([(x, y, roof) for x in (-0.45 * length, 0.12 * length) for y in (-width * 0.8, width * 0.8)])
    axles = [-0.58 * length, 0.58 * length]
    pieces = [
        block((length, width, (deck - belly) / 2), (0.0, 0.0, (deck + belly) / 2)),
        hull(np.concatenate([low, high]), density=0.5),
        *(Piece("cylinder", (wheel, width + 0.001, 0.0), (x, 0.0, wheel), Z_TO_Y) for x in axles),
    ]
    ring = np.array([0, 2, 3, 1])
    outline = rectangle(length, width, 0.0025)
    body = np.stack([np.c_[outline * s, np.full(8, z)] for z, s in ((belly, 0.98), (deck - 0.003, 1.0), (deck, 0.97))])
    tyre = turned([(wheel, 0.0), (wheel, 0.008), (0.55 * wheel, 0.0085)], 12)
    out = {side: np.array([[1, 0, 0], [0, 0, -side], [0, side, 0]], dtype=float) for side in (-1, 1)}
    wheels = [
        Visual(tyre.moved(out[side].T, (x, side * (width - 0.007), wheel)), (0.10, 0.10, 0.11), gloss=0.1)
        for side in (-1, 1)
        for x in axles
    ]
    cabin = loft(np.stack([low[ring], high[ring]]))
    top = loft(np.stack([high[ring] + [0, 0, 0.0005], high[ring] * [1, 0.98, 1] + [0, 0, 0.0015]]))
    return Draft(
        noun="toy car",
        synonyms=("car", "toy"),
        colors=(base,),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.5, 0.9),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[
            Visual(loft(body), rgb, gloss=0.7),
            Visual(cabin, (0.16, 0.20, 0.26), gloss=0.9),
            Visual(top, darker(rgb, 0.92), gloss=0.7),
            *wheels,
        ],
        size_m={"length": length, "width": width, "roof": roof},
    )


def doll(draw: Draw) -> Draft:
    """A nesting doll: a painted body and head turned from wood."""
    base = draw.choice(("red", "blue", "green", "purple", "pink", "yellow", "teal"))
    trim = draw.accent(base)
    radius = draw.between(0.025, 0.033, 0)
    head, body = radius * draw.between(0.66, 0.72, 1), radius * draw.between(1.10, 1.25, 2)
    rise = 1.62 * body + 0.42 * head
    # The foot's disc widens the ellipsoid's underside to a standing surface and meets its flank at 0.45 of the half.
    pieces = [
        cylinder(0.82 * radius, 0.0, 0.45 * body),
        ellipsoid((radius, radius, body), (0.0, 0.0, body)),
        Piece("sphere", (head, 0.0, 0.0), (0.0, 0.0, rise)),
    ]
    z = np.linspace(0.0, rise + head, 13)
    lower = radius * np.sqrt(np.clip(1 - ((z - body) / body) ** 2, 0, 1))
    upper = head * np.sqrt(np.clip(1 - ((z - rise) / head) ** 2, 0, 1))
    lower[z < 0.45 * body] = np.maximum(lower[z < 0.45 * body], 0.82 * radius)
    wall = [(float((a**8 + b**8) ** (1 / 8)), float(h)) for a, b, h in zip(lower, upper, z, strict=True)]
    quarter = rotation(about_z(-np.pi / 2))
    picture = textures.face((0.96, 0.80, 0.66), draw.shade(base), draw.shade(trim))
    return Draft(
        noun="doll",
        synonyms=("nesting doll", "toy"),
        colors=(base, trim),
        material="wood",
        mass_kg=draw.mass(pieces, 0.4, 0.7),
        friction=draw.friction("wood"),
        pieces=pieces,
        # The face is in the middle of the picture, which the turn brings to +x.
        visuals=[Visual(turned(wall, 16).moved(quarter, (0, 0, 0)), texture=picture, gloss=0.6)],
        size_m={"radius": radius, "head": head, "body": body},
    )
