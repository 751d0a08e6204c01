"""What is trained of the eyes: the mask's transformer, the projectors, and the tokens that they make.

Parameter names are those of the published checkpoint; what only `small` has stands beside them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from policy.controller.config import ControllerConfig, MaskNet
from policy.controller.geometry import GEOMETRY, mask_geometry

Inputs = Mapping[str, Tensor]
ORDER = ("head", "wrist", "target", "geometry", "state")  # of the tokens
DIRECT = ("geometry", "state")  # tokens of exact numbers, which the goal is predicted from without a detour
LEAST_SPREAD = 0.02


class MaskEncoder(nn.Module):
    """Mask (B, 1, H, W) in patches through a transformer: (B, N, width). No final normalisation, as published."""

    def __init__(self, config: MaskNet, tokens: int) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential(
            nn.Conv2d(1, config.width, config.patch, stride=config.patch),
            nn.Flatten(2),
            _Transpose(),
            nn.LayerNorm(config.width),
        )
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.feedforward, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.transformer = nn.TransformerEncoder(layer, config.depth, enable_nested_tensor=False)
        self.pos_emb = nn.Parameter(torch.randn(1, tokens, config.width) * 0.02) if config.positions else None

    def forward(self, mask: Tensor) -> Tensor:
        """(B, 1, H, W) of 0 to 1 -> (B, N, width)."""
        tokens = self.patch_embed(mask)
        return self.transformer(tokens if self.pos_emb is None else tokens + self.pos_emb)


class ObservationEncoder(nn.Module):
    """Tower features, masks and state to tokens in the order head, wrist, (target, geometry,) state.

    Args:
        tokens, channels: of the tower of each view, by its name ("head", "wrist" and, where there is one, "target").

    tokens: how many come out; layout: which of them are whose.
    """

    def __init__(self, config: ControllerConfig, tokens: Mapping[str, int], channels: Mapping[str, int]) -> None:
        super().__init__()
        width, dropout = config.width, config.dropout
        self.config = config
        self.mask_process_net = MaskEncoder(config.mask, tokens["head"])
        self.head_net = projector(channels["head"] + config.mask.width, width, width, dropout)
        self.wrist_net = projector(channels["wrist"], width, width, dropout)
        self.state_net = projector(config.action_dim, config.state_hidden, width, dropout)
        self.target_net = None if config.target is None else projector(channels["target"], width, width, dropout)
        self.geometry_net = projector(2 * GEOMETRY, config.state_hidden, width, dropout) if config.geometry else None
        sizes = {**tokens, **({"geometry": 1} if config.geometry else {}), "state": 1}
        self.layout = slices({name: sizes[name] for name in ORDER if name in sizes})
        self.tokens = sum(sizes.values())

    def forward(self, inputs: Inputs) -> Tensor:
        """Tokens (B, N, width) of

        head, wrist, target: (B, n, channels) features of the towers; mask, start_mask: (B, 1, H, W) of 0 to 1, now and
        at the start of the attempt; state: (B, 13). target and start_mask only where the configuration uses them.
        """
        head = torch.cat([inputs["head"], self.mask_process_net(inputs["mask"])], dim=-1)
        parts = [self.head_net(head), self.wrist_net(inputs["wrist"])]
        if self.target_net is not None:
            parts.append(self.target_net(inputs["target"]))
        if self.geometry_net is not None:
            shapes = torch.cat([mask_geometry(inputs["mask"]), mask_geometry(inputs["start_mask"])], dim=-1)
            parts.append(self.geometry_net(shapes)[:, None])
        parts.append(self.state_net(inputs["state"])[:, None])
        return torch.cat(parts, dim=1)


class Hints(nn.Module):
    """Where will the arm be at the grasp, and which phase is it? Trained beside the chunk, to teach the encoder to see.

    `token` tells the denoiser what was predicted, where the configuration wants that.
    """

    def __init__(self, config: ControllerConfig, layout: Mapping[str, slice], goal_dim: int, phases: int) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self._drop = config.goal_drop
        self._direct = [layout[name] for name in DIRECT if name in layout]
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        known = width * (1 + len(self._direct))
        self.goal = nn.Sequential(
            nn.LayerNorm(known), nn.Linear(known, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU(),
            nn.Linear(width, goal_dim),
        )  # fmt: skip
        self.phase = nn.Linear(width, phases)
        told = (nn.Linear(2 * goal_dim + phases, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width))
        self.embed = nn.Sequential(*told) if config.goal_token else None
        self.register_buffer("centre", torch.zeros(goal_dim))
        self.register_buffer("spread", torch.ones(goal_dim))

    def fit(self, goals: Tensor) -> None:
        """Take middle and spread of goals (N, goal_dim), in action numbers, as the unit of what is predicted."""
        self.centre.copy_(goals.mean(0))
        self.spread.copy_(goals.std(0).clamp(min=LEAST_SPREAD))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, width) -> goal (B, goal_dim) float32 in action numbers, logits of the phase (B, phases)."""
        seen, _ = self.attention(self.query.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)
        phase = self.phase(seen[:, 0])
        if self.training and self._drop:
            seen = seen * (torch.rand(len(seen), 1, 1, device=seen.device) >= self._drop)
        known = torch.cat([seen, *(tokens[:, part] for part in self._direct)], dim=-1)[:, 0]
        return self.goal(known).float() * self.spread + self.centre, phase

    def token(self, goal: Tensor, ahead: Tensor, phase: Tensor) -> Tensor:
        """A condition token (B, 1, width) of a goal (B, goal_dim) in action numbers, the way to it and phase logits.

        ahead: (B, goal_dim), the goal as an action is represented in a chunk: relative to where the arm is now.
        """
        told = torch.cat([(goal - self.centre) / self.spread, ahead, phase.softmax(dim=-1)], dim=-1)
        return self.embed(told)[:, None]


def slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Where each part lies when they stand one after the other: name -> length becomes name -> slice."""
    layout, start = {}, 0
    for name, size in sizes.items():
        layout[name] = slice(start, start + size)
        start += size
    return layout


def projector(channels: int, hidden: int, width: int, dropout: float) -> nn.Sequential:
    """Linear, norm, GELU, dropout, linear, norm: (..., channels) -> (..., width)."""
    return nn.Sequential(
        nn.Linear(channels, hidden),
        nn.LayerNorm(hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, width),
        nn.LayerNorm(width),
    )


class _Transpose(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> (B, N, C)."""
        return x.transpose(1, 2)
