"""From the cameras' pictures to what towers and mask transformer see: crop, resize, zoom."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from policy.controller.config import ControllerConfig, View

ZOOM = 1.6  # side of the zoomed square, of the longer side of the mask's box
LEAST_ZOOM = 0.1  # of the picture's width: a tiny object is not blown up beyond its pixels


def picture(image: np.ndarray, view: View, *, antialias: bool) -> Tensor:
    """(H, W, 3) uint8 RGB -> (3, h, w) uint8 as the view's tower sees it."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _pixels(view.crop, width, height)
    return _resized(image[y0:y1, x0:x1], view.size, antialias=antialias)


def mask_picture(mask: np.ndarray, view: View, *, antialias: bool) -> Tensor:
    """(H, W) uint8 of 0 and 1 -> (1, h, w) float32 of 0 to 1, cropped as the head view is."""
    height, width = mask.shape
    x0, y0, x1, y1 = _pixels(view.crop, width, height)
    small = torch.from_numpy(np.ascontiguousarray(mask[y0:y1, x0:x1])).float()[None, None]
    size = (view.size[1], view.size[0])
    if antialias:
        return functional.interpolate(small, size, mode="bilinear", antialias=True)[0]
    return (functional.interpolate(small, size, mode="nearest")[0] > 0.5).float()


def zoomed(image: np.ndarray, mask: np.ndarray, view: View) -> Tensor:
    """(3, h, w) uint8: a square around the mask, out of the whole picture; the picture's middle if nothing is seen."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows):
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    else:
        y0, y1, x0, x1 = 0, height, 0, width
    side = min(int(max(ZOOM * max(y1 - y0, x1 - x0), LEAST_ZOOM * width)), height, width)
    left = int(np.clip((x0 + x1 - side) // 2, 0, width - side))
    top = int(np.clip((y0 + y1 - side) // 2, 0, height - side))
    return _resized(image[top : top + side, left : left + side], view.size, antialias=True)


def observed(
    config: ControllerConfig, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray
) -> tuple[Tensor, Tensor, Tensor]:
    """Head (3, h, w) uint8, wrist (3, h, w) uint8 and mask (1, h, w) float32 as the controller sees them."""
    return (
        picture(head, config.head, antialias=config.antialias),
        picture(wrist, config.wrist, antialias=config.antialias),
        mask_picture(mask, config.head, antialias=config.antialias),
    )


def _pixels(crop: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    return round(crop[0] * width), round(crop[1] * height), round(crop[2] * width), round(crop[3] * height)


def _resized(image: np.ndarray, size: tuple[int, int], *, antialias: bool) -> Tensor:
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    if antialias:
        return functional.interpolate(planes, (size[1], size[0]), mode="bilinear", antialias=True)[0]
    small = functional.interpolate(planes.float(), (size[1], size[0]), mode="bilinear", align_corners=False)[0]
    return small.round().to(torch.uint8)
