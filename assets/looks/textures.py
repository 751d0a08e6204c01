"""Pictures for table tops, computed: every function returns one seamless (256, 256, 3) uint8 RGB tile."""

import functools

import numpy as np

from assets.looks.noise import cloudy, fractions, smooth

PIXELS = 256


def white() -> np.ndarray:
    """Matt white worktop, all of one colour."""
    return np.full((PIXELS, PIXELS, 3), (220, 220, 217), np.uint8)


def black_mouse_pad() -> np.ndarray:
    """Fine black weave."""
    row, column = grid()
    weave = 0.5 + 0.5 * np.cos(np.pi * row) * np.cos(np.pi * column / 2)
    tone = 17 + 9 * weave + 8 * fractions(21, PIXELS, PIXELS) + 6 * smooth(22, 6, 6, PIXELS)
    return paint(tone[..., None] * [1.0, 1.0, 1.06])


def pink_towel() -> np.ndarray:
    """Terry cloth: rows of loops, each with its own shade, and a flat woven band."""
    row, column = grid()
    wobble = 3.0 * smooth(31, 32, 32, PIXELS)
    loops = np.cos(2 * np.pi * (row * 72 / PIXELS + 0.5 * wobble)) * np.cos(2 * np.pi * (column * 64 / PIXELS + wobble))
    height = 0.55 + 0.22 * loops + 0.35 * (smooth(32, 128, 128, PIXELS) - 0.5) + 0.25 * (cloudy(33, 5, PIXELS) - 0.5)
    band = np.abs(row - 40) < 12
    height = np.where(band, 0.62 + 0.08 * np.cos(np.pi * column / 2) + 0.12 * (np.abs(row - 40) < 2), height)
    return paint(mix((168, 68, 100), (255, 176, 198), height))


def colourful_cloth() -> np.ndarray:
    """Bright printed table cloth: flowers and leaves over a turquoise ground, thread structure on top."""
    picture = np.broadcast_to(np.array([24.0, 150, 158]), (PIXELS, PIXELS, 3)).copy()
    petals = ((236, 60, 72), (250, 196, 36), (244, 128, 32), (206, 60, 150), (250, 242, 226), (60, 92, 200))
    chance = fractions(41, 2, 36, 4)
    for n in range(72):
        # A jittered lattice of leaves, then one of flowers printed over them.
        flower, place = divmod(n, 36)
        a, b, c, d = chance[flower, place]
        y, x = (place // 6 + 0.8 * a + 0.5 * flower) / 6, (place % 6 + 0.8 * b + 0.5 * flower) / 6
        window, radius, angle = _motif(int(PIXELS * y), int(PIXELS * x), 13 + 10 * d, 2 * np.pi * c)
        if not flower:
            green = (40, 116, 48) if n % 2 else (130, 190, 60)
            _print(picture, window, radius < 1.15 * np.abs(np.cos(angle)) ** 3, green)
            continue
        _print(picture, window, radius < 0.72 + 0.28 * np.cos((5 + n % 3) * angle), petals[n % len(petals)])
        _print(picture, window, radius < 0.30, petals[(n + 1 + n // 6) % len(petals)])
    row, column = grid()
    thread = 1 + 0.05 * (np.cos(np.pi * row) + np.cos(np.pi * column)) * (0.5 + fractions(42, PIXELS, PIXELS))
    return paint(picture * thread[..., None])


def black_white_pad() -> np.ndarray:
    """Black lines of varying width over white, like the contours of a map."""
    height = cloudy(51, 4, PIXELS, octaves=2)
    wave = np.cos(2 * np.pi * 7 * height)
    white = np.clip(0.5 + 2.2 * (wave - 0.05), 0, 1)
    return paint(mix((18, 18, 20), (236, 236, 236), white) + 6 * (fractions(52, PIXELS, PIXELS)[..., None] - 0.5))


def wood_planks() -> np.ndarray:
    """Four planks of one tile's length with grain, different tones and dark joints."""
    row, column = grid()
    plank = (row // 64).astype(int)
    tone = np.array([0.50, 0.66, 0.42, 0.58])[plank]
    rings = smooth(61, 20, 3, PIXELS) + 0.5 * smooth(62, 44, 5, PIXELS)
    grain = 0.5 + 0.5 * np.cos(2 * np.pi * (5 * rings + plank * 0.37))
    fibre = smooth(63, 128, 9, PIXELS)
    share = tone + 0.20 * (grain - 0.5) + 0.30 * (fibre - 0.5)
    joint = (row % 64 < 2) | ((np.abs(wrapped(column - np.array([30, 170, 90, 220])[plank])) < 1.0) & (row % 64 >= 2))
    return paint(np.where(joint[..., None], (58.0, 36, 20), mix((112, 66, 32), (224, 172, 112), share)))


def calibration_board() -> np.ndarray:
    """Chess board of 8 x 8 squares; each white square carries a marker of 6 x 6 modules with a black rim."""
    picture = np.full((8, 8, 32, 32), 240.0)
    bits = fractions(71, 8, 8, 4, 4) < 0.5
    for i in range(8):
        for j in range(8):
            if (i + j) % 2:
                picture[i, j] = 16
                continue
            marker = np.zeros((6, 6))
            marker[1:5, 1:5] = bits[i, j]
            picture[i, j, 4:28, 4:28] = np.kron(16 + 224 * marker, np.ones((4, 4)))
    flat = picture.transpose(0, 2, 1, 3).reshape(PIXELS, PIXELS)
    return paint(np.repeat(flat[..., None], 3, axis=2))


# Pictures for training: wide areas of one colour with soft edges. Demonstrations are stored by the thousand, and fine
# noise or a slow gradient all over the table takes more space there than all else in a frame.


def plain(colour: np.ndarray, seed: int) -> np.ndarray:
    """One colour (3,) in 0..255 with faint, wide clouds."""
    return paint(colour * (0.96 + 0.08 * smooth(seed, 3, 3, PIXELS)[..., None]))


def speckle(ground: np.ndarray, chips: np.ndarray, seed: int, cells: int) -> np.ndarray:
    """Terrazzo: `cells` x `cells` angular chips of two shades, each somewhere in its own cell, over one colour."""
    row, column = grid()
    pitch = PIXELS / cells
    which_row = (row // pitch).astype(int)
    column = (column + PIXELS * fractions(seed + 1, cells)[which_row]) % PIXELS  # so that cells do not line up
    y, x, size, long, turn, shade = fractions(seed, 6, cells, cells)[:, which_row, (column // pitch).astype(int)]
    size = pitch * (0.10 + 0.22 * size)
    dy, dx = row % pitch - pitch * (0.36 + 0.28 * y), column % pitch - pitch * (0.36 + 0.28 * x)
    cos, sin, slim = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn), 0.55 + 0.45 * long
    u, v = np.abs(dx * cos + dy * sin), np.abs(dy * cos - dx * sin) / slim
    edge = step(size - np.maximum(np.maximum(u, v), 0.75 * (u + v)), 0.0, 2.0)
    return paint(mix(ground, chips, edge * np.where(shade < 0.4, 0.5, 1.0)))


def stripes(first: np.ndarray, second: np.ndarray, count: int, share: float, *, crossed: bool) -> np.ndarray:
    """Stripes along one side, or crossed ones: `count` to a tile; share: width of the second colour (0 to 1)."""
    # Distance from the middle of a stripe, 0 to 1; an edge is six pixels wide.
    along = [np.abs((2 * place * count / PIXELS) % 2 - 1) for place in grid()]
    row, column = (step(distance, 1 - share, 12 * count / PIXELS) for distance in along)
    return paint(mix(first, second, (row + column) / 2 if crossed else row))


def dots(ground: np.ndarray, ink: np.ndarray, count: int, share: float, *, staggered: bool) -> np.ndarray:
    """Round dots on a square lattice: `count` per side, radius `share` (0 to 0.5) of the pitch.

    staggered: one more between every four, and all of them smaller.
    """
    row, column = grid()
    pitch = PIXELS / count
    lattices = [0.0, pitch / 2] if staggered else [0.0]
    radius = pitch * (0.7 * share if staggered else share)
    away = [np.hypot((row + s) % pitch - pitch / 2, (column + s) % pitch - pitch / 2) for s in lattices]
    return paint(mix(ground, ink, step(radius - np.minimum.reduce(away), 0.0, 3.0)))


def marble(ground: np.ndarray, vein: np.ndarray, seed: int, cells: int) -> np.ndarray:
    """Veins of a second colour through two shades of the first."""
    shade = 0.2 * step(smooth(seed, cells, cells, PIXELS), 0.5, 0.3)
    veins = step(np.abs(cloudy(seed + 7, cells, PIXELS, octaves=2) - 0.5), 0.035, -0.05)
    return paint(mix(ground, vein, np.maximum(shade, 0.8 * veins)))


def brushed(colour: np.ndarray, seed: int, depth: float) -> np.ndarray:
    """Long streaks of a few brightnesses, `depth` their range as a share."""
    streaks = terraced(smooth(seed, 20, 2, PIXELS) * 0.6 + smooth(seed + 3, 7, 3, PIXELS) * 0.4, 5, 0.3)
    return paint(colour * (1 - depth / 2 + depth * streaks[..., None]))


@functools.cache
def grid() -> tuple[np.ndarray, np.ndarray]:
    """Row and column number of each pixel, (256, 256) floats each."""
    row, column = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)
    row.setflags(write=False)
    column.setflags(write=False)
    return row, column


def wrapped(distance: np.ndarray) -> np.ndarray:
    """Pixel distances taken around the tile's edge, so that motifs continue on the other side."""
    return (distance + PIXELS / 2) % PIXELS - PIXELS / 2


def step(values: np.ndarray, at: float, width: float) -> np.ndarray:
    """0 below `at` and 1 above, with a ramp of this width; the other way round for a negative width."""
    return np.clip((values - at) / width + 0.5, 0, 1)


def terraced(values: np.ndarray, count: int, ramp: float) -> np.ndarray:
    """Values in 0..1 on `count` + 1 terraces; ramps between them take the share `ramp` of what they were."""
    low = np.floor(values * count)
    return (low + step(values * count - low, 0.5, ramp)) / count


def mix(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours between two (3,) colours."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    return low + (high - low) * share[..., None]


def paint(picture: np.ndarray) -> np.ndarray:
    """Rounded and clipped to uint8."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


Window = tuple[np.ndarray, np.ndarray]


def _motif(row: int, column: int, size_px: float, turn_rad: float) -> tuple[Window, np.ndarray, np.ndarray]:
    """Pixels around a centre (continued on the other side of the tile), their radius over size, and their angle."""
    reach = np.arange(-28, 29)
    dy, dx = np.meshgrid(reach, reach, indexing="ij")
    window = np.ix_((row + reach) % PIXELS, (column + reach) % PIXELS)
    return window, np.hypot(dy, dx) / size_px, np.arctan2(dy, dx) + turn_rad


def _print(picture: np.ndarray, window: Window, where: np.ndarray, colour: tuple[int, int, int]) -> None:
    picture[window] = np.where(where[..., None], np.array(colour, float), picture[window])
