"""A controller of a few thousand parameters that has learned nothing, for tests of what stands around it."""

from dataclasses import replace
from pathlib import Path

import torch

from policy.controller.checkpoint import Origin, save
from policy.controller.config import ControllerConfig, MaskNet, View, small
from policy.controller.controller import Controller

TOWER = "efficientnet_lite0"
DRIFT = [0.06] + [0.0] * 6 + [0.8] * 6  # from the measured arm, and of the hand: it runs into something in seconds
SWAY = [0.03] * 7 + [0.2] * 6


def tiny() -> ControllerConfig:
    """Every mechanism of `small`, with as little of it as works."""
    return replace(
        small(),
        name="tiny",
        head=View(TOWER, (64, 64)),
        wrist=View(TOWER, (32, 32)),
        target=View(TOWER, (32, 32)),
        mask=MaskNet(patch=32, width=16, depth=1, heads=2, feedforward=16, positions=True),
        horizon=16,
        execute=6,
        width=32,
        depth=1,
        heads=2,
        feedforward=32,
        state_hidden=16,
        time_channels=16,
        inference_steps=2,
    )


def write_tiny(path: Path, seed: int = 0) -> Path:
    """A checkpoint of random weights that `seed` decides; its chunks drift away from the measured joints."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        controller = Controller(tiny())
    middle, reach = torch.tensor(DRIFT), torch.tensor(SWAY)
    controller.actions.fit(middle - reach, middle + reach)
    save(path, controller, Origin(notes={"made": "for tests"}))
    return path
