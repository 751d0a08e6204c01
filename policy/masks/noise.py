"""Errors for the true masks of demonstrations, so that a controller trained on them stands a real tracker.

A tracker is exact most of the time. When it is not, its edge is off by a pixel or two, it leaves out a part that it
takes for the robot, it leaks onto a finger of the target's colour, or it loses the target altogether. Sizes and
shares follow the measured errors of the `classic` masks (docs/policy_masks.md).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskNoise:
    """How often (shares of all masks) and how strongly masks are wrong. Lengths are shares of the target's size,
    which is the square root of its area, so that they mean the same at any resolution.
    """

    exact: float = 0.7  # left as they are
    lost: float = 0.015  # all zeros
    shift: float = 0.15  # moved as a whole
    shift_size: float = 0.02  # standard deviation, each way
    edge: float = 0.15  # grown or shrunk all around by a pixel, rarely two
    bite: float = 0.25  # a part is missing behind a straight or a round edge
    bite_size: float = 0.3  # at most, of the target's size
    leak: float = 0.25  # a bar or a disc too much at the edge
    leak_size: float = 0.25
    hole: float = 0.1
    hole_size: float = 0.12


DEFAULT = MaskNoise()
EXACT = MaskNoise(exact=1.0)


def noisy_mask(mask: np.ndarray, rng: np.random.Generator, noise: MaskNoise = DEFAULT) -> np.ndarray:
    """A mask with errors: (H, W) uint8 of 0 and 1 -> a fresh array of the same kind. An empty mask stays empty.

    A function of (mask, state of rng, noise) alone. Takes about 0.1 ms for 256x192.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    kind = rng.random()
    if len(rows) == 0 or kind < noise.exact:
        return mask.copy()
    out = np.zeros_like(mask)
    if kind < noise.exact + noise.lost:
        return out
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    size = np.sqrt(np.count_nonzero(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))
    margin = 3 + int(np.ceil(size * max(noise.leak_size, 3 * noise.shift_size)))
    top, bottom = max(rows[0] - margin, 0), min(rows[-1] + 1 + margin, mask.shape[0])
    left, right = max(columns[0] - margin, 0), min(columns[-1] + 1 + margin, mask.shape[1])
    out[top:bottom, left:right] = _spoiled(mask[top:bottom, left:right].astype(bool), size, rng, noise)
    return out


def _spoiled(inside: np.ndarray, size: float, rng: np.random.Generator, noise: MaskNoise) -> np.ndarray:
    """Each error by the throw of a die; at least one where the dice name none."""
    wanted = rng.random(5) < np.array([noise.shift, noise.edge, noise.bite, noise.leak, noise.hole])
    if not wanted.any():
        wanted[2 + int(rng.integers(2))] = True
    if wanted[1]:
        inside = _edged(inside, int(rng.choice([-2, -1, -1, -1, 1, 1, 1, 2])))
    if wanted[2]:
        inside = _bitten(inside, size * noise.bite_size, rng)
    if wanted[3]:
        edge = inside & _edged(~inside, 1)
        inside = inside | _patch(edge, size * noise.leak_size, rng)
    if wanted[4]:
        inside = inside & ~_patch(inside, size * noise.hole_size, rng)
    if wanted[0]:
        inside = _shifted(inside, *np.rint(rng.normal(0.0, size * noise.shift_size, 2)).astype(int))
    return inside


def _edged(inside: np.ndarray, pixels: int) -> np.ndarray:
    """Grown by `pixels`, or shrunk where it is negative; a thin target is not shrunk to nothing."""
    level = inside if pixels > 0 else ~inside
    for _ in range(abs(pixels)):
        wider = level.copy()
        wider[1:] |= level[:-1]
        wider[:-1] |= level[1:]
        wider[:, 1:] |= level[:, :-1]
        wider[:, :-1] |= level[:, 1:]
        level = wider
    if pixels > 0:
        return level
    return ~level if not level.all() else inside


def _bitten(inside: np.ndarray, depth: float, rng: np.random.Generator) -> np.ndarray:
    """Cut off behind a line that lies up to `depth` pixels inside the target's edge."""
    y, x = np.nonzero(inside)
    if len(y) == 0:
        return inside
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.sin(angle), np.cos(angle)
    reach = (down * y + across * x).max() - rng.uniform(0.1, 1.0) * depth
    rows, columns = np.ogrid[: inside.shape[0], : inside.shape[1]]
    return inside & (down * rows + across * columns <= reach)


def _patch(where: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """A disc, or a bar like a finger, around a random pixel of `where`; up to `width` pixels wide."""
    y, x = np.nonzero(where)
    if len(y) == 0:
        return np.zeros_like(where)
    chosen = rng.integers(len(y))
    radius = rng.uniform(0.1, 0.5) * width
    rows, columns = np.ogrid[: where.shape[0], : where.shape[1]]
    down, across = rows - y[chosen], columns - x[chosen]
    if rng.random() < 0.5:
        return down**2 + across**2 <= radius**2
    angle = rng.uniform(0, np.pi)
    along = np.abs(np.cos(angle) * across + np.sin(angle) * down)
    beside = np.abs(np.cos(angle) * down - np.sin(angle) * across)
    return (along <= width) & (beside <= 0.6 * radius)


def _shifted(inside: np.ndarray, down: int, across: int) -> np.ndarray:
    out = np.zeros_like(inside)
    height, width = inside.shape
    down, across = int(np.clip(down, -height, height)), int(np.clip(across, -width, width))
    source = inside[max(-down, 0) : height - max(down, 0), max(-across, 0) : width - max(across, 0)]
    out[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)] = source
    return out
