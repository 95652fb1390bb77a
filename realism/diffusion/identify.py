"""Tell what base lies on disk by reading it: family, size, whether it can be used at all.

Only configurations and the headers of safetensors files are read, so a folder of ten gigabytes is
judged in milliseconds and nothing in it can run. What counts is what the files say, not a name: the
UNet's configuration, or in a single file the shapes of its layers, tell SD 1.x from SDXL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from realism.config import ASSETS
from realism.diffusion.device import Device
from realism.diffusion.weights import TensorHeader, fingerprint, read_tensor_headers, refuse_pickle
from realism.disk import read_json
from realism.errors import InputError

CONFIGS = ASSETS / "configs"  # of SD 1.5 and SDXL, for single-file checkpoints
WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>fp16))?(?:-\d+-of-\d+)?\.safetensors"
)
UNET = "model.diffusion_model."  # how a single file names the UNet's tensors


@dataclass(frozen=True)
class BaseFiles:
    """A base on disk, read but not loaded.

    path          its folder or file
    family        "sd15" | "sdxl"
    config        the folder with its configurations: its own, or for a single file one of ours
    resolution    px
    unet          configuration of its UNet
    files         its safetensors files, all parts
    unet_files    those with the UNet's tensors
    variant       "fp16" where only half-precision files are there, else None
    parameters    how many numbers all its parts hold
    vae           how many of them are the VAE's
    """

    path: Path
    family: str
    config: Path
    resolution: int
    unet: dict
    files: tuple[Path, ...]
    unet_files: tuple[Path, ...]
    variant: str | None
    parameters: int
    vae: int

    @property
    def fingerprint(self) -> str:
        """See weights.fingerprint."""
        return fingerprint(self.unet_files, "" if self.path.is_dir() else UNET)

    def memory(self, device: Device) -> int:
        """Bytes that the loaded weights take on `device`, VAE in float32."""
        return self.vae * 4 + (self.parameters - self.vae) * device.dtype.itemsize


def read_base(path: Path) -> BaseFiles:
    """Tell what base lies at `path`, from configurations and headers alone.

    Raises InputError where it is none, or one that cannot make a picture from text.
    """
    return _read_folder(path) if path.is_dir() else _read_single_file(path)


def _read_folder(path: Path) -> BaseFiles:
    if not (path / "model_index.json").exists() or not (path / "unet" / "config.json").exists():
        raise _not_a_base(path)
    index = read_json(path / "model_index.json", "file_base_index")
    unet = read_json(path / "unet" / "config.json", "file_unet_configuration")
    vae = read_json(path / "vae" / "config.json", "file_vae_configuration")
    if not isinstance(index, dict) or not isinstance(unet, dict) or not isinstance(vae, dict):
        raise _not_a_base(path)
    family = _family(path.name, unet, vae, index)
    parts = ["unet", "vae", "text_encoder"] + ["text_encoder_2"] * (family == "sdxl")
    variant, files = _weight_files(path, parts)
    headers = {part: merge_headers(files[part]) for part in parts}
    counts = {part: sum(t.elements for t in headers[part].values()) for part in parts}
    scale = 2 ** (len(vae["block_out_channels"]) - 1)
    size = unet.get("sample_size")
    return BaseFiles(
        path,
        family,
        path,
        (size if isinstance(size, int) else 64) * scale,
        unet,
        tuple(file for part in parts for file in files[part]),
        tuple(files["unet"]),
        variant,
        sum(counts.values()),
        counts["vae"],
    )


def _not_a_base(path: Path) -> InputError:
    if (path / "config.json").exists():
        return InputError("not_a_base_single_network", name=path.name)
    if (path / "transformer").exists():
        return InputError("not_a_base_transformer", name=path.name)
    if (path / "pytorch_lora_weights.safetensors").exists():
        return InputError("not_a_base_lora", name=path.name)
    return InputError("not_a_base", name=path.name)


def _family(name: str, unet: dict, vae: dict, index: dict) -> str:
    """ "sd15" or "sdxl"; raises InputError for what does not make pictures from text."""
    channels, latent = unet.get("in_channels"), vae.get("latent_channels")
    if not isinstance(vae.get("block_out_channels"), list) or not isinstance(channels, int):
        raise InputError("base_configuration_incomplete", name=name)
    if channels == 2 * (latent or 0) + 1:
        raise InputError("base_inpainting", name=name)
    if channels != latent:
        raise InputError(
            "base_not_text_to_image", name=name, unet_channels=channels, vae_channels=latent
        )
    kind = unet.get("addition_embed_type")
    if unet.get("class_embed_type") or kind not in (None, "text_time"):
        raise InputError("base_other_conditioning", name=name)
    if kind is None:
        return "sd15"
    if not (index.get("text_encoder") or [None])[0]:
        raise InputError("base_sdxl_refiner", name=name)
    return "sdxl"


def _weight_files(path: Path, parts: list[str]) -> tuple[str | None, dict[str, list[Path]]]:
    """The variant and the safetensors files of each part; full precision where it is there."""
    found: dict[str, dict[str | None, list[Path]]] = {part: {} for part in parts}
    for part in parts:
        for file in sorted((path / part).glob("*.safetensors")):
            if match := WEIGHTS.fullmatch(file.name):
                found[part].setdefault(match["variant"], []).append(file)
        if not found[part]:
            for pickle in (path / part).glob("*.bin"):
                refuse_pickle(pickle)
            raise InputError("base_weights_missing", name=path.name, part=part)
    variant = None if all(None in files for files in found.values()) else "fp16"
    return variant, {part: files.get(variant) or files[None] for part, files in found.items()}


def merge_headers(files: Iterable[Path]) -> dict[str, TensorHeader]:
    """Name -> TensorHeader of a network that lies in one file or several."""
    return {name: tensor for file in files for name, tensor in read_tensor_headers(file).items()}


def _read_single_file(path: Path) -> BaseFiles:
    """A checkpoint of SD 1.5 or SDXL in the layout of their first release."""
    tensors = read_tensor_headers(path)
    unet = {key: t for key, t in tensors.items() if key.startswith(UNET)}
    vae = {key: t for key, t in tensors.items() if key.startswith("first_stage_model.")}
    if any("lora" in key for key in tensors):
        raise InputError("base_is_a_lora", name=path.name)
    words = unet.get(f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight")
    first = unet.get(f"{UNET}input_blocks.0.0.weight")
    if first is None:
        raise InputError("checkpoint_not_sd", name=path.name)
    if first.shape[1] != 4:
        raise InputError("checkpoint_inpainting", name=path.name, channels=first.shape[1])
    if any(key.startswith("conditioner.embedders.1.") for key in tensors):
        family = "sdxl"
    elif words is not None and words.shape[1] == 768:
        family = "sd15"
    else:
        raise InputError("checkpoint_other_family", name=path.name)
    if not vae or not any(key.startswith(("cond_stage_model.", "conditioner.")) for key in tensors):
        raise InputError("checkpoint_incomplete", name=path.name)
    config = CONFIGS / family
    shape = read_json(config / "unet" / "config.json", "file_unet_configuration")
    counts = [sum(t.elements for t in group.values()) for group in (tensors, vae)]
    size = {"sd15": 512, "sdxl": 1024}[family]
    return BaseFiles(path, family, config, size, shape, (path,), (path,), None, *counts)
