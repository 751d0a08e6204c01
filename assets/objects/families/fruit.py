"""Fruit and eggs: apple, orange, pear, lemon, banana, egg. All rest on a small hidden flat (shapes.foot)."""

import numpy as np

from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import RGB, darker
from assets.objects.shapes import blob, block, dome, ellipsoid, foot, rod, sweep, turned
from assets.objects.types import Draft, Piece, Visual

STALK: RGB = (0.30, 0.20, 0.10)
LEAF: RGB = (0.20, 0.48, 0.15)
# Fruit gives way a little where it touches, which brakes rolling.
ROLLING_M = 0.001


def _stalk(bottom: float, top: float) -> Visual:
    path = np.array([(0, 0, bottom), (0.001, 0, (bottom + top) / 2), (0.003, 0, top)])
    return Visual(sweep(path, (0.0018, 0.0015, 0.002), 5), STALK, gloss=0.1)


def apple(draw: Draw) -> Draft:
    """An apple: an ellipsoid with a dimple and a stalk."""
    base, cheek = draw.choice((("red", "yellow"), ("green", "yellow"), ("yellow", "red")))
    radius = draw.between(0.031, 0.040, 0)
    tall = radius * draw.between(0.85, 0.98, 5)
    t = np.linspace(-np.pi / 2, np.pi / 2, 11)
    wall = [(float(radius * np.cos(a) ** 0.9), float(tall * np.sin(a))) for a in t[:-2]]
    wall += [(0.30 * radius, 0.95 * tall), (0.12 * radius, 0.86 * tall), (0.0, 0.80 * tall)]
    pieces = [ellipsoid((radius, radius, tall)), foot(0.3 * radius, radius**2 / tall, -tall)]
    skin = textures.speckled(draw.shade(base), draw.rng, draw.shade(cheek), 0.05, 0.5)
    return Draft(
        noun="apple",
        synonyms=("fruit",),
        colors=(base,),
        material="fruit",
        mass_kg=draw.mass(pieces, 0.75, 0.9),
        friction=draw.friction("fruit"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[Visual(turned(wall, 16), texture=skin, gloss=0.5), _stalk(0.80 * tall, 1.06 * tall)],
        size_m={"radius": radius, "tall": tall},
    )


def orange(draw: Draw) -> Draft:
    """An orange or another citrus fruit of its shape; its noun goes with its colour."""
    noun, base = draw.choice((("orange", "orange"), ("grapefruit", "pink"), ("lime", "green")))
    low, high = {"orange": (0.033, 0.040), "grapefruit": (0.040, 0.043), "lime": (0.024, 0.028)}[noun]
    radius = draw.between(low, high, 0)
    pieces = [Piece("sphere", (radius, 0.0, 0.0)), foot(0.28 * radius, radius, -radius)]
    skin = textures.speckled(draw.shade(base), draw.rng, darker(draw.shade(base), 0.7), 0.18)
    navel = turned([(0.005, 0.0), (0.002, 0.0012)], 6)
    return Draft(
        noun=noun,
        synonyms=("fruit",),
        colors=(base,),
        material="fruit",
        mass_kg=draw.mass(pieces, 0.8, 0.95),
        friction=draw.friction("fruit"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[
            Visual(blob((radius,) * 3, n=16, k=9), texture=skin, gloss=0.3),
            Visual(navel.moved(np.eye(3), (0, 0, radius - 0.0006)), (0.30, 0.42, 0.14)),
        ],
        size_m={"radius": radius},
    )


def pear(draw: Draw) -> Draft:
    """A pear that stands: a large and a small round, blended."""
    base, cheek = draw.choice((("green", "yellow"), ("yellow", "brown"), ("brown", "orange"), ("red", "yellow")))
    radius = draw.between(0.030, 0.038, 0)
    small, rise = radius * draw.between(0.56, 0.64, 1), radius * draw.between(0.95, 1.10, 2)
    pieces = [
        ellipsoid((radius, radius, 0.95 * radius)),
        ellipsoid((small, small, 1.15 * small), (0.0, 0.0, rise)),
        foot(0.35 * radius, radius, -0.95 * radius),
    ]
    low, top = -0.95 * radius, rise + 1.15 * small
    z = (low + top) / 2 - (top - low) / 2 * np.cos(np.linspace(0, np.pi, 12))
    body = radius * np.sqrt(np.clip(1 - (z / (0.95 * radius)) ** 2, 0, 1))
    head = small * np.sqrt(np.clip(1 - ((z - rise) / (1.15 * small)) ** 2, 0, 1))
    # A soft maximum fills the waist as the fruit does.
    wall = [(float((b**4 + h**4) ** (1 / 4)), float(v)) for b, h, v in zip(body, head, z, strict=True)]
    skin = textures.speckled(draw.shade(base), draw.rng, draw.shade(cheek), 0.10, 0.45)
    return Draft(
        noun="pear",
        synonyms=("fruit",),
        colors=(base,),
        material="fruit",
        mass_kg=draw.mass(pieces, 0.75, 0.95),
        friction=draw.friction("fruit"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[Visual(turned(wall, 14), texture=skin, gloss=0.35), _stalk(top - 0.004, top + 0.0015)],
        size_m={"radius": radius, "small": small, "rise": rise},
    )


def lemon(draw: Draw) -> Draft:
    """A lemon on its side: an ellipsoid with a nipple at each end."""
    base = draw.choice(("yellow", "yellow", "green"))
    radius = draw.between(0.024, 0.031, 0)
    length = radius * draw.between(1.22, 1.38, 1)
    nub, tip = 0.2 * radius, length + 0.1 * radius
    pieces = [
        ellipsoid((length, radius, radius)),
        rod((nub - tip, 0, 0), (tip - nub, 0, 0), nub, density=0.1),
        block((0.26 * length, 0.22 * radius, 0.1 * radius), (0.0, 0.0, -0.9 * radius), density=0.2),
    ]
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)[1:-1]
    wall = [(float(radius * np.cos(a)), float(length * np.sin(a))) for a in t]
    wall = [(0.0, -tip), (0.8 * nub, 0.5 * nub - tip), *wall, (0.8 * nub, tip - 0.5 * nub), (0.0, tip)]
    skin = textures.speckled(draw.shade(base), draw.rng, darker(draw.shade(base), 0.8), 0.2)
    z_to_x = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    return Draft(
        noun="lemon" if base == "yellow" else "lime",
        synonyms=("fruit",),
        colors=(base,),
        material="fruit",
        mass_kg=draw.mass(pieces, 0.85, 1.0),
        friction=draw.friction("fruit"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[Visual(turned(wall, 14).moved(z_to_x, (0, 0, 0)), texture=skin, gloss=0.35)],
        size_m={"radius": radius, "length": length},
    )


def banana(draw: Draw) -> Draft:
    """A banana that lies flat: a bow of three rods, the outer ones thinner."""
    base = draw.choice(("yellow", "green", "yellow"))
    rgb = draw.shade(base)
    radius, bend = draw.between(0.0155, 0.0185, 0), draw.between(0.070, 0.090, 1)
    span = draw.between(0.72, 0.84, 2)
    thin = 0.86 * radius
    angles = np.linspace(-span, span, 4)
    middle = bend * (1 + np.cos(span)) / 2
    # The rods' straight lines straddle the bow.
    reach = bend / np.cos(span / 3) ** 0.5
    flat = np.stack([reach * np.cos(angles) - middle, reach * np.sin(angles), 0 * angles], axis=1)
    low = flat - [0, 0, radius - thin]  # the thinner ends lie on the table too
    pieces = [rod(low[0], low[1], thin), rod(flat[1], flat[2], radius), rod(low[2], low[3], thin)]
    # Beyond the last knot the fruit tapers as the rod's round end does.
    ends = np.array([0.5, 0.8, 0.95]) * thin / bend
    fine = np.concatenate([-span - ends[::-1], np.linspace(-span, span, 7), span + ends])
    taper = np.interp(np.abs(fine), (span / 3, span), (radius, thin))
    taper[[2, 1, 0]] = taper[[-3, -2, -1]] = thin * np.array([0.85, 0.60, 0.32])
    height = -radius + np.interp(np.abs(fine), (span / 3, span), (radius, thin))
    path = np.stack([bend * np.cos(fine) - middle, bend * np.sin(fine), height], axis=1)
    skin = textures.plain(rgb, 64, 64)
    skin[:9] = skin[-9:] = STALK
    skin[9:-9, 12::16] = skin[9:-9, 13::16] = darker(rgb, 0.85)
    return Draft(
        noun="banana",
        synonyms=("fruit",),
        colors=(base,),
        material="fruit",
        mass_kg=draw.mass(pieces, 0.85, 1.0),
        friction=draw.friction("fruit"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[Visual(sweep(path, taper, 8), texture=textures.finished(skin), gloss=0.3)],
        size_m={"radius": radius, "bend": bend, "span": span},
    )


def egg(draw: Draw) -> Draft:
    """An egg on its side, plain or painted; the hidden flat holds it as an egg's slack shell does not."""
    base = draw.choice(("white", "brown", "beige", "light blue", "pink", "yellow", "green"))
    radius = draw.between(0.0205, 0.0255, 0)
    length = radius * draw.between(1.26, 1.36, 1)
    pieces = [
        ellipsoid((length, radius, radius)),
        block((0.25 * length, 0.22 * radius, 0.1 * radius), (0.0, 0.0, -0.9 * radius), density=0.2),
    ]
    rgb = draw.shade(base)
    canvas = textures.plain(rgb, 48, 64)
    if base in ("light blue", "pink", "yellow", "green"):
        for top in (0.22, 0.46, 0.70):
            textures.band(canvas, (0.97, 0.96, 0.93), top, top + 0.09)
    side = [(r, z) for r, z in dome(radius, length, 0.0, 6)]
    # Blunt at one end, pointed at the other, both within a millimetre of the ellipsoid.
    wall = [(0.97 * r, -z) for r, z in side[:0:-1]] + [(1.015 * r, z) for r, z in side]
    z_to_x = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    return Draft(
        noun="egg",
        colors=(base,),
        material="ceramic",
        mass_kg=draw.mass(pieces, 1.0, 1.1),
        friction=draw.friction("plastic"),
        rolling_m=ROLLING_M,
        pieces=pieces,
        visuals=[Visual(turned(wall, 14).moved(z_to_x, (0, 0, 0)), texture=textures.finished(canvas), gloss=0.3)],
        rest=((1.0, 0.0, 0.0, 0.0),),
        size_m={"radius": radius, "length": length},
    )
