"""RMS norms of transformers' models with a gradient written out, where that is faster: on a CPU in float32."""

from types import MethodType
from typing import Any

import torch
from torch.autograd.function import once_differentiable

TOLERANCE = 1e-5  # largest difference in a value near 1 that rounding explains


def use_fused_norms(model: Any, accelerator: Any) -> int:
    """Give the model's RMS norms ours in float32 on a CPU, and return how many took it.

    Transformers writes x / rms(x) * weight out in six operations, of which each, and each of its gradient, reads and
    writes all activations; torch's own norm has the same gradient. Whether a module is that norm is tried out: one
    that scales otherwise (1 + weight, say) keeps its own.
    """
    if accelerator.device.type != "cpu" or accelerator.mixed_precision == "bf16":
        return 0
    norms = [module for module in model.modules() if _is_plain(module)]
    for module in norms:
        module.forward = MethodType(_fused, module)
    return len(norms)


def _fused(module: Any, states: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = _RmsNorm.apply(states, module.weight, module.variance_epsilon)
    return result


class _RmsNorm(torch.autograd.Function):  # type: ignore[misc]  # torch gives it no type
    """y = n w, n = x / sqrt(mean(x^2) + epsilon), over the last of x's axes."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        norm: torch.Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        scale = norm.square_().div_(states.shape[-1]).add_(epsilon).rsqrt_()
        normed = states * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        normed, scale, weight = ctx.saved_tensors
        by_weight = gradient * normed
        d_weight = by_weight.flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        # dx = (dy w - n mean(dy w n)) / sqrt(mean(x^2) + epsilon)
        shared = (by_weight @ weight).div_(-weight.numel()).unsqueeze(-1)
        d_states = torch.mul(gradient, weight, out=by_weight).addcmul_(normed, shared).mul_(scale)
        return d_states, d_weight, None


def _is_plain(module: Any) -> bool:
    """Return whether a module computes what `_fused` does, by its name and by trial."""
    if not type(module).__name__.endswith("RMSNorm") or not hasattr(module, "variance_epsilon"):
        return False
    with torch.no_grad():
        states = torch.linspace(-2, 3, 2 * module.weight.numel()).view(2, -1).to(module.weight)
        own, fused = module(states), _fused(module, states)
    return bool(own.dtype == fused.dtype) and torch.allclose(own, fused, rtol=TOLERANCE, atol=TOLERANCE)
