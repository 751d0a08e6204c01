"""Pictures for people: masks outlined and laid over, joint curves, and one frame that shows a moment of it all."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datagen.search import PHASES
from envs import spec

MASK_COLOUR = (255, 64, 160)  # like nothing on the table
SHARE = 0.45  # of the mask's colour where it is laid over
PAPER, INK, SOFT, GRID = (250, 251, 252), (28, 33, 40), (93, 102, 114), (217, 222, 229)
ACTION_COLOUR, STATE_COLOUR, CURSOR_COLOUR = (31, 111, 235), (216, 110, 20), (200, 30, 60)
PHASE_COLOURS = ((232, 240, 254), (226, 245, 236), (255, 243, 220), (240, 232, 250))
CURVE_COLUMNS = 2
PLOT_HEIGHT, GAP, HEADER = 58, 6, 24  # px at scale 1
SHEET_COLOURS = 96


def outline(mask: np.ndarray, width: int = 1) -> np.ndarray:
    """(H, W) bool: the line of `width` pixels around a mask (H, W), outside of it."""
    grown = inside = mask.astype(bool)
    for _ in range(width):
        grown = _grown(grown)
    return grown & ~inside


def overlaid(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 copy of a picture with the mask (H, W) laid over in colour, and outlined."""
    inside = mask.astype(bool)
    drawn = picture.copy()
    drawn[inside] = (picture[inside] * (1 - SHARE) + np.array(MASK_COLOUR) * SHARE).astype(np.uint8)
    drawn[outline(mask)] = MASK_COLOUR
    return drawn


def resized(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture (H, W, 3) at another width, proportions kept."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def shrunk(mask: np.ndarray, width: int) -> np.ndarray:
    """The mask (H, W) at another width, proportions kept."""
    height = max(1, round(mask.shape[0] * width / mask.shape[1]))
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST))


def data_address(picture: np.ndarray, line: np.ndarray | None = None) -> str:
    """A small PNG of a picture (H, W, 3), as an address that a page can hold. line: (H, W) bool, drawn on top."""
    small = Image.fromarray(picture).quantize(SHEET_COLOURS)
    if line is not None and line.any():
        # A colour of its own: a line a pixel wide would not be given one by the quantisation.
        palette = small.getpalette()[: 3 * SHEET_COLOURS]
        indices = np.asarray(small).copy()
        indices[line] = SHEET_COLOURS
        small = Image.fromarray(indices)
        small.putpalette(palette + [0] * (3 * SHEET_COLOURS - len(palette)) + list(MASK_COLOUR))
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


class Curves:
    """Action and state of all 13 joints over time, on bands that show the phases. Drawn once, then marked per step."""

    def __init__(self, actions: np.ndarray, state: np.ndarray, phases: np.ndarray, width: int, scale: int = 1) -> None:
        self._scale, self._steps = scale, len(actions)
        rows = -(-(spec.ACTION_DIM) // CURVE_COLUMNS)
        height = HEADER + rows * (PLOT_HEIGHT + GAP)
        self._image = Image.new("RGB", (width * scale, height * scale), PAPER)
        draw = ImageDraw.Draw(self._image)
        each = (width - GAP * (CURVE_COLUMNS + 1)) // CURVE_COLUMNS
        self._plots = []
        for joint, name in enumerate(spec.ACTION_NAMES):
            column, row = divmod(joint, rows)
            left, top = GAP + column * (each + GAP), HEADER + row * (PLOT_HEIGHT + GAP)
            plot = tuple(v * scale for v in (left, top, left + each, top + PLOT_HEIGHT))
            self._plots.append(plot)
            self._draw(draw, plot, name, actions[:, joint], state[:, joint], phases)
        self._header(draw, phases)

    def at(self, step: int) -> np.ndarray:
        """(H, W, 3) uint8: the curves with a line at a step."""
        image = self._image.copy()
        draw = ImageDraw.Draw(image)
        for left, top, right, bottom in self._plots:
            x = left + (right - left) * step / max(self._steps - 1, 1)
            draw.line([(x, top), (x, bottom)], fill=CURSOR_COLOUR, width=max(1, self._scale))
        return np.asarray(image)

    def _draw(
        self,
        draw: ImageDraw.ImageDraw,
        plot: tuple[int, ...],
        name: str,
        asked: np.ndarray,
        shown: np.ndarray,
        phases: np.ndarray,
    ) -> None:
        left, top, right, bottom = plot
        xs = left + (right - left) * np.arange(self._steps) / max(self._steps - 1, 1)
        for first, last, phase in phase_spans(phases):
            end = xs[min(last + 1, self._steps - 1)]
            if phase in range(len(PHASES)):
                draw.rectangle([xs[first], top, end, bottom], fill=PHASE_COLOURS[phase])
        low, high = float(min(asked.min(), shown.min())), float(max(asked.max(), shown.max()))
        room = max(high - low, 0.02) * 0.12
        low, high = low - room, high + room
        pad = 14 * self._scale  # the name stands above the curves

        def points(values: np.ndarray) -> list[tuple[float, float]]:
            ys = bottom - (bottom - top - pad) * (values - low) / (high - low)
            return list(zip(xs.tolist(), ys.tolist(), strict=True))

        draw.line(points(asked), fill=ACTION_COLOUR, width=self._scale)
        draw.line(points(shown), fill=STATE_COLOUR, width=self._scale)
        draw.rectangle(plot, outline=GRID)
        font = _font(11 * self._scale)
        draw.text((left + 4 * self._scale, top + self._scale), name, fill=INK, font=font)
        words = f"{low + room:.2f} to {high - room:.2f}"
        draw.text((right - 4 * self._scale, top + self._scale), words, fill=SOFT, font=font, anchor="ra")

    def _header(self, draw: ImageDraw.ImageDraw, phases: np.ndarray) -> None:
        font, x, y = _font(12 * self._scale), GAP * self._scale, 5 * self._scale
        for words, colour in (("action", ACTION_COLOUR), ("state", STATE_COLOUR)):
            draw.text((x, y), words, fill=colour, font=font)
            x += draw.textlength(words, font=font) + 10 * self._scale
        for phase in sorted(set(phases.tolist()) & set(range(len(PHASES)))):
            size = draw.textlength(PHASES[phase], font=font)
            box = [x, y - self._scale, x + size + 8 * self._scale, y + 15 * self._scale]
            draw.rectangle(box, fill=PHASE_COLOURS[phase], outline=GRID)
            draw.text((x + 4 * self._scale, y), PHASES[phase], fill=INK, font=font)
            x += size + 14 * self._scale


def phase_spans(phases: np.ndarray) -> list[tuple[int, int, int]]:
    """(first step, last step, phase) of each run of equal phases."""
    starts = np.flatnonzero(np.diff(phases, prepend=phases[0] - 1))
    ends = [*(starts[1:] - 1), len(phases) - 1]
    return [(int(a), int(b), int(phases[a])) for a, b in zip(starts, ends, strict=True)]


def mosaic(pictures: Sequence[np.ndarray], curves: np.ndarray, caption: str, width: int) -> np.ndarray:
    """One (H, W, 3) uint8 film frame: three pictures beside each other, curves below, words under it; sides even."""
    row = np.concatenate([resized(p, width // len(pictures)) for p in pictures], axis=1)
    strip = Image.new("RGB", (row.shape[1], 30), INK)
    ImageDraw.Draw(strip).text((10, 6), caption, fill=PAPER, font=_font(15))
    frame = np.full((row.shape[0] + curves.shape[0] + 30, row.shape[1], 3), PAPER, np.uint8)
    frame[: row.shape[0]] = row
    frame[row.shape[0] : row.shape[0] + 30] = np.asarray(strip)
    below = curves[:, : row.shape[1]]
    frame[row.shape[0] + 30 :, : below.shape[1]] = below
    return frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2]


def _grown(mask: np.ndarray) -> np.ndarray:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
