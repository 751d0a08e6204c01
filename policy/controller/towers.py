"""The frozen visual towers by name.

The default on a machine without a download is EfficientNet-Lite0, whose weights come with a Python package; DINOv2
loads from a file, from a folder or from the hub.
"""

from collections.abc import Callable
from dataclasses import dataclass

from policy.controller import dinov2, lite0
from policy.controller.tower import Tower, TowerError, cells


@dataclass(frozen=True)
class TowerKind:
    """What is known of a tower without loading it.

    make(weights): the tower; None for the weights' usual place. blank(): the tower without weights, to be counted.
    """

    make: Callable[[str | None], Tower]
    blank: Callable[[], Tower]
    channels: int
    cell: int

    def tokens(self, size: tuple[int, int]) -> int:
        """Number of tokens of a picture of `size` (width, height). Raises TowerError if the cells do not fill it."""
        return cells(size, self.cell)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the tokens of a picture of `size` (width, height)."""
        return size[1] // self.cell, size[0] // self.cell


def _dino(size: dinov2.Size) -> TowerKind:
    return TowerKind(
        lambda weights: dinov2.load(size, weights), lambda: dinov2.blank(size), size.width, dinov2.DinoV2.cell
    )


TOWERS: dict[str, TowerKind] = {
    "efficientnet_lite0": TowerKind(lite0.load, lite0.blank, 448, lite0.EfficientNetLite0.cell),
    "dinov2_vits14": _dino(dinov2.VIT_S),
    "dinov2_vitb14": _dino(dinov2.VIT_B),
    "dinov2_vitl14": _dino(dinov2.VIT_L),
}


def get_tower(name: str) -> TowerKind:
    """What is known of the tower called `name`. Raises TowerError listing the choices."""
    if name not in TOWERS:
        raise TowerError(f"unknown tower {name!r}; choose from: {', '.join(sorted(TOWERS))}")
    return TOWERS[name]
