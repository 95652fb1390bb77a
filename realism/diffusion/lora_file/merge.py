"""Put a file's changes on a base's layers, and take them off again, exactly.

A LoRA of two matrices stays beside the weight, as PEFT has it: it can be trained on, and put on a
base that is held in 4 bits. What is more than that is added to the weight itself; the weight as it
was is kept and comes back as it was, bit for bit. DoRA and its kin start from that weight, so the
order in which files are put on does not count.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from realism.diffusion.lora_file.forms import bias_change, low_rank, weight_change
from realism.diffusion.lora_file.read import Change
from realism.diffusion.lora_file.spellings import base_layers
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

LowRank = tuple["torch.Tensor", "torch.Tensor", float]  # down, up, alpha

# Module -> its weight and bias before anything was added to them.
_BEFORE: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def put_on(
    parts: Mapping[str, Any], changes: Iterable[Change], name: str, strength: float, file: str,
    settings: Mapping[str, dict[str, Any]],
) -> set[str]:  # fmt: skip
    """Put changes on: matrices beside the weights, what is more than these into them.

    Parameters
    ----------
    parts : mapping of str to torch.nn.Module
        The parts of a base that a LoRA may change.
    changes : iterable of Change
        Of one file, that fits.
    name : str
        PEFT's name for the matrices.
    strength : float
        Of what goes into the weights; PEFT is told its own.
    file : str
        For messages.
    settings : mapping of str to dict
        PEFT's settings of a part, to give the matrices where they are known.

    Returns
    -------
    set of str
        The parts that have matrices now.
    """
    layers = base_layers(parts)
    beside: dict[str, dict[str, LowRank]] = {}
    merged = []
    for change in changes:
        matrices = low_rank(change.tensors)
        if matrices is None or not all(_takes_matrices(layers[r.layer]) for r in change.rows):
            merged.append(change)
            continue
        for layer, own in _split(change, matrices, layers).items():
            part, _, inner = layer.partition(".")
            beside.setdefault(part, {})[inner] = own
    for change in merged:
        _refuse_packed(change, layers, file)
    for change in merged:
        _merge(change, layers, strength)
    for part, matrices_of in beside.items():
        _attach(parts[part], matrices_of, name, settings.get(part, {}))
    return set(beside)


def restore_weights(parts: Iterable[Any]) -> None:
    """Give every layer the weight back that it had before anything was added to it.

    Parameters
    ----------
    parts : iterable of torch.nn.Module
        As of `put_on`.
    """
    for part in parts:
        for layer in part.modules():
            for name, before in _BEFORE.pop(layer, {}).items():
                if before is None:
                    setattr(layer, name, None)
                    continue
                now = getattr(layer, name)
                now.data = before.to(now.device)


# --- beside the weights ------------------------------------------------------------------------


def _takes_matrices(layer: Any) -> bool:
    """Whether PEFT puts a LoRA beside a layer of this kind as our files mean it."""
    import torch

    return isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)


def _split(change: Change, matrices: LowRank, layers: Mapping[str, Any]) -> dict[str, LowRank]:
    """Layer to its own down, up and alpha, of a file's layer that may be several of ours."""
    down, up, alpha = matrices
    own: dict[str, Any] = {}
    for rows in change.rows:
        height = sum(row.stop - row.start for row in change.rows if row.layer == rows.layer)
        whole = own.setdefault(rows.layer, up.new_zeros(height, up.shape[1]))
        whole[rows.at : rows.at + rows.stop - rows.start] = up[rows.start : rows.stop]
    return {layer: (down, whole, alpha) for layer, whole in own.items()}


def _attach(part: Any, own: Mapping[str, LowRank], name: str, settings: dict[str, Any]) -> None:
    """Put matrices beside the layers of a part, as PEFT does."""
    from peft import LoraConfig

    ranks = {layer: down.shape[0] for layer, (down, _, _) in own.items()}
    alphas = {layer: alpha for layer, (_, _, alpha) in own.items()}
    rank = max(ranks.values())
    alpha: Any = max(alphas.values())  # PEFT says int, and reckons with what it is given
    targets = settings.get("target_modules")
    if not targets or _matched(part, targets) != set(own):
        targets = _any_of(own)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        rank_pattern=_pattern(ranks, rank),
        alpha_pattern=_pattern(alphas, alpha),
        target_modules=targets,
        init_lora_weights=False,
    )
    with warnings.catch_warnings():
        # peft 0.21 asks whether a second adapter is meant: a style beside a person is.
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        part.add_adapter(config, name)
    wrapped = dict(part.named_modules())
    for layer, (down, up, _) in own.items():
        for side, value in ((wrapped[layer].lora_A, down), (wrapped[layer].lora_B, up)):
            weight = side[name].weight
            weight.data.copy_(value.reshape(weight.shape))


def _matched(part: Any, targets: Any) -> set[str]:
    """The layers of a part that PEFT would take for these targets."""
    ends = {targets} if isinstance(targets, str) else set(targets)
    names = [name.removeprefix(".") for name in base_layers({"": part})]
    return {n for n in names if any(n == end or n.endswith(f".{end}") for end in ends)}


def _any_of(layers: Iterable[str]) -> str:
    return "|".join(f"(?:^{re.escape(layer)})" for layer in layers)


def _pattern(values: Mapping[str, float], usual: float) -> dict[str, Any]:
    """Values of layers that differ from the usual one, in PEFT's form: few, long expressions."""
    others: dict[float, list[str]] = {}
    for layer, value in values.items():
        if value != usual:
            others.setdefault(value, []).append(layer)
    return {_any_of(layers): value for value, layers in others.items()}


# --- into the weights --------------------------------------------------------------------------


def _refuse_packed(change: Change, layers: Mapping[str, Any], file: str) -> None:
    """Refuse a layer that is held in few bits: nothing can be added to that exactly."""
    import torch

    for rows in change.rows:
        weight = layers[rows.layer].weight.data
        if type(weight) is not torch.Tensor or not weight.is_floating_point():
            raise InputError("lora_needs_whole_weights", name=file, layer=rows.layer)


def _merge(change: Change, layers: Mapping[str, Any], strength: float) -> None:
    """Add a change to the weight and the bias of the layers that it is of."""
    import torch

    first = layers[change.rows[0].layer].weight
    tensors = {role: tensor.to(first.device) for role, tensor in change.tensors.items()}
    height = max(row.stop for row in change.rows)
    whole = torch.zeros(height, *first.shape[1:], device=first.device)
    for row in change.rows:
        before = _before(layers[row.layer], "weight").to(first.device, torch.float32)
        whole[row.start : row.stop] = before[row.at : row.at + row.stop - row.start]
    bias = bias_change(tensors)
    weight = weight_change(tensors, whole)
    for row in change.rows:
        place = slice(row.at, row.at + row.stop - row.start)
        if set(tensors) - {"bias"}:
            _add(layers[row.layer], "weight", place, strength * weight[row.start : row.stop])
        if bias is not None:
            _add(layers[row.layer], "bias", place, strength * bias[row.start : row.stop])


def _before(layer: Any, name: str) -> Any:
    """A layer's weight or bias as the base has it."""
    kept = _BEFORE.get(layer, {})
    return kept[name] if name in kept else getattr(layer, name).data


def _add(layer: Any, name: str, place: slice, change: torch.Tensor) -> None:
    import torch

    kept = _BEFORE.setdefault(layer, {})
    now = getattr(layer, name)
    if name not in kept:
        # In main memory: on the card there may be no room for both.
        kept[name] = None if now is None else now.data.cpu()
    if now is None:
        now = torch.nn.Parameter(layer.weight.data.new_zeros(layer.weight.shape[0]), False)
        setattr(layer, name, now)
    value = now.data.float().clone()
    value[place] += change.reshape(value[place].shape)
    now.data = value.to(now.dtype)
