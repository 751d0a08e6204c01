"""A trained controller with its towers, fed with pictures as they come from the cameras."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from envs import spec
from envs.interface import DexClutterError
from policy.controller.attention import Attention, WeightSum, attention_of
from policy.controller.controller import Controller
from policy.controller.tower import Tower
from policy.controller.towers import get_tower
from policy.controller.views import mask_picture, observed, zoomed

FLOAT32, BFLOAT16 = "float32", "bfloat16"


class PredictorError(DexClutterError, ValueError):
    """Something that no chunk of actions can be made of, or that is none."""


class Predictor:
    """Pictures, mask and state to a chunk of actions. One predictor serves one attempt after the other.

    Args:
        weights: tower name -> file of its weights, for towers that do not come with a package.
        towers: name of a view -> its tower, ready made, instead of the ones that the configuration names.
        precision: FLOAT32, or BFLOAT16 for the large products (worth it on a GPU and for `paper`; not for `small`).
        compiled: whether torch.compile works on towers and denoiser; needs a C++ compiler and a minute at the first
            chunk.
    """

    def __init__(
        self,
        controller: Controller,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        towers: Mapping[str, Tower] | None = None,
        precision: str = FLOAT32,
        compiled: bool = False,
    ) -> None:
        """Raises TowerError for weights that are missing, PredictorError for an unknown precision."""
        if precision not in (FLOAT32, BFLOAT16):
            raise PredictorError(f"precision is {FLOAT32} or {BFLOAT16}, not {precision!r}")
        self.device = torch.device(device)
        self.controller = controller.eval().to(self.device)
        self.config = controller.config
        self.towers = dict(towers) if towers is not None else self._made(dict(weights or {}))
        for tower in self.towers.values():
            tower.to(self.device)
        self._half = precision == BFLOAT16
        if compiled:
            self._compile()
        self._start: dict[str, Tensor] | None = None

    def begin(self, head: np.ndarray, mask: np.ndarray) -> None:
        """An attempt begins: head (H, W, 3) uint8 RGB and the target's mask (H, W) uint8 in it."""
        self._start = self.start_inputs(head, mask)

    def predict(
        self, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray, seed: int
    ) -> np.ndarray:
        """A chunk (horizon, 13) float32 within the limits of the action space. `begin` comes first.

        head, wrist (H, W, 3) uint8 RGB; mask (H, W) uint8, 0 everywhere if the target is not seen; state (13,).
        Raises PredictorError for a state that is no state, before `begin`, and for weights that make no numbers.
        """
        return self._chunk(head, wrist, mask, state, seed, None)

    def predict_with_attention(
        self, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray, seed: int
    ) -> tuple[np.ndarray, Attention]:
        """The same chunk as `predict`, and where each of its actions looked (a batch of one). Slower."""
        weights = WeightSum()
        chunk = self._chunk(head, wrist, mask, state, seed, weights)
        return chunk, attention_of(self.config, self.controller.layout, weights.total)

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
        with self._autocast():
            return self.towers[view](pictures.to(self.device).float() / 255.0)

    def _chunk(
        self,
        head: np.ndarray,
        wrist: np.ndarray,
        mask: np.ndarray,
        state: np.ndarray,
        seed: int,
        maps: WeightSum | None,
    ) -> np.ndarray:
        state = np.asarray(state, dtype=np.float32)
        if state.shape != (spec.ACTION_DIM,) or not np.isfinite(state).all():
            raise PredictorError(f"a state is {spec.ACTION_DIM} finite numbers, not {state}")
        if self._start is None:
            raise PredictorError("an attempt starts with Predictor.begin; it was not called")
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode(), self._autocast():
            inputs = {**self.inputs(head, wrist, mask, state), **self._start}
            chunk = self.controller.sample(inputs, generator, maps=maps)[0].float().cpu().numpy()
        if not np.isfinite(chunk).all():
            raise PredictorError("the controller's actions are no finite numbers: its weights are damaged")
        return np.clip(chunk, spec.ACTION_LOW, spec.ACTION_HIGH)

    def _made(self, weights: dict[str, str]) -> dict[str, Tower]:
        names = {view: kind.tower for view, kind in self.config.views.items()}
        made = {name: get_tower(name).make(weights.get(name)) for name in sorted(set(names.values()))}
        return {view: made[name] for view, name in names.items()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)

    def _compile(self) -> None:
        transformer = self.controller.transformer
        transformer.denoise = torch.compile(transformer.denoise, dynamic=False)
        for tower in set(self.towers.values()):
            tower.compile(dynamic=False)
