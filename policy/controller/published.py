"""The weights that were released with the paper, by their published names, towers and normaliser included.

The published code takes BGR pictures and flips them before it normalises them: the networks themselves see RGB, as ours
do, so nothing is left to flip. Sizes follow from the shapes of the weights: variants trained with that code load too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from policy.controller import dinov2
from policy.controller.checkpoint import CheckpointError
from policy.controller.config import ControllerConfig, View, paper
from policy.controller.controller import Controller
from policy.controller.foreign import read_tensors
from policy.controller.predictor import FLOAT32, Predictor
from policy.controller.tower import Tower, TowerError
from policy.controller.towers import TOWERS

ENCODER, DENOISER = "obs_encoder.", "model."
TOWER_PREFIXES = {"head": "obs_encoder.dino_head.", "wrist": "obs_encoder.dino_wrist."}
NORMALISER = "normalizer.params_dict.action."
_IGNORED = ("_dummy_variable",)  # an empty tensor that tells the published code its device
_WRAPPERS = ("module.", "_orig_mod.")  # of distributed training and of torch.compile
_SHAPED = {
    "width": "model.pos_emb",
    "condition": "model.cond_pos_emb",
    "feedforward": "model.blocks.0.ffn.fc1.weight",
    "per_head": "model.blocks.0.cross_attn.q_norm.weight",
    "time": "model.time_emb.mlp.0.weight",
    "state": "obs_encoder.state_net.0.weight",
    "patch": "obs_encoder.mask_process_net.patch_embed.0.weight",
    "mask_feedforward": "obs_encoder.mask_process_net.transformer.layers.0.linear1.weight",
    "head_tower": "obs_encoder.dino_head.pos_embed",
    "wrist_tower": "obs_encoder.dino_wrist.pos_embed",
}


@dataclass(frozen=True, eq=False)
class Published:
    """A published controller in our terms. towers: name of a view -> its tower."""

    controller: Controller
    towers: Mapping[str, Tower]

    def predictor(self, device: str = "cpu", *, precision: str = FLOAT32, compiled: bool = False) -> Predictor:
        """The controller, ready for pictures."""
        return Predictor(self.controller, device=device, towers=self.towers, precision=precision, compiled=compiled)


def load_published_checkpoint(path: Path) -> Published:
    """The controller, towers and normaliser of a published checkpoint.

    path: a .safetensors file or a file of torch, plain or as the published workspace saves it (its moving average
    where there is one). Nothing in the file is run. Raises CheckpointError that names what is missing or does not fit.
    """
    return from_state(_unwrapped(read_tensors(Path(path))), str(path))


def from_state(state: Mapping[str, Tensor], source: str) -> Published:
    """The same out of tensors by their published names; `source` is named in errors."""
    config = config_of(state, source)
    with torch.device("meta"):
        controller = Controller(config)
    ours = {our_name(name): value for name, value in state.items() if our_name(name)}
    try:
        missing, unexpected = controller.load_state_dict(ours, strict=False, assign=True)
    except RuntimeError as fault:
        raise CheckpointError(f"{source} does not fit the published controller: {fault}") from fault
    if missing or unexpected:
        words = [f"{text} {_listed(names)}" for text, names in (("missing", missing), ("unknown", unexpected)) if names]
        raise CheckpointError(f"{source} is no published controller in full: {'; '.join(words)}")
    controller.requires_grad_(True)
    try:
        towers = {view: dinov2.from_state(_below(state, prefix), f"{source} ({prefix}*)")
                  for view, prefix in TOWER_PREFIXES.items()}  # fmt: skip
    except TowerError as fault:
        raise CheckpointError(str(fault)) from fault
    return Published(controller.eval(), towers)


def our_name(name: str) -> str:
    """The name that a published parameter has in `Controller`; empty for what is none of its parameters."""
    if name.endswith(_IGNORED) or name.startswith(tuple(TOWER_PREFIXES.values())):
        return ""
    if name.startswith(NORMALISER):
        part = name.removeprefix(NORMALISER)
        return f"actions.{part}" if part in ("scale", "offset") else ""
    for theirs, ours in ((ENCODER, "encoder."), (DENOISER, "transformer.")):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return ""  # normalisers of what is not normalised, and the like


def config_of(state: Mapping[str, Tensor], source: str) -> ControllerConfig:
    """The configuration that such shapes belong to. Raises CheckpointError."""
    absent = [name for name in _SHAPED.values() if name not in state]
    if absent:
        raise CheckpointError(f"{source} holds no published controller: missing {_listed(absent)}")
    shape = {key: tuple(state[name].shape) for key, name in _SHAPED.items()}
    side = math.isqrt(max(shape["condition"][1] - 2, 0) // 2)  # two views, one state token, one time token
    if 2 * side**2 + 2 != shape["condition"][1] or not side:
        raise CheckpointError(
            f"{source} has {shape['condition'][1]} condition tokens: not two square views, the state and the time"
        )
    size = (side * dinov2.PATCH, side * dinov2.PATCH)
    mask_width, _, patch, _ = shape["patch"]
    config = replace(
        paper(),
        head=View(_tower(shape["head_tower"][-1], source), size),
        wrist=View(_tower(shape["wrist_tower"][-1], source), size),
        mask=replace(
            paper().mask,
            patch=patch,
            width=mask_width,
            depth=_count(state, "obs_encoder.mask_process_net.transformer.layers."),
            feedforward=shape["mask_feedforward"][0],
        ),
        horizon=shape["width"][1],
        execute=min(paper().execute, shape["width"][1]),
        width=shape["width"][2],
        depth=_count(state, "model.blocks."),
        heads=shape["width"][2] // shape["per_head"][0],
        feedforward=shape["feedforward"][0],
        state_hidden=shape["state"][0],
        time_channels=shape["time"][1],
    )
    return config if config == paper() else replace(config, name="published")


def _unwrapped(found: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of the controller, out of the workspace's wrapping where there is one."""
    wrapped = found.get("state_dicts")
    if isinstance(wrapped, Mapping):
        found = wrapped.get("ema_model") or wrapped.get("model") or {}
    elif isinstance(found.get("model"), Mapping):
        found = found["model"]
    state = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    for wrapper in _WRAPPERS:
        state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _tower(channels: int, source: str) -> str:
    names = {kind.channels: name for name, kind in TOWERS.items() if name.startswith("dinov2")}
    if channels not in names:
        raise CheckpointError(f"{source} has a tower of width {channels}; DINOv2 has {', '.join(map(str, names))}")
    return names[channels]


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix))


def _listed(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
