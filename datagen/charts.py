"""Small charts as SVG text, drawn in the page's own colours (CSS variables --ink, --soft, --line, --accent, --good)."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

Range = tuple[float, float]
BAR_WIDTH, BAR_HEIGHT = 300, 120  # px of a histogram, axis included
MARGIN = 18  # px below a histogram, for its axis
PX_PER_M = 1000.0  # of the map
POINT_PX, MAP_TEXT_PX = 3, 15


def histogram(
    counts: Sequence[int], span: Range, label: str, width: int = BAR_WIDTH, height: int = BAR_HEIGHT
) -> Markup:
    """Bars of equal width over `span`, with the two ends and the largest count written to it."""
    top, floor = max([*counts, 1]), height - MARGIN
    step = width / max(len(counts), 1)
    bars = [
        f'<rect x="{i * step:.2f}" y="{floor - (floor - 14) * count / top:.2f}" width="{max(step - 0.6, 0.6):.2f}" '
        f'height="{(floor - 14) * count / top:.2f}" fill="var(--accent)"/>'
        for i, count in enumerate(counts)
        if count
    ]
    low, high = (f"{value:.4g}" for value in span)
    return _svg(
        width,
        height,
        label,
        [
            *bars,
            f'<line x1="0" y1="{floor}" x2="{width}" y2="{floor}" stroke="var(--line)"/>',
            _text(0, height - 4, low),
            _text(width, height - 4, high, "end"),
            _text(width, 10, f"most {top}", "end"),
        ],
    )


def table_map(
    points: np.ndarray, shown_x: Range, shown_y: Range, spawn: tuple[Range, Range], cells: np.ndarray, cell_m: float
) -> Markup:
    """A part of the table from above, the robot below, its left at the left: where targets stood.

    points: (N, 2) x y in world, m. spawn: (x range, y range) of targets; cells: (NX, NY) counts over it.
    """
    width = (shown_y[1] - shown_y[0]) * PX_PER_M
    depth = (shown_x[1] - shown_x[0]) * PX_PER_M

    def at(x: float, y: float) -> tuple[float, float]:
        return (shown_y[1] - y) * PX_PER_M, (shown_x[1] - x) * PX_PER_M

    def box(x: Range, y: Range, style: str) -> str:
        (left, top), (right, bottom) = at(x[1], y[1]), at(x[0], y[0])
        size = f'width="{right - left:.1f}" height="{bottom - top:.1f}"'
        return f'<rect x="{left:.1f}" y="{top:.1f}" {size} {style}/>'

    parts = [box(shown_x, shown_y, 'fill="var(--card)" stroke="var(--line)" stroke-width="2"')]
    most = max(int(cells.max(initial=0)), 1)
    for (i, j), count in np.ndenumerate(cells):
        if count:
            x, y = spawn[0][0] + i * cell_m, spawn[1][0] + j * cell_m
            shade = f'fill="var(--accent)" fill-opacity="{0.08 + 0.42 * count / most:.2f}"'
            parts.append(box((x, min(x + cell_m, spawn[0][1])), (y, min(y + cell_m, spawn[1][1])), shade))
    parts.append(box(*spawn, 'fill="none" stroke="var(--soft)" stroke-width="2" stroke-dasharray="8 6"'))
    for x, y in points:
        cx, cy = at(x, y)
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{POINT_PX}" fill="var(--good)" fill-opacity="0.8"/>')
    for y in spawn[1]:
        parts.append(_text(at(0, y)[0], at(spawn[0][0], 0)[1] + 20, f"y {y:g} m", "middle", MAP_TEXT_PX))
    for x in spawn[0]:
        parts.append(_text(at(0, spawn[1][0])[0] + 8, at(x, 0)[1] + 5, f"x {x:g}", "start", MAP_TEXT_PX))
    parts.append(_text(width / 2, depth + 22, "robot", "middle", MAP_TEXT_PX))
    parts.append(_text(0, depth + 22, "left", "start", MAP_TEXT_PX))
    parts.append(_text(width, depth + 22, "right", "end", MAP_TEXT_PX))
    return _svg(width, depth + 30, f"where {len(points)} targets stood on the table", parts)


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 11) -> str:
    style = f'font-size="{size}" text-anchor="{anchor}" fill="var(--soft)"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + f"<title>{escape(label)}</title>" + "".join(parts) + "</svg>")
