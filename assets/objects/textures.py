"""Small printed pictures made by code: labels, stripes, wood, knitting. (H, W, 3) uint8, first row on top."""

import numpy as np

from assets.objects.palette import RGB, darker, mixed

SIDE = 96  # pixels; a label covers about as many in the head camera


def plain(rgb: RGB, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """A float canvas (H, W, 3) in [0, 1] of one colour."""
    return np.broadcast_to(np.asarray(rgb, dtype=float), (height, width, 3)).copy()


def finished(canvas: np.ndarray) -> np.ndarray:
    """A float canvas as uint8."""
    return (np.clip(canvas, 0, 1) * 255).round().astype(np.uint8)


def bars(canvas: np.ndarray, rgb: RGB, rng: np.random.Generator, box: tuple[float, float, float, float]) -> None:
    """Draw lines of print: rows of word-long bars into box = (left, top, right, bottom), fractions of the canvas."""
    h, w, _ = canvas.shape
    left, top, right, bottom = (round(v * s) for v, s in zip(box, (w, h, w, h), strict=True))
    row = top
    while row + 2 <= bottom:
        column = left
        while column < right - 2:
            length = int(rng.integers(3, 10))
            canvas[row : row + 2, column : min(column + length, right)] = rgb
            column += length + 2
            if rng.random() < 0.15:
                break
        row += 5


def disc(canvas: np.ndarray, rgb: RGB, centre: tuple[float, float], radius: float, aspect: float = 1.0) -> None:
    """Draw a disc; centre (x, y) and radius as fractions of the canvas height; aspect: how much wider than high."""
    h, w, _ = canvas.shape
    y, x = np.mgrid[0:h, 0:w]
    inside = ((x / w - centre[0]) * w / h / aspect) ** 2 + (y / h - centre[1]) ** 2 < radius**2
    canvas[inside] = rgb


def band(canvas: np.ndarray, rgb: RGB, top: float, bottom: float) -> None:
    """Draw a horizontal band between two fractions of the height."""
    h = len(canvas)
    canvas[round(top * h) : round(bottom * h)] = rgb


def label(base: RGB, accent: RGB, rng: np.random.Generator, style: int, repeats: int = 2) -> np.ndarray:
    """A printed wrap-around label; style 0 to 5 chooses the layout, repeats: how often it goes around."""
    panel = plain(base, SIDE, 2 * SIDE // repeats)
    ink = darker(base, 0.35) if sum(base) > 1.5 else mixed(base, (1, 1, 1), 0.75)
    style %= 6
    if style == 0:  # logo disc with a title bar
        disc(panel, accent, (0.5, 0.40), 0.22)
        disc(panel, base, (0.5, 0.40), 0.12)
        bars(panel, ink, rng, (0.2, 0.70, 0.8, 0.9))
    elif style == 1:  # broad band with a title
        band(panel, accent, 0.30, 0.68)
        bars(panel, base, rng, (0.15, 0.40, 0.85, 0.46))
        bars(panel, base, rng, (0.25, 0.52, 0.75, 0.60))
    elif style == 2:  # slanted stripes
        y, x = np.mgrid[0:SIDE, 0 : panel.shape[1]]
        panel[((x + y) % (panel.shape[1] // 2)) < panel.shape[1] // 5] = accent
        band(panel, base, 0.0, 0.16)
        band(panel, base, 0.84, 1.0)
    elif style == 3:  # white paper label with print
        panel[int(0.22 * SIDE) : int(0.82 * SIDE), 5:-5] = (0.95, 0.94, 0.90)
        panel[int(0.22 * SIDE) : int(0.32 * SIDE), 5:-5] = accent
        disc(panel, accent, (0.5, 0.50), 0.13)
        bars(panel, (0.25, 0.25, 0.28), rng, (0.2, 0.67, 0.8, 0.79))
    elif style == 4:  # two thin rings and a wave
        band(panel, accent, 0.08, 0.14)
        band(panel, accent, 0.86, 0.92)
        wave = 0.5 + 0.14 * np.sin(2 * np.pi * np.arange(panel.shape[1]) / panel.shape[1])
        rows = np.arange(SIDE)[:, None] / SIDE
        panel[np.abs(rows - wave) < 0.09] = accent
        bars(panel, ink, rng, (0.3, 0.74, 0.7, 0.82))
    else:  # two colours, diagonal split
        y, x = np.mgrid[0:SIDE, 0 : panel.shape[1]]
        panel[y / SIDE > 0.45 + 0.3 * np.abs(2 * x / panel.shape[1] - 1)] = accent
        bars(panel, ink, rng, (0.25, 0.16, 0.75, 0.34))
    return finished(np.concatenate([panel] * repeats, axis=1))


def carton(base: RGB, accent: RGB, rng: np.random.Generator, style: int) -> np.ndarray:
    """A printed box in the layout of shapes.cuboid: four sides below, top and bottom above."""
    sheet = plain(base, 128, 256)
    front = label(base, accent, rng, style, repeats=2)[:, :SIDE].astype(float) / 255
    columns = np.linspace(0, SIDE - 1, 64).astype(int)
    for start in (0, 128):
        sheet[32:, start : start + 64] = front[:, columns]
    # The other two sides carry small print.
    for start in (64, 192):
        sheet[32:44, start : start + 64] = accent
        bars(sheet, mixed(base, accent, 0.8), rng, ((start + 8) / 256, 0.45, (start + 56) / 256, 0.85))
    sheet[10:22, 20:108] = accent
    return finished(sheet)


def wood(base: RGB, rng: np.random.Generator, height: int = 64, width: int = 128) -> np.ndarray:
    """Grain that runs along v (upwards), in lighter and darker tones of a colour; seamless along u."""
    y, x = np.mgrid[0:height, 0:width]
    turn = 2 * np.pi * x / width
    bend = rng.uniform(0.5, 1.0) * np.sin(2 * np.pi * y / height + rng.uniform(0, 6))
    broad = np.sin(9 * turn + bend + 0.8 * np.sin(2 * turn))
    fine = np.sin(23 * turn + 1.7 * bend + 1.2 * np.sin(3 * turn))
    grain = 0.93 + 0.05 * broad + 0.04 * fine + rng.normal(0, 0.012, (height, width))
    return finished(plain(base, height, width) * grain[:, :, None])


def knitted(base: RGB, accent: RGB, rng: np.random.Generator, style: int) -> np.ndarray:
    """Cloth: a weave of light and dark threads in stripes, checks or dots."""
    canvas = plain(base, 64, 64)
    y, x = np.mgrid[0:64, 0:64]
    pattern = (y % 16 < 6, (x // 8 + y // 8) % 2 == 0, ((x % 16 - 8) ** 2 + (y % 16 - 8) ** 2) < 16)[style % 3]
    canvas[pattern] = accent
    weave = 1 - 0.12 * ((x + y) % 2) - 0.10 * rng.random((64, 64))
    return finished(canvas * weave[:, :, None])


def speckled(base: RGB, rng: np.random.Generator, spots: RGB, share: float = 0.06, blush: float = 0.0) -> np.ndarray:
    """Skin of a fruit: a slow change of brightness, small spots, and a second tone that rises from one side."""
    canvas = plain(base, 64, 64)
    y, x = np.mgrid[0:64, 0:64] / 64
    if blush:
        weight = blush * np.clip(np.cos(2 * np.pi * (x - 0.3)), 0, 1) * (1 - np.abs(2 * y - 1))
        canvas = (1 - weight[:, :, None]) * canvas + weight[:, :, None] * np.asarray(spots)
    canvas[rng.random((64, 64)) < share] = mixed(base, spots, 0.5)
    canvas *= (1 + 0.06 * np.cos(2 * np.pi * x))[:, :, None]
    return finished(canvas)


def grid(base: RGB, accent: RGB, cells: int, style: int) -> np.ndarray:
    """Sides of a puzzle cube in the layout of shapes.cuboid: cells x cells stickers of two colours on black."""
    i, j = np.mgrid[0:cells, 0:cells] - (cells - 1) / 2
    patterns = ((i + j + cells) % 2 == 1, (abs(i) < 1) | (abs(j) < 1), np.maximum(abs(i), abs(j)) < (cells - 1) / 2)
    face = patterns[style % 3]
    size = 32
    y, x = np.mgrid[0:size, 0:size]
    edge = np.minimum(y * cells % size, x * cells % size) < 1.4 * cells
    tile = np.where(face[y * cells // size, x * cells // size][:, :, None], accent, base)
    tile[edge] = (0.05, 0.05, 0.06)
    sheet = plain((0.05, 0.05, 0.06), 128, 256)
    big = tile.repeat(3, axis=0).repeat(2, axis=1)
    for k in range(4):
        sheet[32:, 64 * k : 64 * (k + 1)] = big
    for k in range(2):
        sheet[:32, 128 * k : 128 * (k + 1)] = tile.repeat(4, axis=1)
    return finished(sheet)


def ribbon(base: RGB, accent: RGB, dots: bool) -> np.ndarray:
    """Gift paper with a ribbon crosswise, in the layout of shapes.cuboid."""
    sheet = plain(base, 128, 256)
    y, x = np.mgrid[0:128, 0:256]
    if dots:
        sheet[((x % 16 - 8) ** 2 + (y % 16 - 8) ** 2) < 7] = mixed(base, (1, 1, 1), 0.7)
    side_x = x % 64
    sheet[(y >= 32) & (np.abs(side_x - 32) < 6)] = accent
    top_x = x % 128
    sheet[(y < 32) & ((np.abs(top_x - 64) < 12) | (np.abs(y - 16) < 3))] = accent
    return finished(sheet)


def face(skin: RGB, dress: RGB, trim: RGB) -> np.ndarray:
    """A doll painted on a turned body: hair, face, apron with a flower; the front is the middle of the picture."""
    canvas = plain(dress, 96, 128)
    canvas[:34] = trim
    disc(canvas, (0.30, 0.16, 0.08), (0.5, 0.19), 0.155)
    disc(canvas, skin, (0.5, 0.205), 0.125)
    for side in (-1, 1):
        disc(canvas, (0.08, 0.06, 0.06), (0.5 + 0.035 * side, 0.19), 0.022)
        disc(canvas, (0.95, 0.55, 0.52), (0.5 + 0.06 * side, 0.25), 0.026)
    disc(canvas, (0.80, 0.10, 0.15), (0.5, 0.28), 0.02, aspect=1.8)
    disc(canvas, (0.95, 0.93, 0.88), (0.5, 0.68), 0.23)
    for angle in np.linspace(0, 2 * np.pi, 6)[:-1]:
        disc(canvas, trim, (0.5 + 0.07 * np.cos(angle), 0.68 + 0.095 * np.sin(angle)), 0.055)
    disc(canvas, (0.98, 0.82, 0.2), (0.5, 0.68), 0.05)
    band(canvas, mixed(dress, (0, 0, 0), 0.35), 0.35, 0.38)
    return finished(canvas)
