"""What lies on the table: white, the six tested surfaces, and random ones for training that share nothing with them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from assets.looks import textures
from assets.looks.noise import fractions

# World x and y (m) of a mat: it covers the area in which objects stand and leaves a white margin.
MAT_EXTENT_M = ((0.37, 0.86), (-0.62, 0.42))


@dataclass(frozen=True)
class Table:
    """A table top.

    picture: makes one seamless (H, W, 3) uint8 tile; tile_m: side of the square that one tile covers;
    is_mat: it lies as a mat (MAT_EXTENT_M) on the white table instead of covering all of it; specular: 0 to 1;
    is_plain: the picture is of one colour and need not be drawn, which saves a fifth of the time of a frame.
    """

    picture: Callable[[], np.ndarray]
    tile_m: float
    is_mat: bool = False
    specular: float = 0.05
    is_plain: bool = False


def _white(_: int) -> Table:
    return Table(textures.white, 0.5, is_plain=True)


# The published tests. Their pictures do not depend on the variant.
_TEST: dict[str, Callable[[int], Table]] = {
    "black_mouse_pad": lambda _: Table(textures.black_mouse_pad, 0.16, is_mat=True),
    "pink_towel": lambda _: Table(textures.pink_towel, 0.22, is_mat=True, specular=0.0),
    "colourful_cloth": lambda _: Table(textures.colourful_cloth, 0.36, specular=0.0),
    "black_white_pad": lambda _: Table(textures.black_white_pad, 0.30, is_mat=True),
    "wood": lambda _: Table(textures.wood_planks, 0.40, specular=0.1),
    "calibration_board": lambda _: Table(textures.calibration_board, 0.24, is_mat=True),
}


def _colours(seed: int, count: int, low: float, high: float) -> np.ndarray:
    """(count, 3) colours: a grey level between low and high (0 to 255), tinted by up to 30 %; never pink."""
    draw = fractions(seed, count, 4)
    colours = np.clip((low + (high - low) * draw[:, :1]) * (1 + 0.6 * (draw[:, 1:] - 0.5)), 0, 255)
    # Red above blue above green is pink. The towel shall be the first pink table that a policy meets.
    red, green, blue = colours.T
    pink = (red > blue) & (blue > green)
    colours[pink] = colours[pink][:, [1, 0, 2]]
    return colours


def _plain(variant: int) -> Table:
    seed = 1000 + 16 * variant
    return Table(lambda: textures.plain(_colours(seed, 1, 70, 225)[0], seed), 0.9)


def _speckle(variant: int) -> Table:
    seed = 100_000 + 16 * variant
    ground, chips = _colours(seed, 2, 60, 220)
    cells = 6 + int(6 * fractions(seed + 5, 1)[0])
    return Table(lambda: textures.speckle(ground, chips, seed, cells), 0.6)


def _stripes(variant: int) -> Table:
    seed = 200_000 + 16 * variant
    first, second = _colours(seed, 2, 60, 230)
    count, share = fractions(seed + 5, 2)
    crossed = bool(variant % 2)
    return Table(lambda: textures.stripes(first, second, 2 + int(5 * count), 0.3 + 0.4 * share, crossed=crossed), 0.6)


def _dots(variant: int) -> Table:
    seed = 300_000 + 16 * variant
    ground, ink = _colours(seed, 2, 60, 230)
    count, share = fractions(seed + 5, 2)
    staggered = bool(variant % 2)
    return Table(lambda: textures.dots(ground, ink, 2 + int(4 * count), 0.18 + 0.24 * share, staggered=staggered), 0.5)


def _marble(variant: int) -> Table:
    seed = 400_000 + 16 * variant
    ground, vein = _colours(seed, 2, 60, 230)
    return Table(lambda: textures.marble(ground, vein, seed, 2 + variant % 4), 0.8, specular=0.15)


def _brushed(variant: int) -> Table:
    seed = 500_000 + 16 * variant
    depth = 0.15 + 0.3 * fractions(seed + 5, 1)[0]
    return Table(lambda: textures.brushed(_colours(seed, 1, 110, 215)[0], seed, depth), 0.6, specular=0.15)


_TRAIN: dict[str, Callable[[int], Table]] = {
    "train_plain": _plain,
    "train_speckle": _speckle,
    "train_stripes": _stripes,
    "train_dots": _dots,
    "train_marble": _marble,
    "train_brushed": _brushed,
}

TEST_TABLES = tuple(_TEST)
TRAIN_TABLES = tuple(_TRAIN)
TABLES: Mapping[str, Callable[[int], Table]] = MappingProxyType({"white": _white, **_TEST, **_TRAIN})


@functools.lru_cache(maxsize=64)
def tile(name: str, variant: int) -> np.ndarray:
    """The (H, W, 3) uint8 tile of a table by name and variant; read-only, remembered."""
    picture = TABLES[name](variant if name in TRAIN_TABLES else 0).picture()
    picture.setflags(write=False)
    return picture
