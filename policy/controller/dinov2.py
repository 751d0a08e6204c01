"""DINOv2: the towers of the paper, from a local file or folder, from the hub, or out of a published checkpoint."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from policy.controller.tower import IMAGENET_MEAN, IMAGENET_STD, Tower, TowerError, read_weights

PATCH = 14
GRID = 37  # of the position embedding that is released: pictures of 518 pixels
HEAD_WIDTH = 64  # of every DINOv2, whatever its size
_UNUSED = ("mask_token",)  # only the training of DINOv2 itself needs it
_CHUNKED = re.compile(r"^blocks\.\d+\.(\d+)\.")  # the official names where blocks are kept in chunks


@dataclass(frozen=True)
class Size:
    """One size of DINOv2: its name at the hub, width of a token, number of blocks."""

    hub: str
    width: int
    depth: int


VIT_S, VIT_B, VIT_L = (
    Size("timm/vit_small_patch14_dinov2.lvd142m", 384, 12),
    Size("timm/vit_base_patch14_dinov2.lvd142m", 768, 12),
    Size("timm/vit_large_patch14_dinov2.lvd142m", 1024, 24),
)


class DinoV2(Tower):
    """Patch tokens of DINOv2's last layer, normalised, without the class token."""

    cell = PATCH

    def __init__(self, network: VisionTransformer) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        self.network = network
        self.channels = network.num_features
        self.freeze()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in 0..1 -> (B, H / 14 * W / 14, channels)."""
        features = self.network.forward_features((images - self.mean) / self.std)
        return features[:, self.network.num_prefix_tokens :]


def blank(size: Size) -> DinoV2:
    """The tower of that size without trained weights."""
    return DinoV2(_network(size.width, size.depth, GRID))


def load(size: Size, weights: str | None) -> DinoV2:
    """The tower of that size with the weights of a file or folder, or of the hub. Raises TowerError."""
    path = _fetched(size) if weights is None else Path(weights)
    tower = from_state(read_weights(path, size.hub), str(path))
    if tower.channels != size.width:
        raise TowerError(f"{path} holds a network of width {tower.channels}; {size.hub} has {size.width}")
    return tower


def from_state(state: Mapping[str, Tensor], source: str) -> DinoV2:
    """The tower whose weights these are, under DINOv2's official names or timm's; its size follows from their shapes.

    Raises TowerError that names what is missing or what does not belong; `source` says in it where they come from.
    """
    named = {_CHUNKED.sub(r"blocks.\1.", name): value for name, value in state.items() if name not in _UNUSED}
    absent = [name for name in ("pos_embed", "patch_embed.proj.weight", "blocks.0.norm1.weight") if name not in named]
    if absent:
        raise TowerError(f"{source} holds no DINOv2: {', '.join(absent)} is missing")
    width, patches = named["pos_embed"].shape[-1], named["pos_embed"].shape[1] - 1
    depth = 1 + max(int(name.split(".")[1]) for name in named if name.startswith("blocks."))
    if math.isqrt(patches) ** 2 != patches or width % HEAD_WIDTH:
        raise TowerError(f"{source} holds no DINOv2: its position embedding is {tuple(named['pos_embed'].shape)}")
    with torch.device("meta"):
        network = _network(width, depth, math.isqrt(patches))
    try:
        missing, unexpected = network.load_state_dict(named, strict=False, assign=True)
    except RuntimeError as fault:
        raise TowerError(f"{source} does not fit a DINOv2 of width {width}: {fault}") from fault
    if missing or unexpected:
        words = [f"missing {', '.join(missing)}"] if missing else []
        words += [f"unknown {', '.join(unexpected)}"] if unexpected else []
        raise TowerError(f"{source} does not hold a DINOv2 of width {width} and {depth} blocks: {'; '.join(words)}")
    return DinoV2(network)


def _network(width: int, depth: int, grid: int) -> VisionTransformer:
    return VisionTransformer(
        img_size=grid * PATCH,
        patch_size=PATCH,
        embed_dim=width,
        depth=depth,
        num_heads=width // HEAD_WIDTH,
        init_values=1e-5,
        num_classes=0,
        global_pool="token",
        dynamic_img_size=True,
    )


def _fetched(size: Size) -> Path:
    try:
        return Path(hf_hub_download(size.hub, "model.safetensors"))
    except OSError as fault:
        raise TowerError(
            f"the weights of {size.hub} are not on this machine and cannot be fetched ({fault}). On a machine with a "
            f"network run `hf download {size.hub}`, and give the folder or its model.safetensors as its weights."
        ) from fault
