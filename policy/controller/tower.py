"""What every frozen visual tower is: pictures to patch tokens, with weights that never change."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from envs.interface import DexClutterError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class TowerError(DexClutterError):
    """A tower whose weights are missing or do not fit; the message says what to fetch."""


class Tower(nn.Module):
    """A frozen network: (B, 3, H, W) float RGB in 0..1 -> tokens (B, N, channels), row by row from the upper left.

    channels: width of a token; cell: pixels of the picture that a token covers, in width and in height.
    """

    channels: int
    cell: int

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def freeze(self) -> None:
        """No gradients, no training mode. To be called at the end of a constructor."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Tower":
        """Always in evaluation mode, whatever is asked for: it is frozen."""
        del mode
        return super().train(False)

    def tokens(self, size: tuple[int, int]) -> int:
        """Number of tokens of a picture of `size` (width, height). Raises TowerError if the cells do not fill it."""
        return cells(size, self.cell)

    def digest(self) -> str:
        """A fingerprint of the weights, for caches that must not outlive them."""
        summary = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            summary.update(name.encode())
            summary.update(value.detach().cpu().contiguous().numpy().tobytes())
        return summary.hexdigest()[:16]


def cells(size: tuple[int, int], cell: int) -> int:
    """Cells of `cell` pixels in a picture of `size` (width, height). Raises TowerError if they do not fill it."""
    if size[0] % cell or size[1] % cell:
        raise TowerError(f"a picture of {size[0]}x{size[1]} is not a multiple of {cell} pixels each way")
    return (size[0] // cell) * (size[1] // cell)


def read_weights(path: Path, model: str) -> Mapping[str, Tensor]:
    """Weights out of a .safetensors file, a file of torch that holds tensors alone, or a folder with one of the hub's.

    Raises TowerError for whatever is none, or a damaged one; `model` is what should lie there.
    """
    if path.is_dir():
        path = next((path / name for name in _WEIGHT_FILES if (path / name).exists()), path / _WEIGHT_FILES[0])
    if not path.is_file():
        raise TowerError(f"{path} does not exist; it should hold the weights of {model}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as fault:
        raise TowerError(f"{path} does not hold the weights of {model}, or is damaged ({fault})") from fault
    except Exception as fault:  # torch.load raises what pickle makes of a damaged file: anything
        raise TowerError(f"{path} is no file of weights that torch reads safely ({fault})") from fault
