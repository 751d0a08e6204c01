"""The denoiser: action tokens that attend to themselves and to what is seen, in blocks as in RDT.

Keys and values of what is seen do not change while a chunk is denoised: `remember` computes them once for all steps,
and `rehearse` adds those of the time token, which depend on nothing but the step. Parameter names are those of the
published checkpoint.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from policy.controller.norms import RmsNorm

NORM_EPS = 1e-6
TIME_PERIOD = 10000.0


class Sink(Protocol):
    """What collects something piece by piece, such as a list."""

    def append(self, piece: Tensor, /) -> None:
        """Take one piece."""


@dataclass(frozen=True, eq=False)
class Memory:
    """Keys and values of the observation tokens, one pair per block, each (B, heads, N, width / heads)."""

    keys_values: tuple[tuple[Tensor, Tensor], ...]

    def __len__(self) -> int:
        """Observations B."""
        return len(self.keys_values[0][0])


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """All that can be known of a chunk before it is denoised.

    pairs: keys and values of each block, (B, heads, N + 1, width / heads); the last place is the time token's and is
    written anew at each step. moments: for each step, keys and values of the time token for each block, (heads, 1, d).
    """

    pairs: tuple[tuple[Tensor, Tensor], ...]
    moments: tuple[tuple[tuple[Tensor, Tensor], ...], ...]


class SelfAttention(nn.Module):
    """Bidirectional attention among the action tokens, with normalised queries and keys."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = RmsNorm(width // heads, NORM_EPS)
        self.k_norm = RmsNorm(width // heads, NORM_EPS)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> the same shape."""
        q, k, v = (per_head(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        q, k, v = self.q_norm(q).transpose(1, 2), self.k_norm(k).transpose(1, 2), v.transpose(1, 2)
        out = attend(q, k, v, dropout=self.dropout if self.training else 0.0)
        return self.proj_drop(self.proj(out.transpose(1, 2).flatten(2)))


class CrossAttention(nn.Module):
    """Action tokens look at the condition tokens."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.q_norm = RmsNorm(width // heads, NORM_EPS)
        self.k_norm = RmsNorm(width // heads, NORM_EPS)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def keys_values(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, width) -> keys and values, each (B, heads, N, width / heads)."""
        k, v = (per_head(part, self.heads) for part in self.kv(condition).chunk(2, dim=-1))
        return self.k_norm(k).transpose(1, 2), v.transpose(1, 2)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None, maps: Sink | None = None
    ) -> Tensor:
        """x (B * L, T, width), of which L follow one another for one observation; keys, values (B, heads, M, d).

        allowed: bool, spread to (B, heads, L * T, M): which query may see which key; None for all. maps: where given,
        the weights (B, heads, L * T, M) are appended to it (slower).
        """
        queries = self.q(x).reshape(len(keys), -1, x.shape[-1])
        q = self.q_norm(per_head(queries, self.heads)).transpose(1, 2)
        if maps is None:
            out = attend(q, keys, values, allowed, self.dropout if self.training else 0.0)
        else:
            scores = q @ keys.transpose(-2, -1) / math.sqrt(q.shape[-1])
            scores = scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)
            weights = scores.softmax(dim=-1)
            maps.append(weights.detach())
            out = weights @ values
        return self.proj_drop(self.proj(out.transpose(1, 2).reshape(x.shape)))


class FeedForward(nn.Module):
    """Two layers with the tanh form of GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    """Self-attention, cross-attention, feed-forward; each normalised before and added."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = RmsNorm(width, NORM_EPS)
        self.attn = SelfAttention(width, heads, dropout)
        self.norm2 = RmsNorm(width, NORM_EPS)
        self.cross_attn = CrossAttention(width, heads, dropout)
        self.norm3 = RmsNorm(width, NORM_EPS)
        self.ffn = FeedForward(width, feedforward)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None, maps: Sink | None = None
    ) -> Tensor:
        """(B * L, T, width) -> the same shape. The rest as in `CrossAttention`."""
        x = x + self.attn(self.norm1(x))
        x = x + self.cross_attn(self.norm2(x), keys, values, allowed, maps)
        return x + self.ffn(self.norm3(x))


class TimeEmbedding(nn.Module):
    """The diffusion step as one token: cosines and sines, then two layers."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.mlp = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, step: Tensor) -> Tensor:
        """(B,) -> (B, width)."""
        half = self.channels // 2
        rates = torch.exp(-math.log(TIME_PERIOD) / half * torch.arange(half, dtype=torch.float32, device=step.device))
        angles = step.float()[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))


class ActionTransformer(nn.Module):
    """Predicts noise or sample from noisy actions, observation tokens and the diffusion step.

    Args:
        tokens: number of observation tokens N; the condition has one more, the time token.
    """

    def __init__(
        self,
        *,
        tokens: int,
        horizon: int,
        action_dim: int,
        width: int,
        depth: int,
        heads: int,
        feedforward: int,
        dropout: float,
        time_channels: int,
    ) -> None:
        super().__init__()
        self.input_emb = nn.Linear(action_dim, width)
        self.pos_emb = nn.Parameter(torch.zeros(1, horizon, width))
        self.cond_pos_emb = nn.Parameter(torch.zeros(1, tokens + 1, width))
        self.time_emb = TimeEmbedding(width, time_channels)
        self.blocks = nn.ModuleList(Block(width, heads, feedforward, dropout) for _ in range(depth))
        self.ln_f = RmsNorm(width, NORM_EPS)
        self.head = nn.Linear(width, action_dim)
        self.apply(_initialise)
        nn.init.normal_(self.pos_emb, std=0.02)
        nn.init.normal_(self.cond_pos_emb, std=0.02)

    def remember(self, tokens: Tensor) -> Memory:
        """Keys and values of observation tokens (B, N, width), for as many denoising steps as are wanted."""
        placed = tokens + self.cond_pos_emb[:, :-1]
        return Memory(tuple(block.cross_attn.keys_values(placed) for block in self.blocks))

    def rehearse(self, memory: Memory, steps: Tensor) -> Rehearsal:
        """What `denoise` needs to go through the diffusion steps (S,), for inference alone: its tensors are reused."""
        times = self.time_emb(steps)[:, None] + self.cond_pos_emb[:, -1:]
        of_time = [block.cross_attn.keys_values(times) for block in self.blocks]
        pairs = tuple((functional.pad(k, (0, 0, 0, 1)), functional.pad(v, (0, 0, 0, 1))) for k, v in memory.keys_values)
        moments = tuple(tuple((k[i], v[i]) for k, v in of_time) for i in range(len(steps)))
        return Rehearsal(pairs, moments)

    def denoise(
        self,
        noisy: Tensor,
        pairs: tuple[tuple[Tensor, Tensor], ...],
        moment: tuple[tuple[Tensor, Tensor], ...],
        maps: Sink | None = None,
    ) -> Tensor:
        """The same as `forward`, out of the pairs of a rehearsal and one of its moments. noisy (B, T, action_dim)."""
        x = self.input_emb(noisy) + self.pos_emb[:, : noisy.shape[1]]
        for block, (keys, values), (key, value) in zip(self.blocks, pairs, moment, strict=True):
            keys[:, :, -1:].copy_(key)
            values[:, :, -1:].copy_(value)
            x = block(x, keys, values, maps=maps)
        return self.head(self.ln_f(x))

    def forward(
        self,
        noisy: Tensor,
        step: Tensor,
        memory: Memory,
        *,
        seen: Tensor | None = None,
        maps: Sink | None = None,
    ) -> Tensor:
        """noisy (B * L, T, action_dim), step (B * L,) -> (B * L, T, action_dim), L sequences for each observation.

        seen: (B, N) bool, the observation tokens that are not hidden; None for all. maps: collects the blocks'
        attention weights.
        """
        levels = len(noisy) // len(memory)
        times = (self.time_emb(step)[:, None] + self.cond_pos_emb[:, -1:]).reshape(len(memory), levels, -1)
        x = self.input_emb(noisy) + self.pos_emb[:, : noisy.shape[1]]
        allowed = _allowed(memory, levels, noisy.shape[1], seen)
        for block, (keys, values) in zip(self.blocks, memory.keys_values, strict=True):
            k, v = block.cross_attn.keys_values(times)
            x = block(x, torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2), allowed, maps)
        return self.head(self.ln_f(x))


def _allowed(memory: Memory, levels: int, horizon: int, seen: Tensor | None) -> Tensor | None:
    """Which query may see which key, (B or 1, 1, L * T, M): what is seen, and of the L time tokens its own."""
    if levels == 1 and seen is None:
        return None
    keys = memory.keys_values[0][0]
    own = torch.eye(levels, dtype=torch.bool, device=keys.device).repeat_interleave(horizon, 0)
    seen = torch.ones(1, keys.shape[2], dtype=torch.bool, device=keys.device) if seen is None else seen
    observed = seen[:, None].expand(-1, len(own), -1)
    return torch.cat([observed, own.expand(len(seen), -1, -1)], dim=-1)[:, None]


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """torch's attention, in the type of q. On a CPU its gradient is four times slower in bfloat16 than in float32."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and torch.is_grad_enabled():
        with torch.autocast("cpu", enabled=False):
            q, k, v = q.float(), k.float(), v.float()
            out = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        return out.bfloat16()
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)


def per_head(x: Tensor, heads: int) -> Tensor:
    """(B, N, width) -> (B, N, heads, width / heads)."""
    return x.unflatten(-1, (heads, -1))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
