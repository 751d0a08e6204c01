"""Closed round containers: can, bottle, jar, yogurt cup, shaker, candle."""

import numpy as np

from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import darker
from assets.objects.shapes import cylinder, dome, ellipsoid, frustum, rod, sweep, turned
from assets.objects.types import Draft, Visual

METAL = (0.78, 0.79, 0.81)
BRIGHT = ("red", "blue", "green", "yellow", "orange", "purple", "white", "black", "teal", "pink", "light blue")


def can(draw: Draw) -> Draft:
    """A drink or food can: one cylinder, a printed wall, metal ends."""
    base = draw.choice(BRIGHT)
    trim = draw.accent(base)
    radius = draw.between(0.026, 0.039, 0)
    height = min(draw.between(0.065, 0.125, 1), 6.2 * radius)
    inner = radius - 0.0035
    wall = [(radius - 0.003, 0.0), (radius, 0.004), (radius, height - 0.004), (inner, height - 0.0005)]
    lid = [(inner, height - 0.0006), (inner, height), (inner - 0.002, height), (inner - 0.003, height - 0.002)]
    pieces = [cylinder(radius, 0.0, height)]
    picture = textures.label(draw.shade(base), draw.shade(trim), draw.rng, draw.index)
    return Draft(
        noun="can",
        synonyms=("tin",),
        colors=(base, trim),
        material="metal",
        mass_kg=draw.mass(pieces, 0.4, 1.0),
        friction=draw.friction("metal"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, lid=False), texture=picture, gloss=0.6),
            Visual(turned(lid, floor=False), METAL, gloss=0.8),
        ],
        size_m={"radius": radius, "height": height},
    )


def bottle(draw: Draw) -> Draft:
    """A bottle: cylinder, domed shoulder, neck with a cap, paper label."""
    base = draw.choice(("green", "light blue", "brown", "red", "white", "yellow", "blue", "purple", "teal", "orange"))
    trim = draw.accent(base)
    rgb, cap_rgb = draw.shade(base), draw.shade(trim)
    radius = draw.between(0.024, 0.034, 0)
    body, neck = draw.between(1.9, 3.0, 1) * radius, draw.between(0.32, 0.42, 2) * radius
    shoulder, cap = draw.between(0.7, 1.3, 4) * radius, draw.between(0.014, 0.022, 3)
    low, top = body + 0.82 * shoulder, body + shoulder + draw.between(0.004, 0.024, 5)
    wall = [(radius - 0.003, 0.0), (radius, 0.004), *dome(radius, shoulder, body, 5)]
    wall = [p for p in wall if p[0] > neck + 0.001] + [(neck, low + 0.003), (neck, top)]
    lid = [(neck + 0.002, top - 0.004), (neck + 0.003, top + cap - 0.002), (neck + 0.001, top + cap)]
    pieces = [
        cylinder(radius, 0.0, body),
        ellipsoid((radius, radius, shoulder), (0.0, 0.0, body), density=0.4),
        cylinder(neck + 0.0025, low, top + cap, density=0.3),
    ]
    picture = textures.label(rgb, cap_rgb, draw.rng, (3, 0, 3, 4, 3, 5, 3, 1)[draw.index % 8])
    return Draft(
        noun="bottle",
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.45, 1.0),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, label=(0.05 * body, body), lid=False), texture=picture, gloss=0.6),
            Visual(turned(lid, 12, floor=False), darker(cap_rgb, 0.9), gloss=0.3),
        ],
        size_m={"radius": radius, "height": top + cap},
    )


def jar(draw: Draw) -> Draft:
    """A glass jar of jam, honey or spices with a screw lid."""
    base = draw.choice(("red", "orange", "purple", "green", "yellow", "brown", "white", "pink", "black"), 1)
    trim = draw.accent(base)
    rgb, lid_rgb = draw.shade(base), draw.shade(trim)
    radius, body = draw.between(0.028, 0.039, 0), draw.between(0.050, 0.090, 1)
    cover, lid = radius * draw.between(0.88, 1.0, 2), draw.between(0.013, 0.020, 3)
    wall = [(radius - 0.003, 0.0), (radius, 0.004), (radius, body - 0.008), (cover - 0.003, body)]
    top = [(cover, body), (cover, body + lid - 0.002), (cover - 0.002, body + lid)]
    pieces = [cylinder(radius, 0.0, body - 0.002), cylinder(cover, body - 0.002, body + lid, density=0.5)]
    picture = textures.label(rgb, lid_rgb, draw.rng, (3, 1, 3, 0, 3, 4)[draw.index % 6])
    return Draft(
        noun="jar",
        colors=(base, trim),
        material="glass",
        mass_kg=draw.mass(pieces, 0.7, 1.2),
        friction=draw.friction("glass"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, lid=False), texture=picture, gloss=0.8),
            Visual(turned(top, floor=True), lid_rgb, gloss=0.5),
        ],
        size_m={"radius": radius, "body": body, "lid": lid},
    )


def yogurt(draw: Draw) -> Draft:
    """A yogurt pot: wider at the top, closed with a foil lid."""
    base = draw.choice(("white", "pink", "light blue", "green", "purple", "yellow", "red", "orange"))
    trim = draw.accent(base)
    radius, height = draw.between(0.031, 0.040, 0), draw.between(0.058, 0.092, 1)
    base_radius = radius * draw.between(0.74, 0.84, 2)
    wall = [(base_radius, 0.0), (radius, height - 0.003), (radius + 0.002, height - 0.003), (radius + 0.002, height)]
    foil = [(radius + 0.002, height), (radius - 0.002, height + 0.0006)]
    pieces = [frustum(base_radius, radius, 0.0, height)]
    picture = textures.label(draw.shade(base), draw.shade(trim), draw.rng, draw.index + 3)
    return Draft(
        noun="yogurt cup",
        synonyms=("yogurt pot", "yogurt", "cup"),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.6, 1.0),
        # A smooth cone slips out of the hand below this.
        friction=draw.friction("plastic", at_least=0.58),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, 20, (0.0, height), lid=False), texture=picture, gloss=0.4),
            Visual(turned(foil, 20, floor=False), darker(draw.shade(trim), 1.1), gloss=0.9),
        ],
        size_m={"radius": radius, "height": height, "foot": base_radius},
    )


def shaker(draw: Draw) -> Draft:
    """A salt or pepper shaker: waisted body and a domed metal cap with holes."""
    base = draw.choice(("white", "black", "red", "brown", "light blue", "green", "yellow", "beige"), 1)
    rgb = draw.shade(base)
    radius, body = draw.between(0.019, 0.025, 0), draw.between(0.048, 0.068, 1)
    crown = 0.75 * radius
    wall = [(radius - 0.002, 0.0), (radius, 0.003), (radius - 0.0015, body * 0.6), (radius, body)]
    cap = [(radius + 0.001, body), (radius + 0.001, body + 0.008), *dome(radius, crown, body + 0.008, 4)]
    pieces = [
        cylinder(radius, 0.0, body + 0.008),
        ellipsoid((radius, radius, crown), (0.0, 0.0, body + 0.008), density=0.6),
    ]
    holes = textures.plain(METAL, 64, 64)
    for x in np.arange(8) / 8:
        textures.disc(holes, (0.15, 0.15, 0.15), (x + 0.06, 0.16), 0.04)
    belly = textures.plain(rgb, 48, 64)
    textures.band(belly, darker(rgb, 0.75) if sum(rgb) > 1 else METAL, 0.62, 0.70)
    return Draft(
        noun="shaker",
        synonyms=("salt shaker", "spice shaker"),
        colors=(base, "silver"),
        material="metal" if draw.index % 2 else "ceramic",
        mass_kg=draw.mass(pieces, 0.8, 1.4),
        friction=draw.friction("ceramic"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, lid=False), texture=textures.finished(belly), gloss=0.6),
            Visual(turned(cap, floor=False), texture=textures.finished(holes), gloss=0.9),
        ],
        size_m={"radius": radius, "height": body + 0.008 + crown},
    )


def candle(draw: Draw) -> Draft:
    """A pillar candle with a wick."""
    base = draw.choice(("beige", "red", "white", "green", "purple", "orange", "pink", "blue", "yellow"))
    rgb = draw.shade(base)
    radius = draw.between(0.021, 0.036, 0)
    height = min(draw.between(0.055, 0.125, 1), 6.2 * radius)
    wall = [(radius, 0.0), (radius, height - 0.002), (radius - 0.003, height), (0.4 * radius, height - 0.003)]
    wall.append((0.0, height - 0.003))
    low, high = (0.0, 0.0, height - 0.006), (0.001, 0.0, height + 0.008)
    pieces = [cylinder(radius, 0.0, height), rod(low, high, 0.0018, density=0.1)]
    canvas = textures.plain(rgb, 64, 64)
    canvas[:12] = np.add(canvas[:12], 0.06)
    if draw.index % 3:
        for k in range(1 + draw.index % 3):
            textures.band(canvas, darker(rgb, 0.72), 0.55 + 0.14 * k, 0.61 + 0.14 * k)
    return Draft(
        noun="candle",
        colors=(base,),
        material="wax",
        mass_kg=draw.mass(pieces, 0.8, 0.95),
        friction=draw.friction("wax"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall), texture=textures.finished(canvas), gloss=0.25),
            Visual(sweep(np.linspace(low, high, 3), 0.0018, 5), (0.12, 0.10, 0.09), gloss=0.0),
        ],
        size_m={"radius": radius, "height": height},
    )
