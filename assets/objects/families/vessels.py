"""Open vessels: cup, mug, bowl."""

import itertools

import numpy as np

from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import darker
from assets.objects.shapes import about_z, cylinder, frustum, hull, rod, sweep, turned
from assets.objects.types import Draft, Visual

# What is in the cups. They are solid for the physics: nothing is poured, and a closed body is quick.
DRINKS = ((0.20, 0.11, 0.06), (0.62, 0.36, 0.12), (0.93, 0.91, 0.86), (0.80, 0.30, 0.12))
RIM, LEVEL = 0.003, 0.005


def _filled(foot: float, radius: float, height: float) -> tuple[list, list]:
    """Profiles of the wall (with the rim turned inwards) and of the drink's surface."""
    inner = radius - RIM
    wall = [(foot, 0.0), (radius, height), (inner, height), (inner - 0.001, height - LEVEL)]
    return wall, [(inner - 0.001, height - LEVEL), (0.0, height - LEVEL)]


def cup(draw: Draw) -> Draft:
    """A tapered cup, filled: a solid frustum with a drink just below the rim."""
    base = draw.choice(("white", "red", "blue", "green", "yellow", "orange", "pink", "teal", "black", "purple"))
    trim = draw.accent(base)
    radius, height = draw.between(0.030, 0.040, 0), draw.between(0.075, 0.115, 1)
    foot = radius * draw.between(0.74, 0.86, 2)
    wall, drink = _filled(foot, radius, height)
    pieces = [frustum(foot, radius, 0.0, height)]
    picture = textures.label(draw.shade(base), draw.shade(trim), draw.rng, draw.index + 2)
    return Draft(
        noun="cup",
        synonyms=("tumbler",),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.3, 0.8),
        friction=draw.friction("plastic", at_least=0.58),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, 20, (0.0, height), lid=False), texture=picture, gloss=0.35),
            Visual(turned(drink, 16, floor=False), draw.choice(DRINKS), gloss=0.7),
        ],
        size_m={"radius": radius, "height": height, "foot": foot},
    )


def mug(draw: Draw) -> Draft:
    """A filled mug with a handle of three rods."""
    base = draw.choice(("white", "green", "red", "blue", "yellow", "black", "pink", "light blue", "orange", "teal"))
    trim = draw.accent(base)
    rgb = draw.shade(base)
    radius, height = draw.between(0.034, 0.0405, 0), draw.between(0.074, 0.100, 1)
    reach, grip = draw.between(0.024, 0.030, 2), draw.between(0.0045, 0.006, 3)
    wall, drink = _filled(radius, radius, height)
    wall = [(radius - 0.003, 0.0), (radius, 0.003), *wall[1:]]
    angles = np.linspace(-np.pi / 2, np.pi / 2, 7)
    half, middle = 0.32 * height, 0.52 * height
    bow = np.stack([0 * angles, radius - 0.002 + reach * np.cos(angles), middle + half * np.sin(angles)], axis=1)
    # Three rods lie about as far outside the bow's middle as inside its bends.
    knots = np.array([bow[0], bow[2] + [0, 0.001, 0], bow[4] + [0, 0.001, 0], bow[6]])
    rods = [rod(a, b, grip, density=0.8) for a, b in itertools.pairwise(knots)]
    pieces = [cylinder(radius, 0.0, height), *rods]
    picture = textures.label(rgb, draw.shade(trim), draw.rng, (0, 1, 4, 5, 2)[draw.index % 5])
    return Draft(
        noun="mug",
        synonyms=("cup", "coffee mug"),
        colors=(base, trim),
        material="ceramic",
        mass_kg=draw.mass(pieces, 0.6, 1.0),
        friction=draw.friction("ceramic"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, lid=False), texture=picture, gloss=0.6),
            Visual(sweep(bow, grip, 6), rgb, gloss=0.6),
            Visual(turned(drink, 16, floor=False), draw.choice(DRINKS), gloss=0.7),
        ],
        size_m={"radius": radius, "height": height},
    )


def bowl(draw: Draw) -> Draft:
    """A bowl, hollow: seven convex slices of the wall around a floor."""
    base = draw.choice(("light blue", "white", "green", "orange", "purple"))
    trim = draw.accent(base)
    radius, height, foot = draw.between(0.056, 0.066, 0), draw.between(0.048, 0.060, 1), draw.between(0.030, 0.036, 2)
    wall, floor, slices = 0.006, 0.008, 7
    # The slices are straight lines in profile; the drawn wall bulges by less than 3 mm around them.
    t = np.linspace(0, 1, 5)
    outer = [(foot + (radius - foot) * s**0.75, height * s) for s in t]
    inner = [(r - wall, max(z, floor)) for r, z in outer[:0:-1]] + [(foot - wall, floor), (0.0, floor)]
    arc = np.linspace(-np.pi / slices, np.pi / slices, 5)
    around = np.stack([np.cos(arc), np.sin(arc)], axis=1)
    middle = outer[2]
    # They end a millimetre above the table: the floor alone carries the bowl, on four contacts and not on 32.
    profile = [(foot, 0.001), (middle[0], middle[1]), (radius, height), (radius - wall, height), (foot - wall, floor)]
    slice_ = np.concatenate([np.c_[around * r, np.full(5, z)] for r, z in profile])
    pieces = [cylinder(foot, 0.0, floor)]
    pieces += [hull(slice_, quat=about_z(2 * np.pi * k / slices)) for k in range(slices)]
    canvas = textures.plain(draw.shade(base), 64, 64)
    textures.band(canvas, draw.shade(trim), 0.08, 0.22)
    return Draft(
        noun="bowl",
        colors=(base, trim),
        material="ceramic",
        mass_kg=draw.mass(pieces, 0.9, 1.3),
        friction=draw.friction("ceramic", at_least=0.55),
        pieces=pieces,
        visuals=[
            Visual(turned(outer, 20, lid=False), texture=textures.finished(canvas), gloss=0.6),
            Visual(turned([outer[-1], *inner], 20, floor=False), darker(draw.shade(base), 1.1), gloss=0.5),
        ],
        size_m={"radius": radius, "height": height, "foot": foot},
    )
