"""How the room is lit: white, the three tested ways, and random ones for training that share nothing with them."""

import colorsys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from assets.looks.noise import fractions

Vector = tuple[float, float, float]
OVER_TABLE: Vector = (0.5, -0.15, 0.0)  # where lamps point


@dataclass(frozen=True)
class Light:
    """One light. pos and target in world (m); a directional light only uses their difference. diffuse: RGB 0 to 1."""

    pos: Vector
    target: Vector
    diffuse: Vector
    specular: float = 0.2
    is_spot: bool = False
    cutoff_deg: float = 45.0
    exponent: float = 1.0
    casts_shadow: bool = False


@dataclass(frozen=True)
class Lighting:
    """All lights of a room.

    ambient: RGB that reaches every surface; wall, floor: RGB of the room as it appears; shadow_px: side of the shadow
    map; moving: the lights at a time (s), for rooms in which they move.
    """

    ambient: Vector
    lights: tuple[Light, ...]
    wall: Vector
    floor: Vector
    shadow_px: int = 0
    moving: Callable[[float], tuple[Light, ...]] | None = None

    @property
    def is_even(self) -> bool:
        """Whether light is the same all over a flat surface, so that two triangles show it right."""
        return not any(light.is_spot for light in self.lights)


def _white(_: int) -> Lighting:
    # The sum on the table top is 0.95; side faces get between 0.4 and 0.8, each another share.
    return Lighting(
        ambient=(0.38, 0.38, 0.38),
        lights=(
            Light((0.2, 0.4, 2.0), OVER_TABLE, (0.42, 0.42, 0.41)),
            Light((-1.0, -1.2, 1.0), OVER_TABLE, (0.22, 0.22, 0.23)),
            Light((2.0, 0.8, 0.9), OVER_TABLE, (0.17, 0.17, 0.17)),
        ),
        wall=(0.72, 0.73, 0.75),
        floor=(0.50, 0.49, 0.47),
    )


def _lamp(_: int) -> Lighting:
    lamp = Light(
        (0.85, -1.15, 0.75),
        OVER_TABLE,
        (0.98, 0.86, 0.62),
        specular=0.4,
        is_spot=True,
        cutoff_deg=42.0,
        exponent=3.0,
        casts_shadow=True,
    )
    return Lighting(
        ambient=(0.17, 0.16, 0.15), lights=(lamp,), wall=(0.14, 0.12, 0.10), floor=(0.08, 0.07, 0.06), shadow_px=512
    )


def _dark(_: int) -> Lighting:
    glow = Light((-0.6, 0.8, 1.6), OVER_TABLE, (0.12, 0.13, 0.16), specular=0.1)
    return Lighting(ambient=(0.13, 0.13, 0.15), lights=(glow,), wall=(0.06, 0.06, 0.08), floor=(0.03, 0.03, 0.04))


DISCO_SPOTS = 4


def _disco(variant: int) -> Lighting:
    chance = fractions(7000 + variant, DISCO_SPOTS, 6)

    def at(time_s: float) -> tuple[Light, ...]:
        return tuple(_disco_spot(k, chance[k], time_s) for k in range(DISCO_SPOTS))

    return Lighting(
        ambient=(0.20, 0.18, 0.24), lights=at(0.0), wall=(0.10, 0.06, 0.14), floor=(0.05, 0.03, 0.07), moving=at
    )


def _disco_spot(number: int, chance: np.ndarray, time_s: float) -> Light:
    """A coloured spot under the ceiling whose pool of light wanders over the table; colours go round in 9 to 15 s."""
    slow, fast = 2 * np.pi * (0.10 + 0.15 * chance[:2]) * time_s + 2 * np.pi * chance[2:4]
    around, part = 2 * np.pi * number / DISCO_SPOTS, number / (DISCO_SPOTS - 1) - 0.5
    hue = (number / DISCO_SPOTS + chance[4] + time_s / (9 + 6 * chance[5])) % 1.0
    return Light(
        pos=(0.5 + 0.9 * np.cos(around), -0.15 + 0.9 * np.sin(around), 1.5),
        target=(0.50 + 0.16 * np.sin(slow), -0.15 + 0.7 * part + 0.20 * np.sin(fast), 0.0),
        diffuse=colorsys.hsv_to_rgb(hue, 0.95, 0.80),
        specular=0.3,
        is_spot=True,
        cutoff_deg=14.0,
        exponent=70.0,
    )


# The published tests.
_TEST: dict[str, Callable[[int], Lighting]] = {"disco": _disco, "lamp": _lamp, "dark": _dark}


def _even(variant: int, *, ambient: float, spread: float, tint: float, seed: int) -> Lighting:
    """Three directional lights from above in random directions; `spread` is how unequal, `tint` how coloured."""
    chance = fractions(seed + variant, 4, 6)
    share = 0.25 + spread * chance[:3, 0]
    share *= (0.92 - ambient) / share.sum()
    turn = 2 * np.pi * (np.arange(3) / 3 + chance[:3, 1])
    tints = 1 + tint * (chance[:, 2:5] - 0.5)
    lights = tuple(
        Light(
            (OVER_TABLE[0] + reach * np.cos(angle), OVER_TABLE[1] + reach * np.sin(angle), 1.5),
            OVER_TABLE,
            tuple(float(v) for v in np.clip(amount * colour, 0, 1)),
        )
        for amount, angle, reach, colour in zip(share, turn, 0.3 + 1.5 * chance[:3, 5], tints[:3], strict=True)
    )
    wall, floor = ((tone,) * 3 for tone in (0.10 + 0.65 * chance[3, 0], 0.08 + 0.5 * chance[3, 1]))
    return Lighting(tuple(float(v) for v in ambient * tints[3]), lights, wall, floor)


_TRAIN: dict[str, Callable[[int], Lighting]] = {
    "train_even": lambda v: _even(v, ambient=0.40, spread=0.3, tint=0.0, seed=20_000),
    "train_side": lambda v: _even(v, ambient=0.30, spread=1.5, tint=0.1, seed=40_000),
    "train_tinted": lambda v: _even(v, ambient=0.35, spread=0.8, tint=0.5, seed=60_000),
    "train_contrast": lambda v: _even(v, ambient=0.20, spread=1.0, tint=0.2, seed=80_000),
}

TEST_LIGHTINGS = tuple(_TEST)
TRAIN_LIGHTINGS = tuple(_TRAIN)
LIGHTINGS: Mapping[str, Callable[[int], Lighting]] = MappingProxyType({"white": _white, **_TEST, **_TRAIN})
