"""A base: find it, load it, encode pictures and captions, predict.

What a base is, its own files tell (`identify.py`); what its kind needs, its family
(`families/`). Weights are loaded from safetensors only; pickles become such first (`pickles.py`).
The VAE stays in float32 on every device: in half precision it rounds away the finest detail of
skin.

Latent diffusion: Rombach et al., CVPR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realism.config import ASSETS, Preset, expanded
from realism.diffusion.device import Device, choose_device, free_memory
from realism.diffusion.families import find_preset
from realism.diffusion.families.family import Conditioning, Family
from realism.diffusion.hub import Fetched, fetch, is_hub_id
from realism.diffusion.identify import BaseFiles, read_base
from realism.diffusion.lora_file.merge import restore_weights
from realism.diffusion.pickles import Progress, is_pickle
from realism.diffusion.pipeline import load_pipeline
from realism.diffusion.placement import (
    LADDER,
    Placement,
    bring,
    bytes_on_device,
    choose_placement,
    drawing_memory,
)
from realism.diffusion.recommended import known_facts, places_of
from realism.disk import is_there
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

POCKET = ASSETS / "pocket"


@dataclass(frozen=True, eq=False)
class Base:
    """A base, loaded and ready, without any LoRA.

    Attributes
    ----------
    name : str
        "pocket", a hub's id, or the name of its folder or file.
    path : Path
        Its folder or file.
    family : Family
        What it needs that bases of other families do not.
    resolution : int
        px, side of the square it was trained at.
    pipeline : diffusers.DiffusionPipeline
        On `device`; VAE float32, the rest `device.dtype`.
    noise_scheduler : diffusers scheduler
        Adds noise in training, knows the prediction type.
    fingerprint : str
        64 hexadecimal digits of its network, kept beside every LoRA trained on it.
    licence : str
        What its maker states, or that it is not known here.
    provenance : str
        Where it comes from, one sentence, "" where it is not known.
    device : Device
        Where it runs.
    distilled : bool
        Made to draw in few steps, not to be trained.
    notes : tuple of Message
        What a person should know of how it was read.
    placement : Placement
        How its weights lie in memory.
    """

    name: str
    path: Path
    family: Family
    resolution: int
    pipeline: Any
    noise_scheduler: Any
    fingerprint: str
    licence: str
    provenance: str
    device: Device
    distilled: bool = False
    notes: tuple[Message, ...] = ()
    placement: Placement = field(default_factory=Placement)

    @property
    def preset(self) -> Preset:
        """Stages, steps and guidance that suit it."""
        return find_preset(self.name, self.family.name, self.distilled)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of a picture's latents."""
        return self.family.latent_shape(self.pipeline, self.resolution)

    @property
    def network(self) -> Any:
        """Its denoising network, which LoRA are trained on."""
        return getattr(self.pipeline, self.family.network)


def load_base(
    where: str = "pocket", device: Device | None = None, progress: Progress | None = None
) -> Base:
    """Load a base and hand it over without any LoRA.

    Parameters
    ----------
    where : str
        "pocket", a folder in diffusers layout, a .safetensors file or a pickle of tensors, or
        "owner/name" of a hub, with "@revision" and ":folder" where it needs them.
    device : Device, optional
        None: the best of this machine.
    progress : callable, optional
        Called with how far a download is.

    Raises
    ------
    InputError
        Not there, not a text-to-image base of these families, a pickle that would run a program,
        cut off, too large for the memory that is free, or not to be had from a hub now.
    """
    device = device or choose_device()
    found = find_base(where, progress)
    files = read_base(found.path, progress)
    free = free_memory(device)
    # A base of this process may be in memory already: then nothing more is taken.
    key = (where, files, files.fingerprint, device)
    if _LOADED.get("key") != key:
        if "base" in _LOADED:  # it goes first
            free += bytes_on_device(_LOADED["base"])
        placement = choose_placement(files, device, free)
        if placement is None:
            needed = drawing_memory(files, device, LADDER[-1])
            raise InputError(
                "base_out_of_memory", base=where, needed_gb=needed / 2**30, free_gb=free / 2**30
            )
        _LOADED.clear()  # before loading: two bases at once may not fit
        _LOADED.update(key=key, base=_load(where, found, files, device, placement))
    base = _LOADED["base"]
    base.pipeline.unload_lora_weights()
    restore_weights(getattr(base.pipeline, part) for part in base.family.lora_parts)
    return base


# The last base loaded. Page and shell ask for it at every step; SDXL takes a minute to read.
_LOADED: dict[str, Any] = {}


def find_base(where: str, progress: Progress | None = None) -> Fetched:
    """The folder or file that `where` names, downloaded where it is a hub's.

    A base of our table is looked for in its other places where it is gone from this one.

    Raises
    ------
    InputError
        Where there is no such thing.
    """
    if where == "pocket":
        if not (POCKET / "model_index.json").exists():
            raise InputError("pocket_not_found", folder=POCKET)
        return Fetched(POCKET, where)
    path = expanded(where)
    if is_there(path):
        return Fetched(path, where)
    if (
        path.suffix == ".safetensors"
        or is_pickle(path)
        or where.startswith(("/", ".", "~"))
        or not is_hub_id(where)
    ):
        raise InputError("base_not_found", base=where)
    return fetch(places_of(where), partial(read_base, progress=progress), progress)


# --- loading -----------------------------------------------------------------------------------


def _load(
    where: str, found: Fetched, files: BaseFiles, device: Device, placement: Placement
) -> Base:
    pipeline = load_pipeline(files, device, placement)
    config = pipeline.scheduler.config
    pipeline.scheduler = files.family.sampler(config)
    facts = known_facts(found.place, files.path)
    return Base(
        name=files.path.name if is_there(expanded(where)) else where,
        path=files.path,
        family=files.family,
        resolution=files.resolution,
        pipeline=pipeline,
        noise_scheduler=files.family.noise_scheduler(config),
        fingerprint=files.fingerprint,
        licence=facts["licence"],
        provenance=facts["provenance"],
        device=device,
        distilled=files.distilled,
        notes=found.notes + files.notes + placement.notes(),
        placement=placement,
    )


# --- using -------------------------------------------------------------------------------------


def encode_images(base: Base, pixels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures to the Gaussian of their latents.

    Parameters
    ----------
    pixels : (n, H, W, 3) uint8 sRGB
        Sides a multiple of the VAE's scale.

    Returns
    -------
    mean, std : (n, c, h, w) float32 tensors
        On the CPU, on the scale that the network works on.
    """
    import torch

    bring(base, "vae")
    vae = base.pipeline.vae
    means, stds = [], []
    with torch.no_grad():
        for picture in pixels:  # one by one: the VAE at full resolution is the largest of all
            value = torch.tensor(picture, device=base.device.name).permute(2, 0, 1)[None]
            mean, std = base.family.encode_picture(vae, value.float() / 127.5 - 1)
            if not torch.isfinite(mean).all():
                raise InputError("latents_not_finite", name=base.name)
            means.append(mean.cpu())
            stds.append(std.cpu())
    return torch.cat(means), torch.cat(stds)


def decode_latents(base: Base, latents: torch.Tensor) -> np.ndarray:
    """Latents (n, c, h, w) of the network's scale to pictures (n, H, W, 3) uint8 sRGB.

    Raises
    ------
    InputError
        A picture has numbers that are not finite, or one colour: never is it shown as a portrait.
    """
    import torch

    bring(base, "vae")
    vae = base.pipeline.vae
    pictures = []
    with torch.no_grad():
        for latent in latents:
            value = base.family.decode_latents(vae, latent[None].float())[0]
            if not torch.isfinite(value).all():
                raise InputError("picture_not_finite", name=base.name)
            value = (value * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
            if (value == value[:, :1, :1]).all():
                raise InputError("picture_of_one_colour", name=base.name)
            pictures.append(value.permute(1, 2, 0).cpu().numpy())
    return np.stack(pictures)


def encode_text(base: Base, captions: list[str]) -> Conditioning:
    """Captions to what `predict` wants as conditioning: tensors with the captions first."""
    import torch

    bring(base, *(part for part in base.family.weight_parts if part.startswith("text_encoder")))
    with torch.no_grad():
        return base.family.encode_text(base.pipeline, captions, base.resolution)


def predict(
    base: Base,
    noisy: torch.Tensor,
    timesteps: torch.Tensor,
    conditioning: Conditioning,
    network: Any = None,
) -> torch.Tensor:
    """What the network predicts for noisy latents (n, c, h, w) at timesteps (n,).

    Parameters
    ----------
    network : torch.nn.Module, optional
        The base's own, as accelerate has wrapped it for several processes.
    """
    return base.family.predict(network or base.network, noisy, timesteps, conditioning)


def target(
    base: Base, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
) -> torch.Tensor:
    """What `predict` should have given, of the shape of the latents: noise, velocity, way."""
    return base.family.target(base.noise_scheduler, latents, noise, timesteps)
