"""The part of the head picture that matters, on a canvas of the same size so that pixel coordinates stay valid."""

import numpy as np

# Shares (x0, y0, x1, y1) of width and height. The published station crops columns 40-90 % and rows 0-60 %; the head
# camera of this station also shows targets further to the left, which that window would cut off.
PUBLISHED_WINDOW = (0.40, 0.0, 0.90, 0.60)
STATION_WINDOW = (0.25, 0.0, 0.95, 0.62)
WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)

Window = tuple[float, float, float, float]


def crop(head: np.ndarray, window: Window = STATION_WINDOW) -> np.ndarray:
    """A copy of the (H, W, 3) uint8 picture with everything outside the window painted white."""
    height, width = head.shape[:2]
    columns = slice(round(window[0] * width), round(window[2] * width))
    rows = slice(round(window[1] * height), round(window[3] * height))
    canvas = np.full_like(head, 255)
    canvas[rows, columns] = head[rows, columns]
    return canvas
