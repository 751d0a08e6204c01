"""Towers that work while training, for pictures whose features would not fit on a disk, as those of `paper`."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from datagen.windows import WindowReader
from envs import spec
from policy.controller.config import ControllerConfig
from policy.controller.jitter import jittered
from policy.controller.tower import Tower
from policy.controller.views import observed, zoomed
from policy.training.features import Plan

_STARTS_KEPT = 256
_JITTER = 8  # what the random numbers are for; see the streams of `WindowSet`


class PictureStore:
    """The windows of a plan like a `FeatureStore`, but with pictures (3, h, w) uint8 in the place of features."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.demos = np.concatenate([np.full(len(steps), k) for k, steps in enumerate(plan.starts)])
        self.steps = np.concatenate(plan.starts)
        self._reader = WindowReader(plan.path, images=(spec.HEAD, spec.WRIST, "mask"))
        self._start = lru_cache(_STARTS_KEPT)(self._first)

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, window: int, view: int) -> dict[str, np.ndarray]:
        """What is seen at a window: pictures uint8, masks (1, h, w) uint8 of 0 and 1. view: unused, colours change
        later.
        """
        del view
        demo = int(self.demos[window])
        images = self._reader[self.plan.tracks[demo].first + int(self.steps[window])].images
        head, wrist, mask = observed(self.plan.config, images[spec.HEAD], images[spec.WRIST], images["mask"])
        return {"head": head.numpy(), "wrist": wrist.numpy(), "mask": _bits(mask), **self._start(demo)}

    def _first(self, demo: int) -> dict[str, np.ndarray]:
        config = self.plan.config
        if config.target is None and not config.geometry:
            return {}
        images = self._reader[self.plan.tracks[demo].first].images
        found = {}
        if config.geometry:
            small = observed(config, images[spec.HEAD], images[spec.WRIST], images["mask"])[2]
            found["start_mask"] = _bits(small)
        if config.target is not None:
            found["target"] = zoomed(images[spec.HEAD], images["mask"], config.target).numpy()
        return found


class Eyes:
    """Turns the pictures of a batch into features. Without jitter where none is asked for, as in validation."""

    def __init__(self, config: ControllerConfig, towers: Mapping[str, Tower], *, jitter: bool, precision: str) -> None:
        self.config, self.towers, self.jitter = config, dict(towers), jitter
        self.half = precision == "bf16"

    @torch.no_grad()
    def see(self, inputs: Mapping[str, Tensor], words: tuple[int, ...]) -> dict[str, Tensor]:
        """Inputs whose pictures became features (B, N, channels). words: what the draws of the colours hang on."""
        found = dict(inputs)
        for number, (name, view) in enumerate(self.config.views.items()):
            images = inputs[name].float() / 255.0
            if self.jitter:
                seed = int(np.random.SeedSequence([*words, _JITTER, number]).generate_state(1)[0])
                generator = torch.Generator().manual_seed(seed)
                images = jittered(images, self.config.jitter, generator, per=self.config.jitter_per)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=self.half):
                found[name] = self.towers[view.tower](images).float()
        return found


def _bits(mask: Tensor) -> np.ndarray:
    return (mask > 0.5).to(torch.uint8).numpy()
