"""Things with flat sides: box, milk carton, block, puzzle cube, gift, soap."""

import numpy as np

from assets.mesh import Mesh
from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import darker
from assets.objects.shapes import Z_TO_X, Z_TO_Y, about_z, blob, block, cuboid, ellipsoid, hull, prism, rectangle
from assets.objects.types import IDENTITY, Draft, Visual

PRINT = ("red", "blue", "yellow", "green", "orange", "purple", "white", "light blue", "pink", "teal", "brown", "black")


def box(draw: Draw) -> Draft:
    """A printed cardboard box (tea, cereal, medicine)."""
    base = draw.choice(PRINT)
    trim = draw.accent(base)
    depth, width = draw.between(0.036, 0.062, 0), draw.between(0.05, 0.085, 1)
    height = min(draw.between(0.07, 0.165, 2), 3.2 * depth)
    pieces = [block((depth / 2, width / 2, height / 2))]
    picture = textures.carton(draw.shade(base), draw.shade(trim), draw.rng, draw.index)
    # It may also lie on its back, where it is then still thick enough to be taken from above.
    lying = (Z_TO_X,) if depth >= 0.042 else ()
    return Draft(
        noun="box",
        synonyms=("package",),
        colors=(base, trim),
        material="cardboard",
        mass_kg=draw.mass(pieces, 0.2, 0.55),
        friction=draw.friction("cardboard"),
        pieces=pieces,
        visuals=[Visual(cuboid(pieces[0].size), texture=picture, gloss=0.15)],
        rest=(IDENTITY, *lying, Z_TO_Y),
        size_m={"depth": depth, "width": width, "height": height},
    )


def carton(draw: Draw) -> Draft:
    """A milk or juice carton with a gable top."""
    base = draw.choice(("white", "green", "orange", "blue", "purple", "light blue", "yellow", "red", "pink"))
    trim = draw.accent(base)
    half, body = draw.between(0.026, 0.036, 0), draw.between(0.075, 0.115, 1)
    roof, fin, ridge = half * draw.between(0.7, 0.9, 2), 0.011, 0.0025
    rgb, ink = draw.shade(base), draw.shade(trim)
    x, z = half, body + roof
    corners = [(sx * x, sy * x, body) for sx in (-1, 1) for sy in (-1, 1)]
    top = [(sx * ridge, sy * x, z) for sx in (-1, 1) for sy in (-1, 1)]
    gable = np.array(corners + top)
    # Two slopes and two triangles; each has its own vertices, and the slopes are the top tile of the picture.
    faces = np.array([[2, 3, 7], [2, 7, 6], [1, 0, 4], [1, 4, 5], [3, 1, 5], [3, 5, 7], [0, 2, 6], [0, 6, 4]])
    pieces = [
        block((half, half, body / 2), (0.0, 0.0, body / 2)),
        hull(gable, density=0.3),
        block((ridge, half, fin / 2), (0.0, 0.0, z + fin / 2), density=0.3),
    ]
    picture = textures.carton(rgb, ink, draw.rng, draw.index + 1)
    return Draft(
        noun="milk carton",
        synonyms=("carton", "juice carton"),
        colors=(base, trim),
        material="cardboard",
        mass_kg=draw.mass(pieces, 0.45, 0.95),
        friction=draw.friction("cardboard"),
        pieces=pieces,
        visuals=[
            Visual(cuboid(pieces[0].size, pieces[0].pos), texture=picture, gloss=0.2),
            Visual(Mesh(gable, faces), rgb, gloss=0.2),
            Visual(cuboid(pieces[2].size, pieces[2].pos), ink, gloss=0.2),
        ],
        rest=(IDENTITY, Z_TO_X),
        size_m={"half": half, "body": body, "roof": roof},
    )


def toy_block(draw: Draw) -> Draft:
    """A wooden building block with soft edges, painted or in plain wood."""
    base = draw.choice(("beige", "red", "blue", "yellow", "green", "brown", "orange", "purple"), 1)
    rgb = draw.shade(base)
    x, y = draw.between(0.018, 0.028, 0), draw.between(0.022, 0.036, 1)
    z = min(draw.between(0.018, 0.055, 2), 3.2 * x)
    pieces = [block((x, y, z))]
    picture = textures.wood(rgb, draw.rng)
    return Draft(
        noun="block",
        synonyms=("wooden block", "brick"),
        colors=(base,),
        material="wood",
        mass_kg=draw.mass(pieces, 0.5, 0.75),
        friction=draw.friction("wood"),
        pieces=pieces,
        visuals=[Visual(prism(rectangle(x, y, 0.0025), -z, z, 0.0025), texture=picture, gloss=0.2)],
        rest=(IDENTITY, Z_TO_X, Z_TO_Y) if z >= 0.024 else (IDENTITY,),
        size_m={"x": x, "y": y, "z": z},
    )


def puzzle(draw: Draw) -> Draft:
    """A puzzle cube with stickers in two colours."""
    base, trim = draw.choice(
        (("red", "white"), ("blue", "yellow"), ("green", "white"), ("orange", "blue"), ("white", "red")), 1
    )
    half = draw.between(0.024, 0.031, 0)
    pieces = [block((half,) * 3)]
    picture = textures.grid(draw.shade(base), draw.shade(trim), 2 + draw.index % 3, draw.index)
    return Draft(
        noun="puzzle cube",
        synonyms=("cube",),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.4, 0.6),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=[Visual(cuboid(pieces[0].size), texture=picture, gloss=0.4)],
        size_m={"half": half},
    )


def gift(draw: Draw) -> Draft:
    """A wrapped present with a ribbon and a bow."""
    base = draw.choice(("red", "purple", "light blue", "green", "pink", "white"))
    trim = draw.accent(base)
    x, y, z = draw.between(0.024, 0.034, 0), draw.between(0.026, 0.038, 1), draw.between(0.022, 0.036, 2)
    bow, lean = (0.014, 0.010, 0.008), 0.6
    rgb, ink = draw.shade(base), draw.shade(trim)
    centres = [((0.0, side * 0.011, z + 0.006), about_z(side * lean)) for side in (-1, 1)]
    pieces = [block((x, y, z)), *(ellipsoid(bow, c, q, density=0.2) for c, q in centres)]
    picture = textures.ribbon(rgb, ink, draw.index % 2 == 0)
    return Draft(
        noun="gift box",
        synonyms=("present", "gift", "box"),
        colors=(base, trim),
        material="paper",
        mass_kg=draw.mass(pieces, 0.25, 0.6),
        friction=draw.friction("paper"),
        pieces=pieces,
        visuals=[
            Visual(cuboid((x, y, z)), texture=picture, gloss=0.3),
            *(Visual(blob(bow, c, q, 8, 4), darker(ink, 0.95), gloss=0.5) for c, q in centres),
        ],
        size_m={"x": x, "y": y, "z": z},
    )


def soap(draw: Draw) -> Draft:
    """A bar of soap: a thick slab with cut corners and a stamped, lighter field on top."""
    base = draw.choice(("pink", "white", "green", "yellow", "light blue", "purple", "beige", "orange"))
    x, y, z = draw.between(0.022, 0.029, 0), draw.between(0.034, 0.044, 1), draw.between(0.0155, 0.021, 2)
    corner = 0.010
    outline = rectangle(x, y, corner)
    solid = np.array([(*p, h) for p in outline for h in (-z, z)])
    pieces = [hull(solid)]
    rgb = draw.shade(base)
    stamp = rectangle(0.62 * x, 0.66 * y, 0.006)
    return Draft(
        noun="soap bar",
        synonyms=("soap", "bar of soap"),
        colors=(base,),
        material="wax",
        mass_kg=draw.mass(pieces, 0.95, 1.1),
        friction=draw.friction("wax"),
        pieces=pieces,
        visuals=[
            Visual(prism(outline, -z, z, 0.003), rgb, gloss=0.5),
            Visual(prism(stamp, z - 0.002, z + 0.0008), darker(rgb, 0.82), gloss=0.5),
        ],
        rest=(IDENTITY, Z_TO_X),
        size_m={"x": x, "y": y, "z": z},
    )
