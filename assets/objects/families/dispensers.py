"""Things that dispense: tube, spray bottle, soap pump."""

import numpy as np

from assets.mesh import circle, loft
from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import darker
from assets.objects.shapes import (
    Z_TO_X,
    block,
    cylinder,
    dome,
    ellipsoid,
    hull,
    prism,
    rectangle,
    rod,
    sweep,
    turned,
)
from assets.objects.solids import rotation
from assets.objects.types import Draft, Piece, Visual

ALONG_X = rotation(Z_TO_X)


def tube(draw: Draw) -> Draft:
    """A tube of toothpaste or cream that stands on its cap; round at the cap, flat at the sealed end."""
    base = draw.choice(("white", "blue", "red", "green", "orange", "teal", "pink", "purple", "light blue"))
    trim = draw.accent(base)
    rgb, ink = draw.shade(base), draw.shade(trim)
    radius, cap = draw.between(0.017, 0.022, 0), draw.between(0.016, 0.022, 1)
    seal, width = 0.0025, radius * draw.between(1.25, 1.5, 2)
    height = min(draw.between(0.098, 0.128, 3), 6.6 * radius)
    ring = circle(20) * radius * 1.04
    flat = np.clip(ring * 1e6, -1, 1) * [seal, width, 0]
    levels = np.linspace(0, 1, 5)[:, None, None]
    body = (1 - levels) * (ring + [0, 0, cap]) + levels * (flat + [0, 0, height])
    pieces = [cylinder(radius, 0.0, cap), hull(np.concatenate([body[0], body[-1, [3, 8, 13, 18]]]))]
    skin = loft(body)
    picture = textures.label(rgb, ink, draw.rng, draw.index + 4)
    lid = [(radius - 0.001, 0.0), (radius, 0.002), (radius, cap)]
    return Draft(
        noun="tube",
        synonyms=("toothpaste tube", "toothpaste"),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.8, 1.2),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[Visual(skin, texture=picture, gloss=0.4), Visual(turned(lid, 16), darker(ink, 0.95), gloss=0.3)],
        size_m={"radius": radius, "width": width, "height": height},
    )


def spray(draw: Draw) -> Draft:
    """A spray bottle: body, shoulder, neck, head and trigger."""
    base = draw.choice(("blue", "green", "white", "pink", "orange", "purple", "teal", "yellow", "red", "light blue"))
    trim = draw.accent(base)
    rgb, ink = draw.shade(base), draw.shade(trim)
    radius, body = draw.between(0.028, 0.034, 0), draw.between(0.070, 0.090, 1)
    shoulder, neck = 0.9 * radius, 0.012
    low, top = body + 0.8 * shoulder, body + shoulder + 0.016
    head, back = (0.030, 0.011, 0.011), 0.010
    centre, tip = (back, 0.0, top + head[2] - 0.001), back + head[0]
    wall = [(radius - 0.003, 0.0), (radius, 0.005), *dome(radius, shoulder, body, 5)]
    wall = [p for p in wall if p[0] > neck + 0.001] + [(neck, low + 0.002)]
    collar = [(neck + 0.002, low), (neck + 0.002, top)]
    trigger = [(0.020, 0.0, top), (0.027, 0.0, top - 0.012), (0.026, 0.0, top - 0.024)]
    pieces = [
        cylinder(radius, 0.0, body),
        ellipsoid((radius, radius, shoulder), (0.0, 0.0, body), density=0.4),
        cylinder(neck + 0.002, low, top, density=0.2),
        block(head, centre, density=0.3),
        rod(trigger[0], trigger[2], 0.004, density=0.3),
        Piece("cylinder", (0.006, 0.003, 0.0), (tip + 0.003, 0.0, centre[2] + 0.003), Z_TO_X, density=0.3),
    ]
    nozzle = turned([(0.006, 0.0), (0.005, 0.006)], 8)
    picture = textures.label(rgb, ink, draw.rng, (3, 1, 0, 5)[draw.index % 4])
    return Draft(
        noun="spray bottle",
        synonyms=("spray", "cleaner"),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.45, 0.95),
        friction=draw.friction("plastic"),
        pieces=[
            *pieces,
            Piece("cylinder", (0.006, 0.003, 0.0), (back + head[0] + 0.003, 0, centre[2] + 0.003), Z_TO_X),
        ],
        visuals=[
            Visual(turned(wall, 16, (0.0, body), lid=False), texture=picture, gloss=0.5),
            Visual(turned(collar, 12, floor=False), ink, gloss=0.3),
            Visual(prism(rectangle(head[0], head[1], 0.003), -head[2], head[2], 0.002).moved(np.eye(3), centre), ink),
            Visual(nozzle.moved(ALONG_X, (tip, 0.0, centre[2] + 0.003)), darker(ink, 0.6)),
            Visual(sweep(np.array(trigger), (0.005, 0.004, 0.0035), 6), darker(ink, 0.8)),
        ],
        size_m={"radius": radius, "body": body},
    )


def pump(draw: Draw) -> Draft:
    """A soap dispenser: square body with soft edges, collar, stem and a spout."""
    base = draw.choice(("white", "teal", "pink", "light blue", "beige", "green", "purple", "black", "yellow"))
    trim = draw.accent(base)
    rgb, ink = draw.shade(base), draw.shade(trim)
    half, body = draw.between(0.023, 0.030, 0), draw.between(0.082, 0.105, 1)
    collar, stem, spout = body + 0.014, body + 0.034, (0.018, 0.0075, 0.0055)
    outline = rectangle(half, half, 0.35 * half)
    solid = np.array([(*p, z) for p in outline for z in (0.0, body)])
    place = (0.010, 0.0, stem + spout[2])
    pieces = [
        hull(solid),
        cylinder(0.011, body, collar, density=0.3),
        cylinder(0.005, collar, stem, density=0.3),
        block(spout, place, density=0.3),
    ]
    picture = textures.label(rgb, ink, draw.rng, (3, 0, 4, 1)[draw.index % 4])
    return Draft(
        noun="soap dispenser",
        synonyms=("pump bottle", "dispenser"),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.6, 1.0),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[
            Visual(prism(outline, 0.0, body, 0.003), texture=picture, gloss=0.5),
            Visual(turned([(0.011, body), (0.011, collar - 0.002), (0.009, collar)], 10, floor=False), ink),
            Visual(turned([(0.005, collar), (0.005, stem)], 8, floor=False, lid=False), (0.9, 0.9, 0.9)),
            Visual(prism(rectangle(*spout[:2], 0.003), -spout[2], spout[2], 0.002).moved(np.eye(3), place), ink),
        ],
        size_m={"half": half, "body": body},
    )
