"""Toy animals made of ellipsoids: duck, bear, rabbit, elephant. What is drawn is what collides."""

import numpy as np

from assets.objects.families.draw import Draw
from assets.objects.palette import RGB, darker, mixed
from assets.objects.shapes import Vec3, about_y, blob, cylinder, ellipsoid, turned
from assets.objects.types import Draft, Piece, Visual

BLACK: RGB = (0.05, 0.05, 0.06)


class _Figure:
    """Collects blobs that are drawn and, where they are large enough to matter, collide. Lengths in units of `unit`."""

    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.pieces: list[Piece] = []
        self.visuals: list[Visual] = []

    def add(self, radii: Vec3, centre: Vec3, rgb: RGB, tilt: float = 0.0, solid: bool = True, n: int = 7) -> None:
        """An ellipsoid, tilted about y (rad)."""
        size, place = (tuple(float(v * self.unit) for v in numbers) for numbers in (radii, centre))
        if solid:
            self.pieces.append(ellipsoid(size, place, about_y(tilt)))
        self.visuals.append(Visual(blob(size, place, about_y(tilt), n, max(2, n // 2)), rgb, gloss=0.3))

    def pair(self, radii: Vec3, centre: Vec3, rgb: RGB, tilt: float = 0.0, solid: bool = True, n: int = 7) -> None:
        """The same ellipsoid on both sides (y and -y)."""
        for side in (-1, 1):
            self.add(radii, (centre[0], side * centre[1], centre[2]), rgb, tilt, solid, n)

    def leg(self, radius: float, centre: tuple[float, float], heights: tuple[float, float], rgb: RGB) -> None:
        """An upright post between two heights, with a flat sole."""
        x, y, r, low, high = (float(v * self.unit) for v in (*centre, radius, *heights))
        self.pieces.append(cylinder(r, low, high, x, y))
        post = turned([(r, low), (r, high)], 7, lid=False)
        self.visuals.append(Visual(post.moved(np.eye(3), (x, y, 0.0)), rgb, gloss=0.3))

    def ground(self, radius: float, bottom: float) -> None:
        """A flat underside that the animal stands on, a hidden disc."""
        self.pieces.append(cylinder(radius * self.unit, bottom * self.unit, (bottom + 0.2) * self.unit, density=0.5))


def duck(draw: Draw) -> Draft:
    """A bath duck."""
    base = draw.choice(("yellow", "pink", "light blue", "white"))
    rgb = draw.shade(base)
    figure = _Figure(draw.between(0.026, 0.031, 0))
    figure.add((1.35, 1.0, 0.92), (0.0, 0.0, 0.0), rgb, n=10)
    figure.add((0.72, 0.72, 0.72), (0.65, 0.0, 1.2), rgb, n=10)
    figure.add((0.34, 0.30, 0.14), (1.40, 0.0, 1.15), (0.95, 0.45, 0.05), n=7)
    figure.add((0.45, 0.5, 0.25), (-1.25, 0.0, 0.45), rgb, -0.7, n=7)
    figure.pair((0.7, 0.20, 0.4), (-0.1, 0.85, 0.1), darker(rgb, 0.88), solid=False)
    figure.pair((0.1, 0.1, 0.12), (1.15, 0.40, 1.42), BLACK, solid=False, n=4)
    figure.ground(0.45, -0.92)
    return _toy(draw, "duck", base, "rubber", figure)


def bear(draw: Draw) -> Draft:
    """A sitting teddy bear."""
    base = draw.choice(("brown", "white", "pink", "beige", "light blue"))
    rgb = draw.shade(base)
    snout = mixed(rgb, (1, 0.95, 0.85), 0.6)
    figure = _Figure(draw.between(0.025, 0.030, 0))
    figure.add((1.05, 1.10, 0.98), (0.0, 0.0, 0.0), rgb, n=10)
    figure.add((0.85, 0.90, 0.82), (0.08, 0.0, 1.50), rgb, n=10)
    figure.pair((0.75, 0.36, 0.36), (0.80, 0.68, -0.62), rgb)
    figure.pair((0.22, 0.32, 0.34), (0.03, 0.72, 2.15), rgb)
    figure.add((0.35, 0.42, 0.34), (0.78, 0.0, 1.33), snout, n=7)
    figure.add((0.12, 0.16, 0.12), (1.04, 0.0, 1.45), BLACK, solid=False, n=4)
    figure.pair((0.10, 0.11, 0.11), (0.82, 0.34, 1.75), BLACK, solid=False, n=4)
    figure.add((0.35, 0.62, 0.60), (0.74, 0.0, 0.05), snout, solid=False, n=7)
    figure.ground(0.45, -0.98)
    return _toy(draw, "bear", base, "cloth", figure)


def rabbit(draw: Draw) -> Draft:
    """A crouching rabbit with its ears laid back."""
    base = draw.choice(("white", "grey", "brown", "pink"))
    rgb = draw.shade(base)
    inside = mixed(rgb, (0.95, 0.6, 0.65), 0.5)
    figure = _Figure(draw.between(0.025, 0.030, 0))
    figure.add((1.35, 1.00, 1.00), (0.0, 0.0, 0.0), rgb, n=10)
    figure.add((0.75, 0.70, 0.70), (1.00, 0.0, 0.95), rgb, n=10)
    figure.pair((0.95, 0.20, 0.28), (0.15, 0.34, 1.75), rgb, 0.55)
    figure.pair((0.75, 0.07, 0.14), (0.17, 0.48, 1.78), inside, 0.55, solid=False)
    figure.add((0.32, 0.32, 0.32), (-1.35, 0.0, 0.20), (0.96, 0.96, 0.95), n=7)
    figure.pair((0.42, 0.25, 0.2), (0.90, 0.45, -0.80), rgb)
    figure.pair((0.09, 0.10, 0.11), (1.52, 0.42, 1.12), BLACK, solid=False, n=4)
    figure.add((0.09, 0.13, 0.10), (1.74, 0.0, 0.95), (0.85, 0.35, 0.42), solid=False, n=4)
    figure.ground(0.42, -1.0)
    return _toy(draw, "rabbit", base, "cloth", figure)


def elephant(draw: Draw) -> Draft:
    """A standing elephant, its trunk down."""
    base = draw.choice(("grey", "light blue", "pink", "purple"))
    rgb = draw.shade(base)
    figure = _Figure(draw.between(0.024, 0.028, 0))
    figure.add((1.35, 1.00, 1.00), (0.0, 0.0, 0.0), rgb, n=10)
    figure.add((0.80, 0.78, 0.80), (1.25, 0.0, 0.55), rgb, n=10)
    figure.add((0.28, 0.26, 0.85), (2.02, 0.0, -0.15), rgb, -0.2)
    # One flat blob through the head makes both ears.
    figure.add((0.16, 1.60, 0.66), (0.95, 0.0, 0.72), darker(rgb, 0.85), n=10)
    figure.pair((0.10, 0.10, 0.11), (1.88, 0.40, 0.80), BLACK, solid=False, n=4)
    for x in (-0.70, 0.70):
        for side in (-1, 1):
            figure.leg(0.36, (x, side * 0.55), (-1.45, -0.4), rgb)
    return _toy(draw, "elephant", base, "plastic", figure)


def _toy(draw: Draw, animal: str, base: str, material: str, figure: _Figure) -> Draft:
    return Draft(
        noun=f"toy {animal}",
        synonyms=(animal, "toy", "toy animal"),
        colors=(base,),
        material=material,
        mass_kg=draw.mass(figure.pieces, 0.25, 0.6),
        friction=draw.friction(material),
        pieces=figure.pieces,
        visuals=figure.visuals,
        size_m={"unit": figure.unit},
    )


def animal(draw: Draw) -> Draft:
    """Members take turns: duck, bear, rabbit, elephant."""
    kinds = (duck, bear, rabbit, elephant)
    return kinds[draw.index % 4](Draw(draw.family, draw.index // 4, draw.rng))
