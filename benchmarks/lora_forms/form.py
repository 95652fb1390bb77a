"""One form of LoRA file: written as its tool writes it, put on, held against hand-made weights."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import recurse_remove_peft_layers
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.lora_forms.makers import Maker
from benchmarks.lora_forms.networks import Model, build
from realism.diffusion.lora_file.merge import put_on, restore_weights
from realism.diffusion.lora_file.read import read_lora
from realism.diffusion.lora_file.spellings import base_layers
from realism.diffusion.pickles import is_pickle, safetensors_of
from realism.errors import InputError

Changes = dict[str, Tensor]  # "unet.conv_in.weight" -> what is added to it, wholly on
Writer = Callable[[Model, torch.Generator], tuple[dict[str, Tensor], Changes]]

KOHYA: Mapping[str, str] = {}
LETTERS = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}
NAMED = {"lora_down.weight": "lora_A.default.weight", "lora_up.weight": "lora_B.default.weight"}
NESTED = {"lora_down.weight": "lora.down.weight", "lora_up.weight": "lora.up.weight"}
LINEAR_LAYER = {
    "lora_down.weight": "lora_linear_layer.down.weight",
    "lora_up.weight": "lora_linear_layer.up.weight",
}
PROCESSOR = {"lora_down.weight": "_lora.down.weight", "lora_up.weight": "_lora.up.weight"}


@dataclass(frozen=True, eq=False)
class Form:
    """A form of file.

    Attributes
    ----------
    name : str
        What it is, and who writes it.
    family : str
        Of the base that it is held against, a key of `networks`.
    write : callable
        Its tensors, and what they change.
    refused : str
        The code of the error that it must meet; "": it must be put on exactly.
    left_out : tuple of str
        Textual inversions that must be named.
    strength_said : bool
        Whether the file must be found to say its strength.
    dtype : torch.dtype
        Of its tensors.
    metadata, config : dict
        What diffusers or kohya's trainer write in the file, and PEFT beside it.
    suffix : str
        Of the file; a pickle where it is not safetensors'.
    beside : object, optional
        What a pickle holds beside its tensors.
    """

    name: str
    family: str
    write: Writer
    refused: str = ""
    left_out: tuple[str, ...] = ()
    strength_said: bool = True
    dtype: torch.dtype = torch.float32
    metadata: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    suffix: str = ".safetensors"
    beside: object = None


@dataclass(frozen=True)
class Result:
    """What happened to a form.

    Attributes
    ----------
    difference : float or None
        Largest, of what the networks answer, against weights merged by hand; at full and at half
        strength. None where the file was refused.
    code, sentence : str
        Why it was refused.
    left_out : tuple of str
        Textual inversions named.
    strength_said : bool
        Whether its alpha is known.
    clean : bool
        Whether the networks answer as before once it is taken off, bit for bit.
    """

    difference: float | None
    code: str
    sentence: str
    left_out: tuple[str, ...]
    strength_said: bool
    clean: bool


def layers(
    ours: Iterable[str], spell: Callable[[str], str], maker: Maker,
    endings: Mapping[str, str] = KOHYA,
) -> Writer:  # fmt: skip
    """A file of layers, each changed by `maker`, under a tool's names."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        held, tensors, changes = base_layers(model.parts), {}, {}
        for name in ours:
            made, change = maker(held[name].weight.data.clone(), dice)
            tensors |= _named(spell(name), made, endings)
            changes[f"{name}.weight"] = change
        return tensors, changes

    return write


def stacked(
    theirs: str, ours: Iterable[str], maker: Maker, endings: Mapping[str, str] = KOHYA,
    swapped: bool = False,
) -> Writer:  # fmt: skip
    """A layer of a tool that is several of ours one under the other, or one with halves swapped."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        held = base_layers(model.parts)
        weights = [held[name].weight.data for name in ours]
        heights = [len(weight) for weight in weights]
        whole = torch.cat(weights)
        turn = len(whole) // 2 if swapped else 0
        made, change = maker(whole.roll(turn, 0), dice)
        pieces = change.roll(-turn, 0).split(heights)
        names = [f"{name}.weight" for name in ours]
        return _named(theirs, made, endings), dict(zip(names, pieces, strict=True))

    return write


def with_bias(writer: Writer, ours: str, name: str, scale: float = 1.0) -> Writer:
    """What `writer` writes, and a change of the bias of one of its layers."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        tensors, changes = writer(model, dice)
        bias = torch.randn(len(base_layers(model.parts)[ours].weight), generator=dice)
        return tensors | {name: bias}, changes | {f"{ours}.bias": scale * bias}

    return write


def together(*writers: Writer) -> Writer:
    """Several in one file."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        tensors: dict[str, Tensor] = {}
        changes: Changes = {}
        for writer in writers:
            more, changed = writer(model, dice)
            tensors, changes = tensors | more, changes | changed
        return tensors, changes

    return write


def plus(writer: Writer, **tensors: Tensor) -> Writer:
    """What `writer` writes, and other tensors; "__" in a name is a dot."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        made, changes = writer(model, dice)
        return made | {name.replace("__", "."): value for name, value in tensors.items()}, changes

    return write


def without(writer: Writer, ending: str) -> Writer:
    """What `writer` writes, less the last tensor with that ending."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        made, changes = writer(model, dice)
        made.pop([name for name in made if name.endswith(ending)][-1])
        return made, changes

    return write


def spoiled(writer: Writer, value: float) -> Writer:
    """What `writer` writes, with one number changed."""

    def write(model: Model, dice: torch.Generator) -> tuple[dict[str, Tensor], Changes]:
        made, changes = writer(model, dice)
        next(iter(made.values())).view(-1)[0] = value
        return made, changes

    return write


def _named(
    layer: str, tensors: Mapping[str, Tensor], endings: Mapping[str, str]
) -> dict[str, Tensor]:
    named = {}
    for name, tensor in tensors.items():
        ending = endings.get(name, name)
        if ending:  # "": this tool does not write it
            named[layer + ("" if ending.startswith("_") else ".") + ending] = tensor
    return named


# --- tried -------------------------------------------------------------------------------------


def write_file(form: Form, folder: Path) -> tuple[Path, Changes]:
    """The file of a form, and what it must change; always the same."""
    model = build(form.family)
    tensors, changes = form.write(model, torch.Generator().manual_seed(7))
    held = {name: value.to(form.dtype).clone().contiguous() for name, value in tensors.items()}
    stem = "adapter_model" if form.config else "lora"
    file = folder / f"{stem}{form.suffix}"
    metadata = {name: json.dumps(value) for name, value in form.metadata.items()}
    if form.suffix == ".safetensors":
        save_file(held, file, metadata or None)
    else:
        torch.save(held | ({"beside": form.beside} if form.beside else {}), file)
    if form.config:
        (folder / "adapter_config.json").write_text(json.dumps(form.config))
    return file, changes


def try_form(form: Form, folder: Path) -> Result:
    """Write a file of the form into `folder`, put it on, and compare."""
    model = build(form.family)
    file, changes = write_file(form, folder)
    plain = _answer(model, model.parts)
    try:
        given = safetensors_of(file) if is_pickle(file) else file
        held = read_lora(given, model.parts, model.network, f"a tiny {form.family}", folder)
    except InputError as error:
        return Result(None, error.code, str(error), (), True, True)
    difference, clean = 0.0, True
    for strength in (1.0, 0.5):
        parts = copy.deepcopy(model.parts)
        settings = {part: held.settings.of(part) for part in parts}
        put_on(parts, held.changes, "form", strength, file.name, settings)
        _set_strength(parts, strength)
        wanted = _answer(model, merge_by_hand(model, changes, strength))
        assert _largest(wanted, plain) > 1e-3, f"{form.name} changes nothing"
        difference = max(difference, _largest(_answer(model, parts), wanted))
        restore_weights(parts.values())
        for part in parts.values():
            recurse_remove_peft_layers(part)
        clean &= _largest(_answer(model, parts), plain) == 0
    return Result(difference, "", "", held.embeddings, held.strength_said, clean)


def _set_strength(parts: Mapping[str, Any], strength: float) -> None:
    """Tell PEFT's layers how strong they are, as a pipeline does."""
    for part in parts.values():
        for module in part.modules():
            if "form" in getattr(module, "scaling", ()):
                module.set_scale("form", strength)


def merge_by_hand(model: Model, changes: Changes, strength: float) -> dict[str, Any]:
    """Copies of the parts with the changes added to their weights."""
    parts = copy.deepcopy(model.parts)
    for name, change in changes.items():
        layer, _, kind = name.rpartition(".")
        module = base_layers(parts)[layer]
        before = getattr(module, kind)
        if before is None:
            setattr(module, kind, torch.nn.Parameter(strength * change))
        else:
            before.data += strength * change.reshape(before.shape)
    return parts


def _answer(model: Model, parts: Mapping[str, Any]) -> list[Tensor]:
    with torch.no_grad():
        return model.answer(dict(parts))


def _largest(ours: list[Tensor], others: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, others, strict=True))
