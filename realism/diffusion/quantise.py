"""A base's matrices in 8 or 4 bits: for cards that cannot hold them in 16.

Only the matrices of the repeated blocks are stored so; each is made 16-bit again while it works,
and again on the way back, so that nothing but the small numbers is kept. LoRA beside them stay in
float32. Plain torch: the same on every card and on the processor.

8 bits: one scale a row. 4 bits: NF4 with one scale for 64 numbers: Dettmers et al., "QLoRA:
efficient finetuning of quantized LLMs", NeurIPS 2023.
"""

from __future__ import annotations

from typing import Any

import torch

BLOCK = 64  # numbers that share a scale in 4 bits
# Sixteen numbers between which a normal distribution is cut into equal parts: Dettmers et al.
NF4 = (
    -1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0,
)  # fmt: skip


def quantise(part: torch.nn.Module, bits: int) -> None:
    """Store the matrices of a part's repeated blocks in 8 or 4 bits, in place.

    Parameters
    ----------
    part : torch.nn.Module
        A network or a text encoder, without LoRA.
    bits : int
        8 or 4.
    """
    for name, layer in list(part.named_modules()):
        repeated = any(word.isdigit() for word in name.split("."))
        stored = layer.bits if isinstance(layer, QuantisedLinear) else 16
        if isinstance(layer, torch.nn.Linear) and repeated and bits < stored:
            above, _, own = name.rpartition(".")
            setattr(part.get_submodule(above), own, QuantisedLinear(layer, bits))


def bits_of(part: torch.nn.Module) -> int | None:
    """In how many bits a part's matrices are stored; None where it is not quantised."""
    return next((m.bits for m in part.modules() if isinstance(m, QuantisedLinear)), None)


class QuantisedLinear(torch.nn.Linear):
    """A linear layer whose matrix is stored in few bits."""

    scale: torch.Tensor

    def __init__(self, layer: torch.nn.Linear, bits: int):
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        self.bits = bits
        quantised = isinstance(layer, QuantisedLinear)
        matrix = layer.matrix(torch.float32) if quantised else layer.weight.data
        stored, scale = (_to_8 if bits == 8 else _to_4)(matrix)
        self.weight = torch.nn.Parameter(stored, requires_grad=False)
        self.register_buffer("scale", scale)
        self.bias = layer.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """As `torch.nn.Linear`."""
        if torch.is_autocast_enabled(input.device.type):
            input = input.to(torch.get_autocast_dtype(input.device.type))
        answer = _Product.apply(input, self)
        return answer if self.bias is None else answer + self.bias.to(answer.dtype)

    def matrix(self, dtype: torch.dtype) -> torch.Tensor:
        """The matrix (out, in) as it works."""
        shape = (self.out_features, self.in_features)
        if self.bits == 8:
            return self.weight.to(dtype) * self.scale.to(dtype)
        levels = torch.tensor(NF4, device=self.weight.device, dtype=dtype)
        pairs = torch.stack([self.weight >> 4, self.weight & 15], -1).flatten().int()
        numbers = levels[pairs].view(-1, BLOCK) * self.scale.to(dtype)
        return numbers.flatten()[: shape[0] * shape[1]].view(shape)


class _Product(torch.autograd.Function):
    """A product with the matrix, which is made anew on the way back rather than kept."""

    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, layer: QuantisedLinear) -> torch.Tensor:
        ctx.layer = layer
        return torch.nn.functional.linear(input, layer.matrix(input.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        return gradient @ ctx.layer.matrix(gradient.dtype), None


def _to_8(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = matrix.float().abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
    return (matrix.float() / scale).round().to(torch.int8), scale.to(torch.float32)


def _to_4(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = matrix.float().flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(1, keepdim=True).clamp(min=1e-12)
    levels = torch.tensor(NF4, device=matrix.device)
    # The nearest level, by the borders half way between two.
    number = torch.bucketize(blocks / scale, (levels[1:] + levels[:-1]) / 2).to(torch.uint8)
    first, second = number.flatten().view(-1, 2).unbind(-1)
    return (first << 4) | second, scale.to(torch.float16 if scale.max() < 6e4 else torch.float32)
