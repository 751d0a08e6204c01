"""The denoiser: action tokens that attend to themselves and to what is seen, in blocks as in RDT.

Keys and values of what is seen do not change while a chunk is denoised: `remember` computes them once for all steps,
and only those of the time token are new at each step. Parameter names are those of the published checkpoint.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-6
TIME_PERIOD = 10000.0


@dataclass(frozen=True, eq=False)
class Memory:
    """Keys and values of the observation tokens, one pair per block, each (B, heads, N, width / heads)."""

    keys_values: tuple[tuple[Tensor, Tensor], ...]

    def repeated(self, times: int) -> "Memory":
        """The same memory for `times` action sequences per observation: batch b becomes b * times .. + times - 1."""
        return Memory(
            tuple((k.repeat_interleave(times, 0), v.repeat_interleave(times, 0)) for k, v in self.keys_values)
        )


class SelfAttention(nn.Module):
    """Bidirectional attention among the action tokens, with normalised queries and keys."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.RMSNorm(width // heads, NORM_EPS)
        self.k_norm = nn.RMSNorm(width // heads, NORM_EPS)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> the same shape."""
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        out = functional.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, dropout_p=dropout)
        return self.proj_drop(self.proj(join_heads(out)))


class CrossAttention(nn.Module):
    """Action tokens look at the condition tokens."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.q_norm = nn.RMSNorm(width // heads, NORM_EPS)
        self.k_norm = nn.RMSNorm(width // heads, NORM_EPS)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def keys_values(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, width) -> keys and values, each (B, heads, N, width / heads)."""
        k, v = (split_heads(part, self.heads) for part in self.kv(condition).chunk(2, dim=-1))
        return self.k_norm(k), v

    def forward(
        self, x: Tensor, known: tuple[Tensor, Tensor], time: Tensor, maps: list[Tensor] | None = None
    ) -> Tensor:
        """x (B, T, width); known: keys and values of the observation; time (B, 1, width): the last condition token.

        maps: where given, the weights (B, heads, T, N + 1) are appended to it (slower).
        """
        q = self.q_norm(split_heads(self.q(x), self.heads))
        k_time, v_time = self.keys_values(time)
        k, v = torch.cat([known[0], k_time], dim=2), torch.cat([known[1], v_time], dim=2)
        if maps is None:
            dropout = self.dropout if self.training else 0.0
            out = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        else:
            weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
            maps.append(weights.detach())
            out = weights @ v
        return self.proj_drop(self.proj(join_heads(out)))


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
        self.norm1 = nn.RMSNorm(width, NORM_EPS)
        self.attn = SelfAttention(width, heads, dropout)
        self.norm2 = nn.RMSNorm(width, NORM_EPS)
        self.cross_attn = CrossAttention(width, heads, dropout)
        self.norm3 = nn.RMSNorm(width, NORM_EPS)
        self.ffn = FeedForward(width, feedforward)

    def forward(
        self, x: Tensor, known: tuple[Tensor, Tensor], time: Tensor, maps: list[Tensor] | None = None
    ) -> Tensor:
        """(B, T, width) -> the same shape."""
        x = x + self.attn(self.norm1(x))
        x = x + self.cross_attn(self.norm2(x), known, time, maps)
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
        self.ln_f = nn.RMSNorm(width, NORM_EPS)
        self.head = nn.Linear(width, action_dim)
        self.apply(_initialise)
        nn.init.normal_(self.pos_emb, std=0.02)
        nn.init.normal_(self.cond_pos_emb, std=0.02)

    def remember(self, tokens: Tensor) -> Memory:
        """Keys and values of observation tokens (B, N, width), for as many denoising steps as are wanted."""
        placed = tokens + self.cond_pos_emb[:, :-1]
        return Memory(tuple(block.cross_attn.keys_values(placed) for block in self.blocks))

    def forward(self, noisy: Tensor, step: Tensor, memory: Memory, maps: list[Tensor] | None = None) -> Tensor:
        """noisy (B, T, action_dim), step (B,) -> (B, T, action_dim). maps: collects the blocks' attention weights."""
        time = self.time_emb(step)[:, None] + self.cond_pos_emb[:, -1:]
        x = self.input_emb(noisy) + self.pos_emb[:, : noisy.shape[1]]
        for block, known in zip(self.blocks, memory.keys_values, strict=True):
            x = block(x, known, time, maps)
        return self.head(self.ln_f(x))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, width) -> (B, heads, N, width / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
