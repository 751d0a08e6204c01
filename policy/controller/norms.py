"""Root-mean-square normalisation that keeps the type of what it is given, with a backward pass of its own.

torch's own falls back to a chain of elementwise steps on a CPU: its gradient takes twice to three times as long, and
under bfloat16 autocast it warns of each call, since its weight stays in float32.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class RmsNorm(nn.Module):
    """(..., width) -> the same shape and type: each vector divided by its root mean square, times a learned weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) of float32 or bfloat16."""
        if x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return _RmsNormOnCpu.apply(x, self.weight, self.eps)
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class _RmsNormOnCpu(torch.autograd.Function):
    """The mean square is taken in float32, the rest in the type of x; the weight's gradient is summed in its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        rate = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)
        unit = x * rate
        ctx.save_for_backward(unit, weight, rate)
        return unit * weight.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        unit, weight, rate = ctx.saved_tensors
        of_weight = (grad * unit).flatten(0, -2).sum(0, dtype=weight.dtype)
        scaled = grad * weight.to(grad.dtype)
        along = (scaled * unit).mean(-1, keepdim=True)
        return torch.addcmul(scaled, unit, along, value=-1).mul_(rate), of_weight, None
