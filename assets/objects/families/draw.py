"""Draw: the numbers from which one member of a family is made, all fixed by its id."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assets.objects import palette
from assets.objects.palette import RGB
from assets.objects.solids import piece_moments
from assets.objects.types import Piece

# Steps of a low-discrepancy sequence (powers of the inverse of the plastic numbers): members fill the ranges evenly.
STEPS = (0.7548776662, 0.5698402910, 0.8191725134, 0.6710436067, 0.5497004779, 0.8566748838)

# Sliding friction against the rubber-skinned fingers and the table, low and high end of each material.
FRICTION: dict[str, tuple[float, float]] = {
    "metal": (0.42, 0.52),
    "glass": (0.42, 0.50),
    "ceramic": (0.48, 0.60),
    "plastic": (0.50, 0.70),
    "wax": (0.50, 0.65),
    "fruit": (0.50, 0.70),
    "wood": (0.50, 0.70),
    "cardboard": (0.60, 0.80),
    "paper": (0.60, 0.80),
    "foam": (0.80, 1.00),
    "rubber": (0.80, 1.00),
    "cloth": (0.80, 1.00),
}
MASS_KG = (0.02, 0.60)


@dataclass(frozen=True, eq=False)
class Draw:
    """Member `index` of family `family`: its generator and its place in the family's ranges."""

    family: str
    index: int
    rng: np.random.Generator

    @classmethod
    def of(cls, family: str, index: int) -> "Draw":
        """The draw of one id; a stable hash, so that no object depends on the rest of the library."""
        return cls(family, index, np.random.default_rng(zlib.crc32(f"{family}_{index:02d}".encode())))

    def between(self, low: float, high: float, axis: int) -> float:
        """A number in [low, high]; members of one family spread evenly along each axis (0 to 5)."""
        offset = (zlib.crc32(f"{self.family}{axis}".encode()) % 997) / 997
        return low + (high - low) * ((offset + (self.index + 1) * STEPS[axis]) % 1.0)

    def choice(self, options: Sequence, step: int = 1, shift: int = 0):
        """Option number index * step + shift, cyclic: neighbours in the list of members differ."""
        return options[(self.index * step + shift) % len(options)]

    def shade(self, word: str) -> RGB:
        """A shade of a colour word."""
        return palette.shade(word, self.rng)

    def accent(self, word: str) -> str:
        """A colour word that stands out against another."""
        return palette.accent(word, self.rng)

    def friction(self, material: str, at_least: float = 0.0) -> float:
        """A friction coefficient that suits the material."""
        low, high = FRICTION[material]
        return self.between(max(low, at_least), max(high, at_least), 5)

    def mass(self, pieces: Sequence[Piece], low: float, high: float) -> float:
        """Mass (kg) from a mean density between low and high (g/cm3), kept within what the hand can lift."""
        volume_cm3 = 1e6 * sum(piece_moments(piece)[0] for piece in pieces)
        return float(np.clip(self.between(low, high, 4) * volume_cm3 / 1000, *MASS_KG))
