"""Colour jitter of pictures while training: brightness, contrast, saturation and hue, in a drawn order."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from policy.controller.config import BATCH, SAMPLES, ConfigError

_STEPS = (
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
)
_HUE = 3


def jittered(
    images: Tensor, strengths: tuple[float, float, float, float], generator: torch.Generator, *, per: str = SAMPLES
) -> Tensor:
    """(B, 3, H, W) RGB, uint8 or float in 0..1 -> the same shape and type. Draw head and wrist in calls of their own.

    strengths: greatest change of brightness, contrast and saturation as a factor, of hue in turns; 0 leaves one alone.
    generator: on the CPU. per: SAMPLES, each with a draw of its own, or BATCH, one draw for all, as published. Raises
    ConfigError for another word.
    """
    if per not in (BATCH, SAMPLES):
        raise ConfigError(f"per is {BATCH} or {SAMPLES}, not {per!r}")
    if per == BATCH:
        return _changed(images, strengths, generator)
    return torch.cat([_changed(image[None], strengths, generator) for image in images]) if len(images) else images


def _changed(images: Tensor, strengths: tuple[float, float, float, float], generator: torch.Generator) -> Tensor:
    draws = torch.rand(len(strengths), generator=generator).mul(2.0).sub(1.0).tolist()
    for k in torch.randperm(len(strengths), generator=generator).tolist():
        if strengths[k] > 0.0:
            change = draws[k] * strengths[k]
            images = _STEPS[k](images, change if k == _HUE else 1.0 + change)
    return images
