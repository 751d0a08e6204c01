"""Flat things, too thin to be taken from a table and too wide to be spanned: book, plate, tablet, tray and the like.

They lie on their one face. The hand can only pull them over the table's edge and take them by the rim.
"""

import numpy as np

from assets.mesh import Mesh, circle
from assets.objects import textures
from assets.objects.families.draw import Draw
from assets.objects.palette import RGB, darker, mixed
from assets.objects.shapes import Vec3, block, cylinder, frustum, hull, prism, rectangle, turned
from assets.objects.types import Draft, Piece, Visual

PAPER: RGB = (0.93, 0.91, 0.84)
COVER_PX = (128, 96)  # height and width of a picture: the lowest EDGE_PX rows are the sides, the rest lies on top
EDGE_PX = 16
RIM_M = 0.0025  # how far a drawn edge is softened or a decoration stands up: less than shows


def book(draw: Draw) -> Draft:
    """A hardback: a printed cover, a spine, and pages that show on the other three sides."""
    base = draw.choice(("red", "blue", "green", "brown", "purple", "teal", "orange"))
    trim = draw.accent(base)
    half = _half(draw, (0.056, 0.072), (0.078, 0.100), (0.0065, 0.0100))
    rgb, ink = draw.shade(base), draw.shade(trim)
    cover = textures.plain(rgb, COVER_PX[0] - EDGE_PX, COVER_PX[1])
    textures.bars(cover, ink, draw.rng, (0.15, 0.12, 0.85, 0.30))
    if draw.index % 2:
        textures.disc(cover, ink, (0.5, 0.62), 0.20)
    else:
        textures.band(cover, ink, 0.50, 0.58)
        textures.band(cover, ink, 0.64, 0.67)
    textures.bars(cover, ink, draw.rng, (0.30, 0.86, 0.70, 0.93))
    pages = textures.plain(PAPER, EDGE_PX, COVER_PX[1])
    pages[::3] *= 0.86
    pages[[0, 1, -2, -1]] = rgb
    pages[:, -24:] = rgb  # the spine
    return _slab(draw, "book", half, (base, trim), "cardboard", (0.35, 0.60), np.concatenate([cover, pages]))


def notebook(draw: Draw) -> Draft:
    """A thin notebook with a label and an elastic band."""
    base = draw.choice(("black", "light blue", "pink", "yellow", "green", "grey"))
    trim = draw.accent(base)
    half = _half(draw, (0.054, 0.066), (0.076, 0.096), (0.0048, 0.0065))
    rgb, ink = draw.shade(base), draw.shade(trim)
    cover = textures.plain(rgb, COVER_PX[0] - EDGE_PX, COVER_PX[1])
    cover[22:52, 18:66] = (0.95, 0.94, 0.90)
    textures.bars(cover, (0.3, 0.3, 0.35), draw.rng, (0.25, 0.26, 0.62, 0.42))
    cover[:, 78:84] = ink
    pages = textures.plain(PAPER, EDGE_PX, COVER_PX[1])
    pages[[0, 1, -2, -1]] = rgb
    return _slab(draw, "notebook", half, (base, trim), "paper", (0.45, 0.70), np.concatenate([cover, pages]))


def tablet(draw: Draw) -> Draft:
    """A tablet computer: a dark screen with a few windows in a coloured body."""
    base = draw.choice(("silver", "black", "blue", "pink", "grey"))
    half = _half(draw, (0.058, 0.070), (0.082, 0.098), (0.0045, 0.0052))
    rgb = draw.shade(base)
    screen = textures.plain((0.05, 0.06, 0.08), COVER_PX[0] - EDGE_PX, COVER_PX[1])
    tiles = [draw.shade(word) for word in ("light blue", "green", "orange", "red")]
    for k in range(12):
        row, column = divmod(k, 3)
        top, left = 16 + 22 * row, 14 + 25 * column
        screen[top : top + 14, left : left + 18] = mixed(tiles[(k * 5 + draw.index) % 4], (0.1, 0.1, 0.1), 0.3)
    screen[[0, 1, 2, -3, -2, -1]] = rgb
    screen[:, [0, 1, 2, -3, -2, -1]] = rgb
    sheet = np.concatenate([screen, textures.plain(rgb, EDGE_PX, COVER_PX[1])])
    words = (base,) if base == "black" else (base, "black")
    return _slab(draw, "tablet", half, words, "plastic", (1.0, 1.3), sheet, ("tablet computer",), gloss=0.6)


def envelope(draw: Draw) -> Draft:
    """A padded envelope with a flap, an address and a stamp."""
    base = draw.choice(("beige", "white", "yellow", "light blue"))
    trim = draw.accent(base)
    half = _half(draw, (0.054, 0.068), (0.080, 0.098), (0.0045, 0.0065))
    rgb, ink = draw.shade(base), draw.shade(trim)
    face = textures.plain(rgb, COVER_PX[0] - EDGE_PX, COVER_PX[1])
    rows, columns = np.mgrid[0 : len(face), 0 : COVER_PX[1]]
    flap = rows < 40 - 0.8 * np.abs(columns - COVER_PX[1] / 2)
    face[flap] = darker(rgb, 0.86)
    textures.bars(face, (0.2, 0.2, 0.25), draw.rng, (0.2, 0.55, 0.75, 0.80))
    face[84:104, 70:88] = ink
    sheet = np.concatenate([face, textures.plain(darker(rgb, 0.92), EDGE_PX, COVER_PX[1])])
    return _slab(draw, "envelope", half, (base, trim), "paper", (0.35, 0.60), sheet, ("padded envelope",))


def board_game(draw: Draw) -> Draft:
    """The flat box of a board game: a chequered field under a title."""
    base = draw.choice(("blue", "red", "green", "yellow", "purple"))
    trim = draw.accent(base)
    half = _half(draw, (0.058, 0.074), (0.076, 0.096), (0.0085, 0.0100))
    rgb, ink = draw.shade(base), draw.shade(trim)
    lid = textures.plain(rgb, COVER_PX[0] - EDGE_PX, COVER_PX[1])
    rows, columns = np.mgrid[0:60, 0:60]
    field = lid[42:102, 18:78]
    field[(rows // 12 + columns // 12) % 2 == draw.index % 2] = ink
    textures.bars(lid, ink, draw.rng, (0.15, 0.10, 0.85, 0.30))
    sheet = np.concatenate([lid, textures.plain(darker(rgb, 0.85), EDGE_PX, COVER_PX[1])])
    synonyms = ("game", "game box")
    return _slab(draw, "board game", half, (base, trim), "cardboard", (0.25, 0.45), sheet, synonyms)


def picture_frame(draw: Draw) -> Draft:
    """A framed picture that lies on its back: a landscape within a border."""
    base = draw.choice(("brown", "black", "beige", "silver"))
    half = _half(draw, (0.058, 0.072), (0.076, 0.094), (0.0065, 0.0090))
    rgb = draw.shade(base)
    sheet = textures.plain(rgb, COVER_PX[0] - EDGE_PX, COVER_PX[1])
    rows, columns = np.mgrid[0:88, 0:72]
    hills = 50 + 10 * np.sin(columns / 11 + draw.index) + 5 * np.sin(columns / 5)
    picture = np.where((rows > hills)[:, :, None], draw.shade("green"), draw.shade("light blue"))
    picture[(rows - 20) ** 2 + (columns - 52) ** 2 < 70] = draw.shade("yellow")
    sheet[12:100, 12:84] = picture
    sheet = np.concatenate([sheet, textures.plain(darker(rgb, 0.8), EDGE_PX, COVER_PX[1])])
    words = (base, "green", "light blue")
    return _slab(draw, "picture frame", half, words, "wood", (0.45, 0.70), sheet, ("framed picture", "picture"))


def cutting_board(draw: Draw) -> Draft:
    """A wooden board with round corners."""
    base = draw.choice(("beige", "brown", "orange"), 1)
    half = _half(draw, (0.054, 0.070), (0.080, 0.100), (0.0060, 0.0085))
    corner = draw.between(0.008, 0.018, 3)
    outline = rectangle(*half[:2], corner)
    rgb = draw.shade(base)
    grain = textures.wood(rgb, draw.rng)
    drawn = _flat_prism(outline, half[2])
    return Draft(
        noun="cutting board",
        synonyms=("chopping board", "board"),
        colors=(base,),
        material="wood",
        mass_kg=draw.mass(pieces := [_upright(outline, half[2])], 0.5, 0.7),
        friction=draw.friction("wood"),
        pieces=pieces,
        visuals=[Visual(drawn, texture=grain, gloss=0.2)],
        size_m={"x": half[0], "y": half[1], "z": half[2], "corner": corner},
    )


def trivet(draw: Draw) -> Draft:
    """A pad for hot pots with six or eight corners, and a smaller one of another colour on it."""
    base = draw.choice(("orange", "teal", "brown", "purple"))
    trim = draw.accent(base)
    radius, half = draw.between(0.062, 0.078, 0), draw.between(0.0060, 0.0085, 1)
    corners = (6, 8)[draw.index % 2]
    outline = circle(corners, radius)[:, :2]
    pieces = [_upright(outline, half)]
    rgb, ink = draw.shade(base), draw.shade(trim)
    field = prism(0.6 * outline, half - 0.001, half + 0.0004)
    return Draft(
        noun="trivet",
        synonyms=("coaster", "pad"),
        colors=(base, trim),
        material="wood",
        mass_kg=draw.mass(pieces, 0.4, 0.65),
        friction=draw.friction("wood"),
        pieces=pieces,
        visuals=[Visual(prism(outline, -half, half, RIM_M), rgb, gloss=0.1), Visual(field, ink, gloss=0.1)],
        size_m={"radius": radius, "half": half, "corners": corners},
    )


def plate(draw: Draw) -> Draft:
    """A dinner plate: a foot, a rim with a coloured edge, a shallow well."""
    base = draw.choice(("white", "light blue", "green", "yellow", "pink", "orange", "beige"))
    trim = draw.accent(base)
    radius, height = draw.between(0.076, 0.098, 0), draw.between(0.0135, 0.0180, 1)
    foot = radius * draw.between(0.66, 0.76, 2)
    # The rim is a disc of its own, so that it has a side that fingers can pull at.
    rim = 0.006
    pieces = [frustum(foot, radius - 0.004, 0.0, height - rim), cylinder(radius, height - rim, height)]
    rgb, ink = draw.shade(base), draw.shade(trim)
    wall = [(foot, 0.0), (radius - 0.004, height - rim), (radius, height - rim), (radius, height)]
    edge = [(radius, height), (0.90 * radius, height - 0.0005)]
    well = [(0.90 * radius, height - 0.0005), (0.72 * radius, height - 0.0025), (0.60 * radius, 0.004), (0.0, 0.004)]
    return Draft(
        noun="plate",
        synonyms=("dish",),
        colors=(base, trim),
        material="ceramic",
        mass_kg=draw.mass(pieces, 0.55, 0.75),
        friction=draw.friction("ceramic"),
        pieces=pieces,
        visuals=[
            Visual(turned(wall, 24, lid=False), rgb, gloss=0.6),
            Visual(turned(edge, 24, floor=False, lid=False), ink, gloss=0.6),
            Visual(turned(well, 24, floor=False), darker(rgb, 0.97), gloss=0.6),
        ],
        size_m={"radius": radius, "height": height, "foot": foot},
    )


def tray(draw: Draw) -> Draft:
    """A serving tray: a floor with a low wall around it."""
    base = draw.choice(("red", "grey", "teal", "blue", "yellow", "black"))
    trim = draw.accent(base)
    x, y, z = _half(draw, (0.060, 0.076), (0.082, 0.100), (0.0070, 0.0095))
    wall, floor = 0.006, 0.003  # half of the floor's thickness
    pieces = [block((x, y, floor), (0.0, 0.0, floor - z))]
    pieces += [block((wall, y, z), (side * (x - wall), 0.0, 0.0)) for side in (-1, 1)]
    pieces += [block((x - 2 * wall, wall, z), (0.0, side * (y - wall), 0.0)) for side in (-1, 1)]
    rgb, ink = draw.shade(base), draw.shade(trim)
    visuals = [Visual(_box(piece.size, piece.pos), rgb, gloss=0.4) for piece in pieces]
    visuals.append(Visual(_box((0.55 * x, 0.55 * y, floor), (0.0, 0.0, floor - z + 0.0008)), ink, gloss=0.4))
    return Draft(
        noun="tray",
        synonyms=("serving tray",),
        colors=(base, trim),
        material="plastic",
        mass_kg=draw.mass(pieces, 0.9, 1.2),
        friction=draw.friction("plastic"),
        pieces=pieces,
        visuals=visuals,
        size_m={"x": x, "y": y, "z": z},
    )


def _half(draw: Draw, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Vec3:
    """Half sizes (m) from their ranges."""
    return draw.between(*x, 0), draw.between(*y, 1), draw.between(*z, 2)


def _slab(
    draw: Draw,
    noun: str,
    half: Vec3,
    colors: tuple[str, ...],
    material: str,
    density: tuple[float, float],
    sheet: np.ndarray,
    synonyms: tuple[str, ...] = (),
    gloss: float = 0.2,
) -> Draft:
    """A box with a picture on it; sheet: float canvas of COVER_PX; density: range in g/cm3."""
    pieces = [block(half)]
    return Draft(
        noun=noun,
        synonyms=synonyms,
        colors=colors,
        material=material,
        mass_kg=draw.mass(pieces, *density),
        friction=draw.friction(material),
        pieces=pieces,
        visuals=[Visual(_box(half), texture=textures.finished(sheet), gloss=gloss)],
        size_m=dict(zip("xyz", half, strict=True)),
    )


def _box(half: Vec3, centre: Vec3 = (0.0, 0.0, 0.0)) -> Mesh:
    """A box whose top and bottom show the upper part of a picture and whose sides its lowest EDGE_PX rows.

    The picture's right end, where a book has its spine, lies on the side of -x.
    """
    x, y, z = half
    rows = EDGE_PX / COVER_PX[0]
    low, high, e, spine = 0.15 * rows, 0.85 * rows, 0.01, 0.8
    corners = [
        [(x, -y, -z), (x, y, -z), (x, y, z), (x, -y, z)],
        [(x, y, -z), (-x, y, -z), (-x, y, z), (x, y, z)],
        [(-x, y, -z), (-x, -y, -z), (-x, -y, z), (-x, y, z)],
        [(-x, -y, -z), (x, -y, -z), (x, -y, z), (-x, -y, z)],
        [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)],
        [(-x, y, -z), (x, y, -z), (x, -y, -z), (-x, -y, -z)],
    ]
    side = [(e, low), (spine - 0.1, low), (spine - 0.1, high), (e, high)]
    back = [(spine, low), (1 - e, low), (1 - e, high), (spine, high)]
    face = [(e, rows + e), (1 - e, rows + e), (1 - e, 1 - e), (e, 1 - e)]
    uv = [side, side, back, side, face, face]
    start = 4 * np.arange(6)[:, None]
    faces = np.concatenate([start + np.array([0, 1, 2]), start + np.array([0, 2, 3])])
    return Mesh(np.reshape(corners, (-1, 3)) + np.asarray(centre), faces, np.reshape(uv, (-1, 2)))


def _upright(outline: np.ndarray, half: float) -> Piece:
    """The convex prism over an outline (N, 2), between -half and half."""
    return hull(np.array([(*p, z) for p in outline for z in (-half, half)]))


def _flat_prism(outline: np.ndarray, half: float) -> Mesh:
    """The same as a mesh that shows a picture from above, as wide and long as the outline."""
    mesh = prism(outline, -half, half, RIM_M)
    span = np.abs(outline).max(axis=0)
    return Mesh(mesh.vertices, mesh.faces, np.clip(0.5 + 0.49 * mesh.vertices[:, :2] / span, 0.0, 1.0))
