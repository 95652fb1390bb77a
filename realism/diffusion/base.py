"""A Stable Diffusion base: find it, load it, encode pictures and words, predict.

What a base is, its own files tell (`family.py`). Weights are read as safetensors only. The VAE
stays in float32 on every device: in half precision it rounds away the finest detail of skin.

Latent diffusion: Rombach et al., CVPR 2022. v-prediction: Salimans and Ho, ICLR 2022.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from realism.config import ASSETS
from realism.diffusion.device import Device, choose_device, free_memory
from realism.diffusion.hub import fetch, is_hub_id
from realism.diffusion.identify import CONFIGS, BaseFiles, merge_headers, read_base
from realism.diffusion.weights import refuse_pickle
from realism.disk import read_json
from realism.errors import InputError, Message

POCKET = ASSETS / "pocket"
CLIP = CONFIGS / "clip"  # the tokenizer's words, for single files
RECOMMENDED = ASSETS / "bases.json"

Progress = Callable[[float, str], None]  # how much is done, 0..1, and what is being done


@dataclass(frozen=True, eq=False)
class Base:
    """A base, loaded and ready, without any LoRA.

    name             "pocket", a hub's id, or the name of its folder or file
    path             its folder or file
    family           "sd15" | "sdxl": which pipeline it runs in
    resolution       px, side of the square it was trained at
    pipeline         diffusers pipeline on `device`; VAE float32, the rest `device.dtype`
    noise_scheduler  diffusers DDPMScheduler: adds noise in training, knows the prediction type
    fingerprint      64 hexadecimal digits of its UNet, kept beside every LoRA trained on it
    licence          what its maker states, or that it is not known here
    provenance       where it comes from, one sentence, "" where it is not known
    device           where it runs
    """

    name: str
    path: Path
    family: str
    resolution: int
    pipeline: object
    noise_scheduler: object
    fingerprint: str
    licence: str
    provenance: str
    device: Device


@dataclass(frozen=True)
class RecommendedBase:
    """A base worth knowing.

    name             what people call it
    where            what `load_base` takes, of each hub that has it
    licence          name of its licence, in words
    size_gb          GB to download, None where it ships with the program
    gpu_memory_gb    GB to make portraits; to fine-tune see the README
    family           "sd15" | "sdxl"
    resolution       px
    note             what it is good for, and what to know before
    """

    name: str
    where: tuple[str, ...]
    licence: Message
    size_gb: float | None
    gpu_memory_gb: float
    family: str
    resolution: int
    note: Message


@lru_cache
def recommended_bases() -> tuple[RecommendedBase, ...]:
    """The table of recommended bases, the embedded one first."""
    rows = json.loads(RECOMMENDED.read_text(encoding="utf-8"))
    return tuple(
        RecommendedBase(
            **row
            | {
                "where": tuple(row["where"]),
                "licence": Message(row["licence"]),
                "note": Message(row["note"]),
            }
        )
        for row in rows
    )


def load_base(
    where: str = "pocket", device: Device | None = None, progress: Progress | None = None
) -> Base:
    """Load a base and hand it over without any LoRA.

    where       "pocket", a folder in diffusers layout, a .safetensors file, or "owner/name" of a
                hub, with "@revision" and ":folder" where it needs them
    device      None: the best of this machine
    progress    told how far a download is
    Raises InputError: not there, not a text-to-image base of these families, a pickle, cut off,
    too large for the memory that is free, or not to be had from a hub now.
    """
    device = device or choose_device()
    files = read_base(find_base(where, progress))
    free = free_memory(device)
    # A base of this process may be in memory already: then nothing more is taken.
    key = (where, files, files.fingerprint, device)
    if _LOADED.get("key") != key:
        needed = files.memory(device)
        if needed > free:
            raise InputError(
                "base_out_of_memory", base=where, needed_gb=needed / 2**30, free_gb=free / 2**30
            )
        _LOADED.clear()  # before loading: two bases at once may not fit
        _LOADED.update(key=key, base=_load(where, files, device))
    base = _LOADED["base"]
    base.pipeline.unload_lora_weights()
    return base


# The last base loaded. Page and shell ask for it at every step; SDXL takes a minute to read.
_LOADED: dict = {}


def find_base(where: str, progress: Progress | None = None) -> Path:
    """The folder or file that `where` names, downloaded where it is a hub's.

    Raises InputError where there is no such thing.
    """
    if where == "pocket":
        if not (POCKET / "model_index.json").exists():
            raise InputError("pocket_not_found", folder=POCKET)
        return POCKET
    path = Path(where).expanduser()
    if path.exists():
        return path
    refuse_pickle(path)
    if path.suffix == ".safetensors" or where.startswith(("/", ".", "~")) or not is_hub_id(where):
        raise InputError("base_not_found", base=where)
    return fetch(where, read_base, progress)


# --- loading -----------------------------------------------------------------------------------


def _load(where: str, files: BaseFiles, device: Device) -> Base:
    from diffusers import DDPMScheduler, UniPCMultistepScheduler
    from diffusers.loaders.single_file_utils import SingleFileComponentError
    from diffusers.utils import logging
    from safetensors import SafetensorError
    from transformers.utils import logging as words_logging

    for log in (logging, words_logging):  # they warn of what is left out here on purpose
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        pipeline = (_pipeline_of_folder if files.path.is_dir() else _pipeline_of_file)(
            files, device
        )
    except (OSError, ValueError, SafetensorError, SingleFileComponentError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError("base_cannot_be_loaded", base=where, reason=reason) from error
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if hasattr(part, "requires_grad_"):
            part.requires_grad_(False).eval()
    config = pipeline.scheduler.config
    noise_scheduler = DDPMScheduler.from_config(config)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(config, use_karras_sigmas=True)
    about = _about(where, files.path)
    return Base(
        files.path.name if Path(where).expanduser().exists() else where,
        files.path,
        files.family,
        files.resolution,
        pipeline.to(device.name),
        noise_scheduler,
        files.fingerprint,
        about["licence"],
        about["provenance"],
        device,
    )


def _pipeline_of_folder(files: BaseFiles, device: Device):
    import torch

    _same_tensors(files)
    return _pipeline_class(files.family).from_pretrained(
        files.path,
        variant=files.variant,
        use_safetensors=True,
        local_files_only=True,
        dtype={"default": device.dtype, "vae": torch.float32},
        **_left_out(files.family),
    )


def _pipeline_of_file(files: BaseFiles, device: Device):
    import torch
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    given = {"config": str(files.config), "local_files_only": True}
    words = {"vocab": str(CLIP / "vocab.json"), "merges": str(CLIP / "merges.txt")}
    parts = {
        "vae": AutoencoderKL.from_single_file(
            str(files.path), subfolder="vae", dtype=torch.float32, **given
        ),
        "tokenizer": CLIPTokenizer(**words, model_max_length=77),
    }
    if files.family == "sdxl":  # its second encoder was trained with "!" after the end
        parts["tokenizer_2"] = CLIPTokenizer(**words, model_max_length=77, pad_token="!")
    return _pipeline_class(files.family).from_single_file(
        str(files.path), dtype=device.dtype, **given, **parts, **_left_out(files.family)
    )


def _pipeline_class(family: str) -> type:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    return {"sd15": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}[family]


def _left_out(family: str) -> dict:
    """Parts that are not wanted: given as None they are neither looked for nor downloaded."""
    parts = {"feature_extractor": None, "image_encoder": None}
    if family == "sd15":
        parts |= {"safety_checker": None, "requires_safety_checker": False}
    return parts


def _same_tensors(files: BaseFiles) -> None:
    """Refuse a UNet whose file lacks tensors: diffusers would fill them with noise, unasked."""
    import torch
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        wanted = UNet2DConditionModel.from_config(files.unet).state_dict()
    held = merge_headers(files.unet_files)
    wrong = [name for name, t in wanted.items() if name not in held or held[name].shape != t.shape]
    if wrong:
        raise InputError(
            "base_unet_mismatch",
            name=files.path.name,
            wrong=len(wrong),
            wanted=len(wanted),
            first=wrong[0],
        )


def _about(where: str, path: Path) -> dict[str, str]:
    """Licence and provenance: from our table, and from realism.json in the base's own folder."""
    known = {"licence": "not known here: ask its maker", "provenance": ""}
    for row in recommended_bases():
        if where in row.where:
            known = {"licence": str(row.licence), "provenance": f"{row.name}, from {where}."}
    beside = path / "realism.json"
    told = read_json(beside, "file_base_facts") if beside.exists() else {}
    return {key: str(told.get(key) or known[key]) for key in known}


# --- using -------------------------------------------------------------------------------------


def encode_images(base: Base, pixels: np.ndarray):
    """Pictures to the Gaussian of their latents.

    pixels    (n, H, W, 3) uint8 sRGB, sides a multiple of the VAE's scale
    ->        mean, std: (n, c, h, w) float32 tensors on the CPU, times the VAE's scaling factor
    """
    import torch

    vae = base.pipeline.vae
    means, stds = [], []
    with torch.no_grad():
        for picture in pixels:  # one by one: the VAE at full resolution is the largest of all
            value = torch.from_numpy(np.ascontiguousarray(picture)).to(base.device.name)
            value = value.permute(2, 0, 1)[None].float() / 127.5 - 1
            latent = vae.encode(value).latent_dist
            means.append((latent.mean * vae.config.scaling_factor).cpu())
            stds.append((latent.std * vae.config.scaling_factor).cpu())
    return torch.cat(means), torch.cat(stds)


def decode_latents(base: Base, latents) -> np.ndarray:
    """Latents, times the scaling factor, to pictures (n, H, W, 3) uint8 sRGB."""
    import torch

    vae = base.pipeline.vae
    pictures = []
    with torch.no_grad():
        for latent in latents:
            value = vae.decode(latent[None].float() / vae.config.scaling_factor).sample[0]
            value = (value * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
            pictures.append(value.permute(1, 2, 0).cpu().numpy())
    return np.stack(pictures)


def encode_text(base: Base, captions: list[str]) -> dict:
    """Captions to what `predict` wants as conditioning.

    ->    tensors with the captions first: "encoder_hidden_states" (n, words, width), and for SDXL
          "text_embeds" (n, width) and "time_ids" (n, 6) of an uncropped picture
    """
    import torch

    with torch.no_grad():
        if base.family == "sd15":
            words, _ = base.pipeline.encode_prompt(captions, base.device.name, 1, False)
            return {"encoder_hidden_states": words}
        words, _, pooled, _ = base.pipeline.encode_prompt(
            captions, device=base.device.name, do_classifier_free_guidance=False
        )
    size = float(base.resolution)
    time_ids = words.new_tensor([[size, size, 0, 0, size, size]]).repeat(len(captions), 1)
    return {"encoder_hidden_states": words, "text_embeds": pooled, "time_ids": time_ids}


def predict(base: Base, noisy, timesteps, conditioning: dict, unet=None):
    """What the UNet says about noisy latents (n, c, h, w) at timesteps (n,): noise or velocity.

    unet    the base's own, as accelerate has wrapped it for several processes
    """
    added = {key: conditioning[key] for key in ("text_embeds", "time_ids") if key in conditioning}
    return (unet or base.pipeline.unet)(
        noisy,
        timesteps,
        conditioning["encoder_hidden_states"],
        added_cond_kwargs=added or None,
    ).sample


def target(base: Base, latents, noise, timesteps):
    """What `predict` should have said: noise, or velocity for a v-prediction base."""
    kind = base.noise_scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "v_prediction":
        return base.noise_scheduler.get_velocity(latents, noise, timesteps)
    raise InputError("base_cannot_be_trained", name=base.name, prediction=kind)
