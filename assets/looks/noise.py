"""Noise without a generator: whole numbers in, the same fractions out on every machine and numpy version."""

import numpy as np

_MASK = np.uint64(0xFFFFFFFF)


def scramble(values: np.ndarray) -> np.ndarray:
    """Mix the bits of 32-bit whole numbers (kept in uint64), so that neighbours look unrelated."""
    x = np.asarray(values, np.uint64) & _MASK
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & _MASK
    return x ^ (x >> np.uint64(16))


def fractions(seed: int, *shape: int) -> np.ndarray:
    """Array of `shape` in [0, 1): a function of seed and position alone."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    offset = scramble(np.uint64(seed))
    return (scramble(index + offset) / 2.0**32).reshape(shape)


def smooth(seed: int, rows: int, columns: int, pixels: int) -> np.ndarray:
    """(pixels, pixels) in [0, 1]: seamless noise with `rows` x `columns` cells; unequal counts make streaks."""
    return _stretch(_stretch(fractions(seed, rows, columns), pixels).T, pixels).T


def _stretch(values: np.ndarray, pixels: int) -> np.ndarray:
    """(N, M) -> (pixels, M): smooth, periodic interpolation along the first axis."""
    # No matrix product: its rounding may depend on the number of threads.
    cells = len(values)
    place = np.arange(pixels) * cells / pixels
    low = np.floor(place).astype(int)
    share = (place - low)[:, None]
    share = share * share * (3 - 2 * share)
    return values[low] * (1 - share) + values[(low + 1) % cells] * share


def cloudy(seed: int, cells: int, pixels: int, octaves: int = 3) -> np.ndarray:
    """(pixels, pixels) in [0, 1]: octaves of `smooth`, each twice as fine and half as strong."""
    total = sum(smooth(seed + 101 * k, cells << k, cells << k, pixels) / 2**k for k in range(octaves))
    return total / (2 - 0.5 ** (octaves - 1))
