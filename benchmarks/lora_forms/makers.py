"""Random changes of a layer in every form that tools train, with the change worked out by hand.

The formulas are written as the papers have them, sum by sum and not as the program computes them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, einsum

Tensors = dict[str, Tensor]  # by the names that LyCORIS, or kohya, gives them
Made = tuple[Tensors, Tensor]  # the file's, and the change of the weight
Maker = Callable[[Tensor, torch.Generator], Made]


def _random(dice: torch.Generator, *shape: int) -> Tensor:
    """Numbers that every format of a file holds exactly, one of 8 bits too."""
    return (3 * torch.randn(*shape, generator=dice)).round().clamp(-12, 12) / 8


def lora(rank: int = 4, alpha: float | None = 2.0, scaled: float | None = None) -> Maker:
    """LoRA and LoCon; `scaled`: what it is scaled by where that is not alpha over rank."""

    def make(weight: Tensor, dice: torch.Generator) -> Made:
        rows, columns, *kernel = weight.shape
        down = _random(dice, rank, columns, *kernel)
        up = _random(dice, rows, rank, *[1] * len(kernel))
        scale = scaled if scaled is not None else (rank if alpha is None else alpha) / rank
        change = scale * einsum("or,ri...->oi...", up.reshape(rows, rank), down)
        tensors = {"lora_down.weight": down, "lora_up.weight": up}
        if alpha is not None:
            tensors["alpha"] = torch.tensor(alpha)
        return tensors, change

    return make


def old_scalar(weight: Tensor, dice: torch.Generator) -> Made:
    """LyCORIS of 2023 with use_scalar: a number that the change is multiplied with."""
    tensors, change = lora()(weight, dice)
    return tensors | {"scalar": torch.tensor(0.7)}, 0.7 * change


def tucker(weight: Tensor, dice: torch.Generator) -> Made:
    """LoCon of a convolution with a core between two 1×1 convolutions."""
    rows, columns, *kernel = weight.shape
    down, up = _random(dice, 3, columns, 1, 1), _random(dice, rows, 3, 1, 1)
    core = _random(dice, 3, 3, *kernel)
    change = einsum("op,pqhw,qi->oihw", up[..., 0, 0], core, down[..., 0, 0]) * 2 / 3
    names = ("lora_down.weight", "lora_up.weight", "lora_mid.weight", "alpha")
    return dict(zip(names, (down, up, core, torch.tensor(2.0)), strict=True)), change


def loha(alpha: float = 2.0, with_core: bool = False, rank: int = 3) -> Maker:
    """LoHa: two products, multiplied number by number."""

    def make(weight: Tensor, dice: torch.Generator) -> Made:
        rows, columns, *kernel = weight.shape
        tensors, halves = {}, []
        for half in "12":
            if with_core:
                core = _random(dice, rank, rank, *kernel)
                a, b = _random(dice, rank, rows), _random(dice, rank, columns)
                halves.append(einsum("pq...,po,qi->oi...", core, a, b))
                tensors[f"hada_t{half}"] = core
            else:
                a, b = _random(dice, rows, rank), _random(dice, rank, weight[0].numel())
                halves.append(einsum("or,rn->on", a, b).reshape(weight.shape))
            tensors |= {f"hada_w{half}_a": a, f"hada_w{half}_b": b}
        return tensors | {"alpha": torch.tensor(alpha)}, halves[0] * halves[1] * alpha / rank

    return make


def _two_factors(number: int) -> tuple[int, int]:
    """Two factors of a number, the smaller first, as near as can be."""
    small = max(n for n in range(1, int(number**0.5) + 1) if number % n == 0)
    return small, number // small


def lokr(
    split: str = "2", alpha: float = 2.0, core: bool = False, scaled: float | None = None
) -> Maker:
    """LoKr; `split` says which of its two sides are products themselves."""

    def make(weight: Tensor, dice: torch.Generator) -> Made:
        rank = 2
        rows, columns, *kernel = weight.shape
        (a, b), (c, d) = _two_factors(rows), _two_factors(columns)
        tensors = {}
        if "1" in split:
            tensors = {"lokr_w1_a": _random(dice, a, rank), "lokr_w1_b": _random(dice, rank, c)}
            first = tensors["lokr_w1_a"] @ tensors["lokr_w1_b"]
        else:
            first = tensors["lokr_w1"] = _random(dice, a, c)
        if core:
            t = tensors["lokr_t2"] = _random(dice, rank, rank, *kernel)
            left, right = _random(dice, rank, b), _random(dice, rank, d)
            second = einsum("pq...,pb,qd->bd...", t, left, right)
            tensors |= {"lokr_w2_a": left, "lokr_w2_b": right}
        elif "2" in split:
            left, right = _random(dice, b, rank), _random(dice, rank, d * weight[0, 0].numel())
            second = (left @ right).reshape(b, d, *kernel)
            tensors |= {"lokr_w2_a": left, "lokr_w2_b": right}
        else:
            second = tensors["lokr_w2"] = _random(dice, b, d, *kernel)
        change = einsum("ac,bd...->abcd...", first, second).reshape(weight.shape)
        scale = scaled if scaled is not None else (alpha / rank if split else 1.0)
        return tensors | {"alpha": torch.tensor(alpha)}, scale * change

    return make


def dora(maker: Maker, of_rows: bool, name: str = "dora_scale", flat: bool = False) -> Maker:
    """DoRA of any form: every row, or every column, of the changed weight gets a length."""

    def make(weight: Tensor, dice: torch.Generator) -> Made:
        tensors, change = maker(weight, dice)
        turned = weight + change
        rows, columns, *kernel = weight.shape
        count = rows if of_rows else columns
        lengths = torch.randint(4, 13, (count,), generator=dice) / 8
        wanted = turned.clone()
        for number in range(count):
            place = (number,) if of_rows else (slice(None), number)
            wanted[place] = turned[place] / turned[place].square().sum().sqrt() * lengths[number]
        ones = [1] * len(kernel)
        shape = (rows, 1, *ones) if of_rows else (1, columns, *ones)
        if flat:  # PEFT's: (rows,), and (1, rows, 1, 1) of a convolution
            shape = (1, rows, *ones) if kernel else (rows,)
        return tensors | {name: lengths.reshape(shape)}, wanted - weight

    return make


def whole(weight: Tensor, dice: torch.Generator) -> Made:
    """The difference itself: LyCORIS' full, ComfyUI's extracted, ai-toolkit's full layers."""
    change = _random(dice, *weight.shape)
    return {"diff": change}, change


def norm(weight: Tensor, dice: torch.Generator) -> Made:
    """A norm's difference, as LyCORIS calls it."""
    change = _random(dice, *weight.shape)
    return {"w_norm": change}, change
