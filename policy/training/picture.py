"""True and foretold chunks as one picture: a row for each window, a panel for each group of joints."""

import numpy as np
from PIL import Image, ImageDraw

from envs import spec
from policy.training.validation import PHASES, Foretold

PANEL = (150, 90)  # width and height of the panel of one joint, in pixels
_MARGIN = 16
_TRUE, _FORETOLD, _FRAME, _INK = (30, 30, 30), (214, 70, 30), (205, 205, 205), (90, 90, 90)


def chunks_picture(found: Foretold, rows: int = 4) -> np.ndarray:
    """(H, W, 3) uint8: `rows` windows of different phases, one panel for each of the 13 numbers; black is true."""
    picked = _spread(found.phase, rows)
    size = (PANEL[0] * spec.ACTION_DIM, (PANEL[1] + _MARGIN) * len(picked))
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row, window in enumerate(picked):
        top = row * (PANEL[1] + _MARGIN) + _MARGIN
        phase = int(found.phase[window])
        name = PHASES[phase] if phase >= 0 else "unknown phase"
        draw.text((3, top - _MARGIN + 2), f"{name}: black is true, red foretold", fill=_INK)
        real = int((~found.padded[window]).sum())
        for joint, label in enumerate(spec.ACTION_NAMES):
            lines = [(found.true[window, :real, joint], _TRUE), (found.sampled[window, :real, joint], _FORETOLD)]
            _panel(draw, (joint * PANEL[0], top), label, lines)
    return np.asarray(image)


def _panel(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], label: str, lines: list[tuple[np.ndarray, tuple]]
) -> None:
    left, top = corner
    right, bottom = left + PANEL[0] - 4, top + PANEL[1] - 4
    draw.rectangle((left, top, right, bottom), outline=_FRAME)
    values = np.concatenate([line for line, _ in lines])
    low, high = float(values.min()), float(values.max())
    middle, span = (low + high) / 2, max(high - low, 0.05)
    for line, colour in lines:
        xs = np.linspace(left + 3, right - 3, max(len(line), 2))[: len(line)]
        ys = (top + bottom) / 2 - (line - middle) / span * (PANEL[1] - 34)
        points = list(zip(xs.tolist(), ys.tolist(), strict=True))
        draw.line(points, fill=colour, width=1)
    draw.text((left + 3, top + 1), f"{label} {low:.2f}..{high:.2f}", fill=_INK)


def _spread(phases: np.ndarray, rows: int) -> list[int]:
    """Windows of as many different phases as there are, and then any."""
    firsts = [int(np.flatnonzero(phases == p)[len(np.flatnonzero(phases == p)) // 2]) for p in np.unique(phases)]
    rest = [k for k in range(len(phases)) if k not in firsts]
    return (firsts + rest)[:rows]
