"""Tiny controllers and made-up inputs for the tests of policy.controller."""

from dataclasses import replace

import numpy as np
import torch

from policy.controller.config import ControllerConfig, MaskNet, View, small
from policy.controller.controller import Controller
from policy.controller.towers import get_tower


def tiny(**changes) -> ControllerConfig:
    """`small` with every mechanism of it, shrunk until a step takes milliseconds."""
    values = {
        "name": "tiny",
        "head": View("efficientnet_lite0", (96, 64), crop=(0.1, 0.0, 1.0, 0.8)),
        "wrist": View("efficientnet_lite0", (64, 64)),
        "target": View("efficientnet_lite0", (32, 32)),
        "mask": MaskNet(patch=32, width=16, depth=1, heads=2, feedforward=16, positions=True),
        "horizon": 8,
        "execute": 3,
        "width": 32,
        "depth": 2,
        "heads": 2,
        "feedforward": 32,
        "state_hidden": 16,
        "time_channels": 16,
        "inference_steps": 4,
    }
    return replace(small(), **{**values, **changes})


def made(config: ControllerConfig, seed: int = 0) -> Controller:
    """A controller with weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Controller(config)


def inputs(config: ControllerConfig, batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Made-up features, masks and states."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, view in config.views.items():
        tower = get_tower(view.tower)
        found[name] = torch.randn(batch, tower.tokens(view.size), tower.channels, generator=generator)
    width, height = config.head.size
    for name in ("mask", "start_mask"):
        found[name] = (torch.rand(batch, 1, height, width, generator=generator) > 0.7).float()
    found["state"] = torch.rand(batch, config.action_dim, generator=generator) - 0.5
    return found


def batch_of(config: ControllerConfig, batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Made-up wanted chunks, the last two actions of each padded."""
    generator = torch.Generator().manual_seed(seed + 100)
    padded = torch.zeros(batch, config.horizon, dtype=torch.bool)
    padded[:, -2:] = True
    return {
        "actions": torch.rand(batch, config.horizon, config.action_dim, generator=generator) * 2 - 1,
        "padded": padded,
        "goal": torch.rand(batch, config.action_dim, generator=generator),
        "phase": torch.arange(batch) % 5 - 1,
    }


def pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Head and wrist (480, 640, 3) uint8, mask (480, 640) uint8, state (13,)."""
    rng = np.random.default_rng(seed)
    head, wrist = rng.integers(0, 256, (2, 480, 640, 3), dtype=np.uint8)
    mask = np.zeros((480, 640), np.uint8)
    mask[100:180, 300:420] = 1
    return head, wrist, mask, rng.uniform(-0.5, 0.5, 13).astype(np.float32)
