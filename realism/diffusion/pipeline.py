"""A base's files as a pipeline of diffusers: all tensors there, nothing filled in by chance.

diffusers fills a layer that has no tensors with noise, or with nothing, and goes on: so what the
files hold is compared with what their configurations ask for before anything is built.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.diffusion.device import Device
from realism.diffusion.identify import BaseFiles
from realism.diffusion.placement import Placement
from realism.diffusion.single_file import SCALES, SingleFile, load_tensors
from realism.diffusion.weights import merge_headers
from realism.disk import read_json
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

PLAIN = Placement()
OLD_ATTENTION = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


def load_pipeline(files: BaseFiles, device: Device, placement: Placement = PLAIN) -> Any:
    """Load a base's parts, frozen, on a device.

    Parameters
    ----------
    files : BaseFiles
        As `read_base` tells.
    device : Device
    placement : Placement
        Offloaded, it waits in the processor's memory.

    Returns
    -------
    diffusers.DiffusionPipeline
        VAE float32, the rest `device.dtype` or fewer bits; with the scheduler of its files.

    Raises
    ------
    InputError
        Tensors are missing or of other shapes, or the files do not fit together.
    """
    from diffusers.utils import logging as diffusers_logging
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    # They warn of what is left out on purpose.
    for log in (diffusers_logging, transformers_logging):
        log.set_verbosity_error()
        log.disable_progress_bar()
    load = _load_folder if files.path.is_dir() else _load_single_file
    try:
        pipeline = load(files, device)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError("base_cannot_be_loaded", base=files.path.name, reason=reason) from error
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if hasattr(part, "requires_grad_"):
            part.requires_grad_(False).eval()
    if placement.bits:
        from realism.diffusion.quantise import quantise

        for part in files.family.weight_parts:
            if part != "vae":
                quantise(getattr(pipeline, part), placement.bits)
    return pipeline if placement.offload else pipeline.to(device.name)


def _load_folder(files: BaseFiles, device: Device, **parts: Any) -> Any:
    """Parts that are not given are read from the base's folder."""
    import torch

    require_all_tensors(files)
    return files.family.pipeline_class().from_pretrained(
        files.config,
        variant=files.variant,
        use_safetensors=True,
        local_files_only=True,
        dtype={"default": device.dtype, "vae": torch.float32},
        **parts,
        **files.family.left_out(),
    )


def _load_single_file(files: BaseFiles, device: Device) -> Any:
    import torch

    require_all_tensors(files)
    if not files.family.whole_files:
        network = files.family.network
        return _load_folder(files, device, **{network: _build(files, network, device.dtype)})
    parts = {
        part: _build(files, part, torch.float32 if part == "vae" else device.dtype)
        for part in files.family.weight_parts
    }
    # All parts are given: it reads but the index and the scheduler.
    return files.family.pipeline_class().from_pretrained(
        files.config,
        local_files_only=True,
        scheduler=_scheduler(files),
        **parts,
        **files.family.tokenizers(),
        **files.family.left_out(),
    )


def _scheduler(files: BaseFiles) -> Any:
    """Our scheduler for the family, with what a single file says of the noise."""
    scheduler_class = _class_of(files.config, "scheduler")
    config = scheduler_class.load_config(files.config / "scheduler")
    return scheduler_class.from_config(
        {**config, **(files.single.scheduler if files.single else {})}
    )


def _build(files: BaseFiles, part: str, dtype: torch.dtype) -> Any:
    """A part of a single file, loaded."""
    model = _empty_part(files.config, part)
    held = files.family.convert_file(part, model, load_tensors(*_tensors_of(files, part)))
    model.load_state_dict({name: held[name] for name in model.state_dict()}, assign=True)
    return model.to(dtype)


def _tensors_of(files: BaseFiles, part: str) -> tuple[SingleFile, tuple[str, ...]]:
    """In which file a part's tensors lie, and how their names begin there."""
    assert files.single is not None
    if part == "vae" and files.vae:
        return files.vae, ("",)
    kind = {"vae": "vae", files.family.network: "network"}.get(part, "text")
    return files.single, files.family.file_prefixes[kind]


# Are all tensors there? -----------------------------------------------------------------------


def require_all_tensors(files: BaseFiles) -> None:
    """Refuse a base of which a part lacks tensors or has them in other shapes.

    Raises
    ------
    InputError
        With the part, how many are wrong, and the first of them.
    """
    for part in files.family.weight_parts:
        in_file = files.single and (files.family.whole_files or part == files.family.network)
        wanted, wrong = _wrong_in_file(files, part) if in_file else _wrong_in_folder(files, part)
        if wrong:
            raise InputError(
                "base_part_incomplete",
                name=files.path.name,
                part=part,
                wrong=len(wrong),
                wanted=wanted,
                first=wrong[0],
            )


def _wrong_in_folder(files: BaseFiles, part: str) -> tuple[int, list[str]]:
    """How many tensors a part has, and the names of those that its files lack or have otherwise."""
    folder = files.config / part
    part_class = _class_of(files.config, part)
    if part_class.__module__.startswith("transformers."):
        # Its own rules of names, tied weights among them; on "meta" no numbers are read.
        model, info = part_class.from_pretrained(
            folder,
            variant=files.variant if any(".fp16" in f.name for f in folder.iterdir()) else None,
            use_safetensors=True,
            local_files_only=True,
            device_map="meta",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
        others = {name for name, *_ in info["mismatched_keys"]}
        return len(model.state_dict()), sorted(set(info["missing_keys"]) | others)
    wanted = _empty_part(files.config, part).state_dict()
    inside = [file for file in files.files if file.parent == folder]
    held = {_today(name): header.shape for name, header in merge_headers(inside).items()}
    return len(wanted), [name for name, t in wanted.items() if held.get(name) != tuple(t.shape)]


def _wrong_in_file(files: BaseFiles, part: str) -> tuple[int, list[str]]:
    """The same of a single file: its names are translated as for loading, without numbers."""
    import torch

    single, prefixes = _tensors_of(files, part)
    model = _empty_part(files.config, part)
    wanted = model.state_dict()
    shapes = {
        name: torch.empty(header.shape, device="meta")
        for name, header in single.named(prefixes).items()
        if not name.endswith(SCALES)
    }
    try:
        held = files.family.convert_file(part, model, shapes)
    except KeyError as error:  # the translation itself looks for it
        return len(wanted), [str(error.args[0])]
    return len(wanted), [
        name for name, t in wanted.items() if name not in held or held[name].shape != t.shape
    ]


def _class_of(config: Path, part: str) -> Any:
    """The class that a base's index names for a part."""
    index = read_json(config / "model_index.json", "file_base_index")
    library, name = (str(word) for word in index.get(part) or ("", ""))
    known = library in ("diffusers", "transformers")
    found = getattr(importlib.import_module(library), name, None) if known else None
    if found is None:
        raise InputError("base_part_unknown", name=config.name, part=part, kind=name)
    return found


def _empty_part(config: Path, part: str) -> Any:
    """A part as its configuration describes it, its parameters without numbers."""
    from accelerate import init_empty_weights

    part_class = _class_of(config, part)
    with init_empty_weights(include_buffers=False):
        if part_class.__module__.startswith("diffusers."):
            return part_class.from_config(part_class.load_config(config / part))
        settings = part_class.config_class.from_pretrained(config / part, local_files_only=True)
        return part_class(settings)


def _today(name: str) -> str:
    """A VAE's tensor by its name in diffusers today: folders of 2022 name attention otherwise."""
    if ".attentions." in name:
        for old, new in OLD_ATTENTION.items():
            name = name.replace(old, new)
    return name
