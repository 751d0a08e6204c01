"""Colour as people say it: the palette's word that lies nearest, measured the way eyes do."""

import numpy as np

from assets.objects.palette import COLOR_WORDS, PALETTE

SECOND_SHARE = 0.2  # of the surface: what a second colour must cover to be named
CLOSE_CALL = 12.0  # a word this much farther (CIE 1976 difference) than the nearest may be meant as well
ONE_COLOUR = 8.0  # a surface whose colours differ less than this from their mean has one


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (..., 3) of sRGB (..., 3) in [0, 1], white D65. Source: IEC 61966-2-1 and CIE 15."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def distances(rgb: np.ndarray) -> np.ndarray:
    """(N, words) difference between colours (N, 3) and the nearest shade of each of COLOR_WORDS."""
    wanted = lab(rgb)
    shades = [lab(np.array(PALETTE[word])) for word in COLOR_WORDS]
    return np.stack([np.linalg.norm(wanted[:, None] - s, axis=2).min(axis=1) for s in shades], axis=1)


def words_for(rgb: np.ndarray, said: str | None = None) -> tuple[str, ...]:
    """One or two colour words for the colours (N, 3) of evenly spread points, the one that covers most first.

    Of one plain colour the mean decides. said: the word that the user uses; it is taken where it fits about as well
    as the nearest.
    """
    rgb = np.asarray(rgb, dtype=float)
    if is_plain(rgb):
        away = distances(rgb.mean(axis=0, keepdims=True))[0]
        best = int(away.argmin())
        if said is not None and away[COLOR_WORDS.index(said)] <= away[best] + CLOSE_CALL:
            return (said,)
        return (COLOR_WORDS[best],)
    away = distances(rgb)
    if said is not None:
        away[:, COLOR_WORDS.index(said)] -= CLOSE_CALL
    share = np.bincount(away.argmin(axis=1), minlength=len(COLOR_WORDS)) / len(rgb)
    first, second = np.argsort(-share, kind="stable")[:2]
    return tuple(COLOR_WORDS[i] for i in (first, second) if i == first or share[i] >= SECOND_SHARE)


def is_plain(rgb: np.ndarray) -> bool:
    """True if the colours (N, 3) look like one."""
    shades = lab(rgb)
    return float(np.quantile(np.linalg.norm(shades - shades.mean(axis=0), axis=1), 0.9)) <= ONE_COLOUR
