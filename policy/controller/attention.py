"""Where the denoiser looks: its cross-attention as one picture for each view and each action of a chunk."""

from dataclasses import dataclass

from torch import Tensor

from policy.controller.config import ControllerConfig
from policy.controller.towers import get_tower


class WeightSum:
    """A sink for the attention weights of a chunk that keeps nothing but their sum over steps, layers and heads."""

    def __init__(self) -> None:
        self.total: Tensor | None = None

    def append(self, piece: Tensor) -> None:
        """Take weights (B, heads, T, M) of one block at one step."""
        summed = piece.float().sum(dim=1)
        self.total = summed if self.total is None else self.total + summed


@dataclass(frozen=True, eq=False)
class Attention:
    """Cross-attention of a chunk, summed over denoising steps, layers and heads.

    maps: view -> (B, horizon, rows, columns), where in that view each action looks; each sums to 1. shares: part of the
    condition (views, geometry, state, goal, time) -> (B, horizon), how much of all attention it gets; together 1.
    """

    maps: dict[str, Tensor]
    shares: dict[str, Tensor]

    def over_actions(self) -> dict[str, Tensor]:
        """View -> (B, rows, columns), summed over the actions of the chunk and scaled to 1: the map of the paper."""
        return {name: maps.sum(1) / maps.sum((1, 2, 3)).view(-1, 1, 1) for name, maps in self.weighted().items()}

    def weighted(self) -> dict[str, Tensor]:
        """The maps times the share of their view: (B, horizon, rows, columns), comparable between views."""
        return {name: maps * self.shares[name][..., None, None] for name, maps in self.maps.items()}


def attention_of(config: ControllerConfig, layout: dict[str, slice], weights: Tensor) -> Attention:
    """Maps and shares out of summed weights (B, horizon, M), whose columns are as in `Controller.layout`."""
    weights = weights / weights.sum(dim=-1, keepdim=True)
    shares = {name: weights[..., part].sum(dim=-1) for name, part in layout.items()}
    maps = {}
    for name, view in config.views.items():
        rows, columns = get_tower(view.tower).grid(view.size)
        of_view = weights[..., layout[name]] / shares[name][..., None].clamp(min=1e-12)
        maps[name] = of_view.unflatten(-1, (rows, columns))
    return Attention(maps, shares)
