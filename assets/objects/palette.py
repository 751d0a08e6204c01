"""Colour words and the shades that deserve them. The words are far enough apart to be told apart in a picture."""

import numpy as np

PALETTE: dict[str, tuple[tuple[float, float, float], ...]] = {
    "red": ((0.80, 0.09, 0.10), (0.70, 0.07, 0.13), (0.86, 0.15, 0.11)),
    "orange": ((0.96, 0.48, 0.06), (0.93, 0.42, 0.04), (0.98, 0.54, 0.12)),
    "yellow": ((0.97, 0.82, 0.12), (0.94, 0.77, 0.08), (0.99, 0.87, 0.28)),
    "green": ((0.16, 0.55, 0.22), (0.09, 0.44, 0.22), (0.28, 0.62, 0.20)),
    "teal": ((0.05, 0.55, 0.55), (0.10, 0.60, 0.56), (0.03, 0.48, 0.52)),
    "blue": ((0.10, 0.27, 0.68), (0.12, 0.35, 0.78), (0.07, 0.20, 0.56)),
    "light blue": ((0.50, 0.76, 0.93), (0.44, 0.70, 0.90), (0.58, 0.80, 0.94)),
    "purple": ((0.42, 0.18, 0.58), (0.36, 0.14, 0.50), (0.49, 0.24, 0.66)),
    "pink": ((0.95, 0.52, 0.66), (0.92, 0.45, 0.62), (0.97, 0.62, 0.72)),
    "brown": ((0.42, 0.25, 0.13), (0.36, 0.20, 0.10), (0.47, 0.29, 0.16)),
    "beige": ((0.86, 0.76, 0.58), (0.82, 0.70, 0.50), (0.88, 0.79, 0.64)),
    "black": ((0.07, 0.07, 0.08), (0.10, 0.10, 0.11), (0.05, 0.05, 0.06)),
    "grey": ((0.52, 0.53, 0.55), (0.46, 0.47, 0.49), (0.58, 0.59, 0.61)),
    "silver": ((0.76, 0.77, 0.79), (0.72, 0.73, 0.75), (0.80, 0.81, 0.82)),
    "white": ((0.95, 0.95, 0.94), (0.92, 0.92, 0.92), (0.96, 0.95, 0.92)),
}
COLOR_WORDS = tuple(PALETTE)
# Words that a printed second colour may take on a base of the given word: strong contrast only.
CONTRASTS: dict[str, tuple[str, ...]] = {
    "red": ("white", "yellow", "black"),
    "orange": ("white", "blue", "black"),
    "yellow": ("red", "blue", "green", "black"),
    "green": ("white", "yellow", "orange"),
    "teal": ("white", "yellow", "pink"),
    "blue": ("white", "yellow", "orange"),
    "light blue": ("white", "blue", "red"),
    "purple": ("white", "yellow", "pink"),
    "pink": ("white", "purple", "red"),
    "brown": ("beige", "white", "orange"),
    "beige": ("brown", "green", "red"),
    "black": ("white", "yellow", "red", "teal"),
    "grey": ("white", "red", "blue"),
    "silver": ("red", "blue", "black"),
    "white": ("red", "blue", "green", "purple", "orange"),
}

RGB = tuple[float, float, float]


def shade(word: str, rng: np.random.Generator) -> RGB:
    """One rgb triple in [0, 1] for a colour word; raises KeyError with the choices for an unknown one."""
    if word not in PALETTE:
        raise KeyError(f"unknown colour {word!r}; choose from {COLOR_WORDS}")
    shades = PALETTE[word]
    return shades[int(rng.integers(len(shades)))]


def accent(word: str, rng: np.random.Generator) -> str:
    """A colour word that stands out on a base of the given one."""
    choices = CONTRASTS[word]
    return choices[int(rng.integers(len(choices)))]


def darker(rgb: RGB, factor: float = 0.6) -> RGB:
    """The same hue, darker (factor < 1) or lighter (factor > 1, clipped at white)."""
    return tuple(min(1.0, channel * factor) for channel in rgb)


def mixed(a: RGB, b: RGB, share: float) -> RGB:
    """a and b mixed, share of b in [0, 1]."""
    return tuple((1 - share) * p + share * q for p, q in zip(a, b, strict=True))
