"""Place and shape of a mask in a few numbers."""

import torch
from torch import Tensor

GEOMETRY = 11  # visible, centre x y, root of the area, spread xx yy xy, box x0 y0 x1 y1
VISIBLE_PIXELS = 4.0
_SPREAD_SCALE = 10.0


def mask_geometry(mask: Tensor) -> Tensor:
    """(B, 1, H, W) of 0 to 1 -> (B, GEOMETRY) float32; coordinates from -1 to 1 across the picture, zeros if hidden."""
    weights = mask[:, 0].float()
    height, width = weights.shape[1:]
    xs = torch.linspace(-1.0, 1.0, width, device=mask.device)
    ys = torch.linspace(-1.0, 1.0, height, device=mask.device)
    area = weights.sum((1, 2))
    visible = (area >= VISIBLE_PIXELS).float()
    total = area.clamp(min=1e-6)
    columns, rows = weights.sum(1), weights.sum(2)
    x, y = (columns @ xs) / total, (rows @ ys) / total
    xx = (columns @ xs.square()) / total - x.square()
    yy = (rows @ ys.square()) / total - y.square()
    xy = torch.einsum("bhw,h,w->b", weights, ys, xs) / total - x * y
    x0, x1 = _extent(columns, xs)
    y0, y1 = _extent(rows, ys)
    spread = [_SPREAD_SCALE * value for value in (xx, yy, xy)]
    values = torch.stack([torch.ones_like(x), x, y, (area / (height * width)).sqrt(), *spread, x0, y0, x1, y1], dim=-1)
    return values * visible[:, None]


def _extent(profile: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    inside = profile > 0.5
    low = torch.where(inside, places, 1.0).amin(1)
    high = torch.where(inside, places, -1.0).amax(1)
    return low, high
