"""Learning rate, decay of the averaged weights and weight decay as functions, so that nothing of them needs saving."""

import math

import torch
from torch import Tensor, nn

BETAS = (0.95, 0.999)
WEIGHT_DECAY = 1e-4
CLIP = 0.5
EMA_POWER, EMA_MOST = 0.75, 0.9999


def learning_rate(base: float, update: int, warmup: int, updates: int) -> float:
    """Rate of update number `update` (from 0): a straight rise over `warmup` updates, then half a cosine to zero."""
    if update < warmup:
        return base * (update + 1) / warmup
    share = (update - warmup) / max(1, updates - warmup)
    return base * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))


def ema_decay(update: int) -> float:
    """How much of the averaged weights stays at update number `update` (from 0)."""
    return min(EMA_MOST, 1.0 - (1.0 + update) ** -EMA_POWER)


def optimiser(model: nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW, fused; weight decay on matrices alone."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True)


@torch.no_grad()
def average(averaged: dict[str, Tensor], model: nn.Module, update: int) -> None:
    """Move the averaged weights towards those of the model, in place; what is no parameter is copied."""
    kept = ema_decay(update)
    parameters = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        if name in parameters:
            averaged[name].lerp_(value, 1.0 - kept)
        else:
            averaged[name].copy_(value)
