"""A controller of a few thousand parameters that has learned nothing, for tests of what stands around it."""

from pathlib import Path

import torch

from policy.controller.checkpoint import Origin, save
from policy.controller.controller import Controller
from tests.controller_factory import tiny

CONFIG = tiny(horizon=16, execute=6, depth=1, inference_steps=2)
DRIFT = [0.06] + [0.0] * 6 + [0.8] * 6  # from the measured arm, and of the hand: it runs into something in seconds
SWAY = [0.03] * 7 + [0.2] * 6


def write_tiny(path: Path, seed: int = 0) -> Path:
    """A checkpoint of random weights that `seed` decides; its chunks drift away from the measured joints."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        controller = Controller(CONFIG)
    middle, reach = torch.tensor(DRIFT), torch.tensor(SWAY)
    controller.actions.fit(middle - reach, middle + reach)
    save(path, controller, Origin(notes={"made": "for tests"}))
    return path
