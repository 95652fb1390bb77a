"""A base's files as a pipeline of diffusers: all tensors there, nothing filled in by chance.

diffusers fills a layer that has no tensors with noise, or with nothing, and goes on: so what the
files hold is compared with what their configurations ask for before anything is built.
"""

from __future__ import annotations

from typing import Any

from realism.diffusion.device import Device
from realism.diffusion.identify import BaseFiles
from realism.diffusion.weights import merge_headers
from realism.errors import InputError


def load_pipeline(files: BaseFiles, device: Device) -> Any:
    """Load a base's parts, frozen, on a device.

    Parameters
    ----------
    files : BaseFiles
        As `read_base` tells.
    device : Device

    Returns
    -------
    diffusers.DiffusionPipeline
        VAE float32, the rest `device.dtype`; with the scheduler of its files.

    Raises
    ------
    InputError
        Tensors are missing or of other shapes, or the files do not fit together.
    """
    from diffusers.loaders.single_file_utils import SingleFileComponentError
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
    except (OSError, ValueError, SafetensorError, SingleFileComponentError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError("base_cannot_be_loaded", base=files.path.name, reason=reason) from error
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if hasattr(part, "requires_grad_"):
            part.requires_grad_(False).eval()
    return pipeline.to(device.name)


def _load_folder(files: BaseFiles, device: Device) -> Any:
    import torch

    _refuse_other_tensors(files)
    return files.family.pipeline_class().from_pretrained(
        files.config,
        variant=files.variant,
        use_safetensors=True,
        local_files_only=True,
        dtype={"default": device.dtype, "vae": torch.float32},
        **files.family.left_out(),
    )


def _load_single_file(files: BaseFiles, device: Device) -> Any:
    import torch
    from diffusers import AutoencoderKL

    local: dict[str, Any] = {"config": str(files.config), "local_files_only": True}
    vae = AutoencoderKL.from_single_file(
        str(files.files[0]), subfolder="vae", dtype=torch.float32, **local
    )
    return files.family.pipeline_class().from_single_file(
        str(files.files[0]),
        dtype=device.dtype,
        vae=vae,
        **local,
        **files.family.tokenizers(),
        **files.family.left_out(),
    )


def _refuse_other_tensors(files: BaseFiles) -> None:
    """Refuse a network whose file lacks tensors: diffusers would fill them with noise, unasked."""
    import torch

    with torch.device("meta"):
        wanted = files.family.network_class().from_config(files.network_config).state_dict()
    held = merge_headers(files.network_files)
    wrong = [name for name, t in wanted.items() if name not in held or held[name].shape != t.shape]
    if wrong:
        raise InputError(
            "base_unet_mismatch",
            name=files.path.name,
            wrong=len(wrong),
            wanted=len(wanted),
            first=wrong[0],
        )
