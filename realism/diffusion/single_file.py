"""A base in one file, whatever the tool that wrote it called its tensors.

The names taken as right are those of the first release of each family (`model.diffusion_model.`,
`first_stage_model.`, `cond_stage_model.`). Old merges leave parts of them out, trainers wrap them
or keep the running average alone, ComfyUI stores 8-bit numbers with a scale beside each weight, and
empty tensors say how the network is to be asked (`v_pred`, `ztsnr`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.diffusion.hub import fetch
from realism.diffusion.pickles import Progress, is_pickle, safetensors_of
from realism.diffusion.weights import TensorHeader, read_tensor_headers
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

WRAPPERS = ("state_dict.", "module.")  # before every name, as some trainers save
CLIP = ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer.")
CLIP_PARTS = ("embeddings.", "encoder.", "final_layer_norm.")
AVERAGE, NETWORK, VAE = "model_ema.", "model.diffusion_model.", "first_stage_model."
SCALES = (".scale_weight", ".weight_scale")  # ComfyUI's, earlier and later
FP8 = ("F8_E4M3", "F8_E5M2")
# Stored in four bits, or in blocks, by libraries that the network would need to run.
QUANTISED = ("absmax", "quant_map", "quant_state", "qweight", "qzeros")
VAE_SUFFIXES = (".vae.safetensors", ".vae.pt", ".vae.ckpt")  # beside a checkpoint, as A1111 has it
VELOCITY = {"prediction_type": "v_prediction"}
# Down to no signal at all: the noise is rescaled, and the steps start from the last one.
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

# The average's names are written without dots; the parts of a name that can follow one another.
PLACE = re.compile(r"(input_blocks|output_blocks)(\d+)(\d)(?=\D)|(middle_block)(\d)(?=\D)")
WORD = re.compile(
    r"transformer_blocks(?=\d)|time_embed(?=\d)|label_emb(?=\d)|out(?=\d(?:weight|bias))"
    r"|(?:in|emb|out)_layers|skip_connection|proj_in|proj_out|proj(?=weight|bias)|attn[12]|norm[123]?"
    r"|to_(?:q|k|v|out)|ff|net|conv|op|\d|weight|bias"
)


@dataclass(frozen=True)
class SingleFile:
    """A checkpoint, read but not loaded.

    Attributes
    ----------
    file : Path
        Safetensors.
    sources : dict of str to str
        Name of a tensor, as the first release has it, to its name in the file.
    headers : dict of str to TensorHeader
        By the same names.
    scheduler : dict
        What the file says of the noise, in words of a scheduler's configuration.
    notes : tuple of Message
        What a person should know of how it is read.
    """

    file: Path
    sources: dict[str, str]
    headers: dict[str, TensorHeader]
    scheduler: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Message, ...] = ()

    def named(self, prefixes: tuple[str, ...]) -> dict[str, TensorHeader]:
        """Headers of the tensors whose names start so."""
        return {name: row for name, row in self.headers.items() if name.startswith(prefixes)}


def read_single_file(file: Path, shown: str) -> SingleFile:
    """Tell what a checkpoint holds, from its header.

    Parameters
    ----------
    file : Path
        Safetensors.
    shown : str
        What people call it.

    Raises
    ------
    InputError
        Damaged, a LoRA, or quantised in a way that needs another program.
    """
    held = read_tensor_headers(file)
    if any("lora" in name for name in held):
        raise InputError("base_is_a_lora", name=shown)
    if any(name.rpartition(".")[2].startswith(QUANTISED) for name in held):
        raise InputError("checkpoint_quantised", name=shown)
    sources, notes = first_release_names(held)
    dtypes = {held[source].dtype for name, source in sources.items() if name.startswith(NETWORK)}
    if dtypes & set(FP8):
        notes += (Message("checkpoint_fp8", name=shown),)
    scheduler: dict[str, Any] = {}
    if "v_pred" in sources:
        scheduler = VELOCITY | (ZERO_SNR if "ztsnr" in sources else {})
        code = "checkpoint_velocity_zero_snr" if "ztsnr" in sources else "checkpoint_velocity"
        notes += (Message(code, name=shown),)
    return SingleFile(
        file, sources, {name: held[source] for name, source in sources.items()}, scheduler, notes
    )


def read_vae_file(file: Path, shown: str) -> SingleFile:
    """Tell what a VAE that lies alone holds, under the names it has in a checkpoint.

    diffusers' own names stay as they are.
    """
    single = read_single_file(file, shown)
    names = {name: name.removeprefix(VAE) for name in single.sources}
    old = any(name.startswith("encoder.down.") for name in names.values())
    renamed = {name: VAE + rest if old else rest for name, rest in names.items()}
    return SingleFile(
        file,
        {renamed[name]: source for name, source in single.sources.items()},
        {renamed[name]: header for name, header in single.headers.items()},
    )


def find_vae(
    path: Path, places: Sequence[str], progress: Progress | None
) -> tuple[SingleFile, Message]:
    """The VAE of a checkpoint that holds none: the file beside it, else the family's own.

    Parameters
    ----------
    path : Path
        The checkpoint.
    places : sequence of str
        Where hubs have the family's own.
    progress : callable or None
        As of `fetch`.

    Returns
    -------
    SingleFile, Message
        And what is to be said of it.

    Raises
    ------
    InputError
        There is none beside it, and none to be had.
    """
    for suffix in VAE_SUFFIXES:
        beside = path.with_suffix(suffix)
        if beside.exists():
            file = safetensors_of(beside, progress) if is_pickle(beside) else beside
            vae = read_vae_file(file, beside.name)
            return vae, Message("checkpoint_vae", name=path.name, vae=beside.name)
    try:
        fetched = fetch(places, lambda found: read_vae_file(found, path.name), progress)
    except InputError as error:
        reason = error.message
    else:
        vae = read_vae_file(fetched.path, fetched.place)
        return vae, Message("checkpoint_vae", name=path.name, vae=fetched.place)
    beside = path.with_suffix(VAE_SUFFIXES[0]).name
    raise InputError("checkpoint_without_vae", name=path.name, beside=beside, reason=reason)


def first_release_names(names: Iterable[str]) -> tuple[dict[str, str], tuple[Message, ...]]:
    """Name of the first release to name in the file, and what is to be said of it."""
    sources = {name: name for name in names}
    for wrapper in WRAPPERS:
        if sources and all(name.startswith(wrapper) for name in sources if "." in name):
            sources = {name.removeprefix(wrapper): source for name, source in sources.items()}
    averages = {name: source for name, source in sources.items() if name.startswith(AVERAGE)}
    others = {name: source for name, source in sources.items() if name not in averages}
    notes: tuple[Message, ...] = ()
    if averages and not any(name.startswith(NETWORK) for name in others):
        of_network = {
            n: s for n, s in averages.items() if n.startswith(f"{AVERAGE}diffusion_model")
        }
        others |= {_dotted(name): source for name, source in of_network.items()}
        notes = (Message("checkpoint_average"),)
    return {_with_text_model(name): source for name, source in others.items()}, notes


def _with_text_model(name: str) -> str:
    """Merges from before 2023 leave `text_model.` out of the text encoder's names."""
    for prefix in CLIP:
        if name.startswith(prefix) and name.removeprefix(prefix).startswith(CLIP_PARTS):
            return f"{prefix}text_model.{name.removeprefix(prefix)}"
    return name


def _dotted(name: str) -> str:
    """`model_ema.diffusion_modelinput_blocks10in_layers0weight` with its dots."""
    rest = name.removeprefix(AVERAGE).removeprefix("diffusion_model")
    words = []
    if place := PLACE.match(rest):
        words = [group for group in place.groups() if group]
        rest = rest[place.end() :]
    return NETWORK + ".".join([*words, *WORD.findall(rest)])


def load_tensors(checkpoint: SingleFile, prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The tensors whose names start so, by those names; 8-bit ones as float16, times their scale.

    Parameters
    ----------
    checkpoint : SingleFile
    prefixes : tuple of str
        "" for all of them.
    """
    import torch
    from safetensors import safe_open

    sources, loaded = checkpoint.sources, {}
    with safe_open(checkpoint.file, framework="pt") as file:
        for name in checkpoint.named(prefixes):
            if name.endswith(SCALES):
                continue
            value = file.get_tensor(sources[name])
            if checkpoint.headers[name].dtype in FP8:
                value = value.to(torch.float32)
                if scale := _scale_of(name, sources):
                    factor = file.get_tensor(scale).to(torch.float32)
                    value = value * factor.reshape(-1, *[1] * (value.ndim - 1))
                value = value.to(torch.float16)
            loaded[name] = value
    return loaded


def _scale_of(name: str, sources: Mapping[str, str]) -> str | None:
    """The file's name of a weight's scale, None where it has none."""
    layer = name.removesuffix(".weight")
    return next((sources[layer + end] for end in SCALES if layer + end in sources), None)
