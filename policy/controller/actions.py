"""Between actions as the environment takes them and the numbers, about -1 to 1, in which chunks are denoised."""

import torch
from torch import Tensor, nn

from envs import spec
from policy.controller.config import RELATIVE

RANGE_EPS = 1e-4  # a dimension that moves less is centred and not scaled, as published


class ActionSpace(nn.Module):
    """Limits normaliser, after arm targets were taken relative to the measured joints where that is asked for.

    Buffers scale and offset (13,): normalised = value * scale + offset.
    """

    def __init__(self, arm: str) -> None:
        super().__init__()
        self.relative = arm == RELATIVE
        self.register_buffer("scale", torch.ones(spec.ACTION_DIM))
        self.register_buffer("offset", torch.zeros(spec.ACTION_DIM))

    def fit(self, low: Tensor, high: Tensor) -> None:
        """Map [low, high] (13,) of `represented` actions to [-1, 1]."""
        flat = (high - low) < RANGE_EPS
        span = torch.where(flat, torch.full_like(low, 2.0), high - low)
        self.scale.copy_(2.0 / span)
        self.offset.copy_(-(low + high) / span)

    def represented(self, actions: Tensor, state: Tensor) -> Tensor:
        """actions (B, T, 13), state (B, 13) -> (B, T, 13), the arm relative to the state where that is configured."""
        if not self.relative:
            return actions
        return torch.cat([actions[..., spec.ARM] - state[:, None, spec.ARM], actions[..., spec.HAND]], dim=-1)

    def normalised(self, actions: Tensor, state: Tensor) -> Tensor:
        """actions (B, T, 13) of the environment, measured state (B, 13) -> (B, T, 13), about -1 to 1."""
        return self.represented(actions, state) * self.scale + self.offset

    def restored(self, normalised: Tensor, state: Tensor) -> Tensor:
        """The inverse of `normalised`."""
        values = (normalised - self.offset) / self.scale
        if not self.relative:
            return values
        return torch.cat([values[..., spec.ARM] + state[:, None, spec.ARM], values[..., spec.HAND]], dim=-1)
