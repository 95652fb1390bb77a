"""What a layer's tensors in a LoRA file make of its weight.

LoRA: up · down (Hu et al., ICLR 2022); LoCon: the same for convolutions; Tucker: a core between the
two. LoHa: the product, number by number, of two of these (Hyeon-Woo et al., ICLR 2022). LoKr: a
Kronecker product (Edalati et al., 2022). DoRA: what one of these makes of the weight gives the
direction of its rows, or of its columns, and the file their length (Liu et al., ICML 2024). All as
LyCORIS trains them (Yeh et al., ICLR 2024), times alpha over the rank; or the difference itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]  # by their role in `keys.ENDINGS`

_LOHA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
_TUCKER_LOHA = ("hada_t1", "hada_t2")
_SCALED = frozenset(
    {"alpha", "scalar", "dora_scale", "row_lengths", "bias"}
)  # may stand beside any factors


@dataclass(frozen=True)
class _Form:
    """A form: the roles that it cannot be without, and those it may have."""

    needed: tuple[str, ...]
    allowed: frozenset[str]


def _form_of(roles: Collection[str]) -> _Form:
    """The form that a layer's roles are of, by the first that is there."""
    if any(role.startswith("hada") for role in roles):
        tucker = _TUCKER_LOHA if set(_TUCKER_LOHA) & set(roles) else ()
        return _Form(_LOHA + tucker, _SCALED)
    if any(role.startswith("lokr") for role in roles):
        needed: tuple[str, ...] = ()
        for factor in ("lokr_w1", "lokr_w2"):
            pair = (f"{factor}_a", f"{factor}_b")
            split = set(pair) & set(roles) or ("lokr_t2" in roles and factor == "lokr_w2")
            needed += pair if split else (factor,)
        return _Form(needed, _SCALED | {"lokr_t2"})
    if set(roles) & {"weight", "bias"} and not set(roles) & {"down", "up"}:
        return _Form((), frozenset({"weight", "bias"}))
    return _Form(("down", "up"), _SCALED | {"mid", "up_bias"})


def missing_roles(roles: Collection[str]) -> list[str]:
    """What a layer lacks to be whole; [] where nothing is missing."""
    return [role for role in _form_of(roles).needed if role not in roles]


def foreign_roles(roles: Collection[str]) -> list[str]:
    """What a layer has of another form than its own: then it is none."""
    form = _form_of(roles)
    return [role for role in roles if role not in form.allowed and role not in form.needed]


def changed_shape(tensors: Tensors) -> tuple[int, int] | None:
    """Rows and columns of the weight that is changed, without making the change.

    Returns
    -------
    (int, int) or None
        A convolution's kernel counts with the columns. None where only the bias is changed, or
        where the factors do not fit one another.
    """
    shape: dict[str, tuple[int, ...]] = {role: tuple(held.shape) for role, held in tensors.items()}
    if any(prod(shape.get(role, ())) != 1 for role in ("alpha", "scalar")):
        return None
    if "weight" in shape:
        return _flat(shape["weight"])
    if "hada_w1_a" in shape:
        halves = [
            _factor_shape(shape.get(f"hada_t{n}"), shape[f"hada_w{n}_a"], shape[f"hada_w{n}_b"])
            for n in (1, 2)
        ]
        return halves[0] if halves[0] == halves[1] else None
    if any(role.startswith("lokr") for role in shape):
        sides = []
        for name, core in (("lokr_w1", None), ("lokr_w2", shape.get("lokr_t2"))):
            if name in shape:
                sides.append(_flat(shape[name]))
            else:
                sides.append(_factor_shape(core, shape[f"{name}_a"], shape[f"{name}_b"]))
        first, second = sides
        return (first[0] * second[0], first[1] * second[1]) if first and second else None
    if "down" in shape:
        down, up = shape["down"], shape["up"]
        if "mid" in shape:
            if min(len(up), len(down)) < 2 or shape["mid"][:2] != (up[1], down[0]):
                return None
            return up[0], prod(down[1:]) * prod(shape["mid"][2:])
        return _product(up, down)
    return None


def _flat(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows, and columns with the kernel."""
    return (shape[0], prod(shape[1:])) if len(shape) else None


def _factor_shape(
    core: tuple[int, ...] | None, left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, int] | None:
    """Rows and columns of left · right, or of a core between them; None: they do not fit."""
    if core is None:
        return _product(left, right)
    fits = len(left) == len(right) == 2 and core[:2] == (left[0], right[0])
    return (left[1], right[1] * prod(core[2:])) if fits else None


def _product(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of left · right, what lies beyond two sides flat; None: they do not fit."""
    if min(len(left), len(right)) < 2 or not left[1] == right[0] > 0 or prod(left[2:]) != 1:
        return None
    return left[0], prod(right[1:])


def low_rank(tensors: Tensors) -> tuple[torch.Tensor, torch.Tensor, float] | None:
    """The change as down (rank, columns), up (rows, rank) and alpha; None where it is more.

    What comes out can be put beside a weight, and trained on: up · down · alpha / rank.
    """
    if "down" not in tensors or set(tensors) & {"dora_scale", "row_lengths", "up_bias", "bias"}:
        return None
    down, up = _down(tensors), tensors["up"].flatten(1)
    if "scalar" in tensors:
        up = up * tensors["scalar"]
    return down, up, _alpha(tensors, down.shape[0])


def weight_change(tensors: Tensors, weight: torch.Tensor) -> torch.Tensor:
    """What is added to a weight, wholly on.

    Parameters
    ----------
    tensors : mapping of str to float32 tensor
        Of a layer that is whole and fits.
    weight : (rows, columns, ...) float32 tensor
        As the base has it.

    Returns
    -------
    float32 tensor
        Of the weight's shape.
    """
    if "weight" in tensors:
        return tensors["weight"].reshape(weight.shape)
    if not any(role in tensors for role in ("down", "hada_w1_a")) and not _is_lokr(tensors):
        return weight.new_zeros(weight.shape)
    change = _product_change(tensors).reshape(weight.shape)
    if "scalar" in tensors:
        change = change * tensors["scalar"]
    if "row_lengths" in tensors:
        return _with_lengths(weight + change, tensors["row_lengths"].reshape(-1)) - weight
    if "dora_scale" in tensors:
        return _with_lengths(weight + change, tensors["dora_scale"]) - weight
    return change


def bias_change(tensors: Tensors) -> torch.Tensor | None:
    """What is added to a bias, wholly on; None: nothing."""
    change = tensors.get("bias")
    if "up_bias" in tensors:
        rank = tensors["down"].shape[0]
        own = tensors["up_bias"] * (_alpha(tensors, rank) / rank)
        change = own if change is None else change + own
    return change


def _product_change(tensors: Tensors) -> torch.Tensor:
    """The product of a layer's factors, scaled, (rows, columns) or with a kernel behind."""
    import torch

    if "down" in tensors:
        down = _down(tensors)
        rank = down.shape[0]
        return tensors["up"].flatten(1) @ down * (_alpha(tensors, rank) / rank)
    if _is_lokr(tensors):
        first, rank = _factor(tensors, "lokr_w1")
        second, other = _factor(tensors, "lokr_w2")
        rank = rank or other
        # Two whole matrices have no rank, and are trained unscaled whatever alpha says.
        scale = _alpha(tensors, rank) / rank if rank else 1.0
        return torch.kron(first.contiguous(), second.contiguous()) * scale
    rank = tensors["hada_w1_b"].shape[0]
    scale = _alpha(tensors, rank) / rank
    if "hada_t1" in tensors:
        halves = [
            _tucker(tensors[f"hada_t{n}"], tensors[f"hada_w{n}_a"], tensors[f"hada_w{n}_b"])
            for n in (1, 2)
        ]
    else:
        halves = [
            tensors[f"hada_w{n}_a"].flatten(1) @ tensors[f"hada_w{n}_b"].flatten(1) for n in (1, 2)
        ]
    return halves[0] * halves[1] * scale


def _is_lokr(tensors: Tensors) -> bool:
    return any(role.startswith("lokr") for role in tensors)


def _down(tensors: Tensors) -> torch.Tensor:
    """Down as (rank, columns), with the core of a Tucker decomposition in it."""
    import torch

    down = tensors["down"].flatten(1)
    if "mid" not in tensors:
        return down
    return torch.einsum("or...,ri->oi...", tensors["mid"], down).flatten(1)


def _factor(tensors: Tensors, name: str) -> tuple[torch.Tensor, int]:
    """One side of a Kronecker product, (rows, columns), and its rank; 0 where it is whole."""
    if name in tensors:
        return tensors[name].flatten(1), 0
    left, right = tensors[f"{name}_a"], tensors[f"{name}_b"]
    core = tensors.get("lokr_t2") if name == "lokr_w2" else None
    if core is not None:
        return _tucker(core, left, right).flatten(1), right.shape[0]
    return left.flatten(1) @ right.flatten(1), right.shape[0]


def _tucker(core: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """A core (rank, rank, kernel...) between left (rank, rows) and right (rank, columns)."""
    import torch

    return torch.einsum("pq...,pi,qj->ij...", core, left, right)


def _alpha(tensors: Tensors, rank: int) -> float:
    """Alpha; the rank where none is given, as all trainers have it, or where it is zero."""
    alpha = tensors.get("alpha")
    return (float(alpha) if alpha is not None else 0.0) or float(rank)


def _with_lengths(weight: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """A weight whose rows, or columns, have the lengths given.

    Parameters
    ----------
    lengths : tensor
        One for each row, (rows,) or (rows, 1, ...); or one for each column of the input,
        (1, columns, ...), as LyCORIS before 2024 and OneTrainer write unless told otherwise.
    """
    import torch

    rows, columns, *kernel = weight.shape
    flat = weight.reshape(rows, columns, -1)
    of_rows = lengths_of_rows(lengths.shape, rows)
    norm = flat.norm(dim=(1, 2) if of_rows else (0, 2))
    shape = (rows, 1) if of_rows else (1, columns)
    factor = lengths.reshape(-1) / norm.clamp_min(torch.finfo(weight.dtype).eps)
    return weight * factor.reshape(*shape, *[1] * len(kernel))


def lengths_of_rows(shape: tuple[int, ...], rows: int) -> bool:
    """Whether DoRA's lengths, of this shape, are of the rows of a weight; else of its columns."""
    return shape[:1] == (rows,) and prod(shape) == rows
