"""LoRA files: what a person or a style adds to a base, in and out.

Ours (Hu et al., ICLR 2022) is a folder with `pytorch_lora_weights.safetensors` in the layout of
diffusers, which other tools load too, and beside it `adapter.json`: what it was trained for, and
the fingerprint of the base. Files of other tools come in many forms (`lora_file/`): each is held
against the base's own layers first, and put on whole or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.diffusion.base import Base
from realism.diffusion.lora_file.kohya import kohya_tensors
from realism.diffusion.lora_file.merge import put_on, restore_weights
from realism.diffusion.lora_file.read import read_lora
from realism.diffusion.pickles import is_pickle, safetensors_of
from realism.disk import read_json, write_bytes, write_json
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

WEIGHTS = "pytorch_lora_weights.safetensors"
SIDECAR = "adapter.json"
SCHEMA = 1
KINDS = ("stage1", "person", "style")


@dataclass(frozen=True)
class Adapter:
    """A LoRA to put on, and how strongly.

    Attributes
    ----------
    path : Path
        Its .safetensors file, or the folder that holds it.
    weight : float
        0 leaves the base as it is, 1 is as trained.
    """

    path: Path
    weight: float = 1.0

    @property
    def file(self) -> Path:
        """The .safetensors file; raises InputError where there is none."""
        return lora_file(self.path)

    @property
    def name(self) -> str:
        """What it is called: "person/best" for one of ours, else its file's or folder's name."""
        name = self.file.parent.name if self.file.name == WEIGHTS else self.file.stem
        kind = describe_lora(self.path).get("kind")
        return f"{kind}/{name}" if kind else name


def lora_file(path: Path) -> Path:
    """The .safetensors file at `path`, which may be a folder with one; of a pickle its safe copy.

    Raises
    ------
    InputError
        Where there is none, or a pickle of more than tensors.
    """
    file = _given_file(path)
    return safetensors_of(file) if is_pickle(file) else file


def _given_file(path: Path) -> Path:
    """The file at `path`, or the one of a folder there; raises InputError where there is none."""
    path = Path(path)
    if path.is_dir():
        inside = path / WEIGHTS
        others = sorted(path.glob("[!.]*.safetensors"))
        others = others or [file for file in sorted(path.iterdir()) if is_pickle(file)]
        path = inside if inside.exists() or len(others) != 1 else others[0]
    if not path.is_file():
        raise InputError("lora_not_found", path=path)
    return path


def describe_lora(path: Path) -> dict[str, Any]:
    """What `adapter.json` beside a LoRA says; {} where it comes from elsewhere."""
    sidecar = _given_file(path).parent / SIDECAR
    if not sidecar.exists():
        return {}
    description = read_json(sidecar, "file_adapter_description")
    if not isinstance(description, dict):
        raise InputError("lora_description_malformed", file=sidecar)
    return description


def add_lora(
    base: Base, rank: int, name: str = "default", targets: Sequence[str] | None = None
) -> list[torch.nn.Parameter]:
    """Put a new, neutral LoRA on the network and return its parameters, ready to be trained.

    Parameters
    ----------
    rank : int
        Of its matrices; alpha is the same.
    targets : sequence of str, optional
        How the names of its layers end; None: the attention.
    """
    from peft import LoraConfig

    network = base.network
    network.requires_grad_(False)
    layers = list(base.family.attention if targets is None else targets)
    network.add_adapter(
        LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=layers),
        adapter_name=name,
    )
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def load_lora(base: Base, path: Path, name: str = "default", weight: float = 1.0) -> dict[str, Any]:
    """Put the LoRA at `path` on the base, beside those on it, and return what is known of it.

    Returns
    -------
    dict
        As of `describe_lora`, and "left_out": the textual inversions in the file, and
        "strength_said": whether its alpha is known.

    Raises
    ------
    InputError
        Damaged, not a LoRA, of a kind that is not applied here, or one of another base.
    """
    given = _given_file(path)
    file, description = lora_file(given), describe_lora(given)
    kin = base.family.shares_loras and description.get("family") == base.family.name
    if description.get("fingerprint") not in (None, base.fingerprint) and not kin:
        raise InputError(
            "lora_other_base",
            lora=given.parent.name,
            made_on=description.get("base") or Message("of_another_name"),
            base=base.name,
        )
    parts = _parts(base)
    held = read_lora(file, parts, base.family.network, base.name, given.parent)
    before = _attached_weights(base)
    settings = {part: held.settings.of(part) for part in parts}
    if put_on(parts, held.changes, name, weight, file.name, settings):
        base.pipeline.set_adapters([*before, name], [*before.values(), weight])
    elif before:
        base.pipeline.set_adapters([*before], [*before.values()])
    return description | {"left_out": held.embeddings, "strength_said": held.strength_said}


def remove_loras(base: Base) -> None:
    """Leave the base as it was loaded: without any LoRA, its weights as they were."""
    base.pipeline.unload_lora_weights()
    restore_weights(_parts(base).values())


def save_lora(base: Base, folder: Path, description: dict[str, Any], name: str = "default") -> Path:
    """Write the network's LoRA `name` and its description to `folder`; return the weights' file.

    Parameters
    ----------
    description : dict
        {"kind": one of KINDS, "trigger": ..., "steps": ..., ...}: plain JSON values; schema, base
        and fingerprint are added here.
    """
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    if description.get("kind") not in KINDS:
        raise ValueError(f"kind {description.get('kind')!r} is none of {KINDS}")
    tensors = get_peft_model_state_dict(base.network, adapter_name=name)
    config = base.network.peft_config[name]
    if not base.family.peft_names and set(config.target_modules) <= set(base.family.attention):
        # The names that most tools know. With other layers in it diffusers 0.42 drops the
        # attention on loading again, in silence: then peft's own names, which load exactly.
        tensors = convert_state_dict_to_diffusers(tensors)
    part = base.family.network
    settings = {
        f"{part}.{key}": sorted(value) if isinstance(value, set) else value
        for key, value in config.to_dict().items()
    }
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(settings, sort_keys=True)}
    held = {f"{part}.{key}": value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_bytes(Path(folder) / WEIGHTS, save(held, metadata))
    write_json(
        Path(folder) / SIDECAR,
        {
            "schema": SCHEMA,
            **description,
            "base": base.name,
            "family": base.family.name,
            "fingerprint": base.fingerprint,
        },
    )
    return Path(folder) / WEIGHTS


def save_kohya(lora: Path, target: Path) -> Path:
    """Write a LoRA of ours once more, as A1111, Forge and ComfyUI read it; returns `target`.

    Parameters
    ----------
    lora : Path
        Its folder or file.
    target : Path
        A .safetensors file.

    Raises
    ------
    InputError
        It is none of ours.
    """
    from safetensors.torch import save

    file, description = lora_file(lora), describe_lora(lora)
    family = str(description.get("family") or "")
    metadata = {
        "format": "pt",
        "ss_network_module": "networks.lora",
        "modelspec.title": target.stem,
    }
    if trigger := description.get("trigger"):
        metadata["modelspec.trigger_phrase"] = str(trigger)
    write_bytes(target, save(kohya_tensors(file, family), metadata))
    return target


def halve_lora(lora: Path) -> None:
    """Write a LoRA's numbers anew in float16, in its place: half the bytes."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save

    file = lora_file(lora)
    with safe_open(file, "pt") as held:
        metadata = held.metadata()
        tensors = {name: held.get_tensor(name).to(torch.float16) for name in held.keys()}  # noqa: SIM118
    write_bytes(file, save(tensors, metadata))


def copy_lora(lora: Path, target: Path) -> Path:
    """Write a LoRA's file once more, as it is; returns `target`."""
    write_bytes(target, lora_file(lora).read_bytes())
    return target


@contextmanager
def applied_loras(base: Base, adapters: Sequence[Adapter]) -> Iterator[list[dict[str, Any]]]:
    """The base with these LoRAs on, each at its weight; without any when the block ends.

    Yields
    ------
    list of dict
        The description of each.
    """
    try:
        yield [
            load_lora(base, adapter.path, f"lora{number}", adapter.weight)
            for number, adapter in enumerate(adapters)
        ]
    finally:
        remove_loras(base)


def _parts(base: Base) -> dict[str, Any]:
    """The parts of a base that a LoRA may change, by their names in LoRA files."""
    return {name: getattr(base.pipeline, name) for name in base.family.lora_parts}


def _attached_weights(base: Base) -> dict[str, float]:
    """Name to weight of the LoRAs on the base now."""
    found: dict[str, float] = {}
    for part in _parts(base).values():
        for module in part.modules():
            for name in getattr(module, "lora_A", ()):
                weight = module.scaling[name] * module.r[name] / module.lora_alpha[name]
                found.setdefault(name, weight)
    return found
