"""A trained controller with its towers, fed with pictures as they come from the cameras."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from envs import spec
from policy.controller.controller import Controller
from policy.controller.towers import Tower, get_tower
from policy.controller.views import mask_picture, observed, zoomed


class Predictor:
    """Pictures, mask and state to a chunk of actions. One predictor serves one attempt after the other.

    Args:
        weights: tower name -> file of its weights, for towers that do not come with a package.
    """

    def __init__(self, controller: Controller, weights: Mapping[str, str] | None = None, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.controller = controller.eval().to(self.device)
        self.config = controller.config
        given = dict(weights or {})
        names = {view.tower for view in self.config.views.values()}
        self.towers: dict[str, Tower] = {
            name: get_tower(name).make(given.get(name)).to(self.device) for name in sorted(names)
        }
        self._start: dict[str, Tensor] = {}

    def begin(self, head: np.ndarray, mask: np.ndarray) -> None:
        """An attempt begins: head (H, W, 3) uint8 RGB and the target's mask (H, W) uint8 in it."""
        self._start = self.start_inputs(head, mask)

    def predict(
        self, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray, seed: int
    ) -> np.ndarray:
        """A chunk (horizon, 13) float32 within the limits of the action space. `begin` comes first.

        head, wrist (H, W, 3) uint8 RGB; mask (H, W) uint8, 0 everywhere if the target is not seen; state (13,).
        """
        generator = torch.Generator().manual_seed(seed)
        inputs = {**self.inputs(head, wrist, mask, state), **self._start}
        chunk = self.controller.sample(inputs, generator)[0].cpu().numpy()
        return np.clip(chunk, spec.ACTION_LOW, spec.ACTION_HIGH)

    @torch.no_grad()
    def start_inputs(self, head: np.ndarray, mask: np.ndarray) -> dict[str, Tensor]:
        """What the controller keeps in mind of the first moment of an attempt, as a batch of one."""
        inputs: dict[str, Tensor] = {}
        if self.config.geometry:
            small = mask_picture(mask, self.config.head, antialias=self.config.antialias)
            inputs["start_mask"] = small[None].to(self.device)
        if self.config.target is not None:
            inputs["target"] = self.features("target", zoomed(head, mask, self.config.target)[None])
        return inputs

    @torch.no_grad()
    def inputs(self, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray) -> dict[str, Tensor]:
        """What the controller sees of one moment, as a batch of one."""
        head_view, wrist_view, mask_view = observed(self.config, head, wrist, mask)
        return {
            "head": self.features("head", head_view[None]),
            "wrist": self.features("wrist", wrist_view[None]),
            "mask": mask_view[None].to(self.device),
            "state": torch.as_tensor(state, dtype=torch.float32, device=self.device)[None],
        }

    @torch.no_grad()
    def features(self, view: str, pictures: Tensor) -> Tensor:
        """Tower features (B, N, channels) of pictures (B, 3, h, w) uint8 of the view called `view`."""
        tower = self.towers[self.config.views[view].tower]
        return tower(pictures.to(self.device).float() / 255.0)
