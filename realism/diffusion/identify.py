"""Tell what base lies on disk by reading it: family, size, whether it can be used at all.

Only configurations and the headers of safetensors files are read, so a folder of ten gigabytes is
judged in milliseconds and nothing in it can run. What counts is what the files say, not a name:
each family knows its own by the network's configuration, or in a single file by the shapes of its
layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from realism.config import ASSETS
from realism.diffusion.device import Device
from realism.diffusion.families import FAMILIES
from realism.diffusion.families.family import Family
from realism.diffusion.families.unet import UNetFamily
from realism.diffusion.pickles import Progress, folder_of, is_pickle, safetensors_of
from realism.diffusion.single_file import SCALES, SingleFile, find_vae, read_single_file
from realism.diffusion.weights import WEIGHTS, TensorHeader, fingerprint, merge_headers
from realism.disk import read_json
from realism.errors import InputError, Message

CONFIGS = ASSETS / "configs"  # of each family, for single-file checkpoints


# What else people give as a base, known by how its tensors' names begin.
OTHER_FILES = {
    "control_model.": "file_is_a_controlnet",
    "emb_params": "file_is_an_embedding",
    "clip_l": "file_is_an_embedding",
    "string_to_param": "file_is_an_embedding",
    "first_stage_model.": "file_is_a_vae",
    "encoder.down": "file_is_a_vae",
    "down_blocks.": "file_is_one_network",
    "double_blocks.": "file_is_one_network",
    "transformer_blocks.": "file_is_one_network",
}


@dataclass(frozen=True)
class BaseFiles:
    """A base on disk, read but not loaded.

    Attributes
    ----------
    path : Path
        Its folder or file.
    family : Family
        What it needs that bases of other families do not.
    config : Path
        The folder with its configurations, and the weights where they lie in one: its own, or a
        copy in the cache with safetensors instead of pickles; for a single file one of ours.
    resolution : int
        px, side of the square it was trained at.
    network_config : dict
        Configuration of its denoising network.
    files : tuple of Path
        Its safetensors files, all parts; copies of pickles in the cache.
    network_files : tuple of Path
        Those with the network's tensors.
    variant : str or None
        "fp16" where only half-precision files are there.
    part_counts : dict of str to int
        How many numbers each of its parts holds.
    distilled : bool
        Made to draw in few steps, not to be trained.
    notes : tuple of Message
        What a person should know of how it is read.
    single : SingleFile or None
        Where its tensors lie in a single file; None for a folder.
    vae : SingleFile or None
        The VAE's, where it lies apart from a single file.
    """

    path: Path
    family: Family
    config: Path
    resolution: int
    network_config: dict
    files: tuple[Path, ...]
    network_files: tuple[Path, ...]
    variant: str | None
    part_counts: dict[str, int]
    distilled: bool = False
    notes: tuple[Message, ...] = ()
    single: SingleFile | None = None
    vae: SingleFile | None = None

    @property
    def fingerprint(self) -> str:
        """See `weights.fingerprint`."""
        if self.single is None:
            return fingerprint(self.network_files)
        prefixes = self.family.file_prefixes["network"]
        held = {self.single.sources[name] for name in self.single.named(prefixes)}
        scales = {name for name in held if name.endswith(SCALES)}
        return fingerprint(self.network_files, names=held - scales)

    @property
    def parameters(self) -> int:
        """How many numbers all its parts hold."""
        return sum(self.part_counts.values())

    def memory(self, device: Device) -> int:
        """Bytes that the loaded weights take on `device`, VAE in float32."""
        vae = self.part_counts["vae"]
        return vae * 4 + (self.parameters - vae) * device.dtype.itemsize


def read_base(path: Path, progress: Progress | None = None) -> BaseFiles:
    """Tell what base lies at `path`, from configurations and headers alone.

    Weights that lie as pickles are first written as safetensors, once (`pickles.py`).

    Parameters
    ----------
    path : Path
        A folder in diffusers layout, or a single file.
    progress : callable, optional
        Called with which pickle is being written as safetensors.

    Raises
    ------
    InputError
        Where it is none, or one that cannot make a picture from text.
    """
    return _read_folder(path, progress) if path.is_dir() else _read_single_file(path, progress)


def read_kind(path: Path) -> tuple[Family, bool]:
    """The family of a base on disk, and whether it is distilled; no pickle is opened.

    Raises
    ------
    InputError
        Where it is none, or a pickle, which does not tell before it is opened.
    """
    if path.is_dir():
        family, index, network, _ = _recognise_folder(path)
        return family, family.is_distilled(index, network, _read_scheduler(path))
    return _recognise_file(path.name, read_single_file(path, path.name).headers), False


def _read_scheduler(path: Path) -> dict:
    file = path / "scheduler" / "scheduler_config.json"
    return read_json(file, "file_base_index") if file.exists() else {}


def _read_folder(path: Path, progress: Progress | None) -> BaseFiles:
    family, index, network, vae = _recognise_folder(path)
    scheduler = _read_scheduler(path)
    if refusal := family.noise_refusal(path.name, scheduler):
        raise refusal
    parts = family.weight_parts
    variant, files = _weight_files(path, parts)
    folder, notes = path, ()
    if pickled := [part for part in parts if any(map(is_pickle, files[part]))]:
        folder = folder_of(path, files, progress)
        variant, files = _weight_files(folder, parts)
        notes = (Message("base_was_pickled", parts=pickled, folder=folder),)
    headers = {part: merge_headers(files[part]) for part in parts}
    counts = {part: _count(headers[part]) for part in parts}
    return BaseFiles(
        path=path,
        family=family,
        config=folder,
        resolution=family.resolution(network, vae),
        network_config=network,
        files=tuple(file for part in parts for file in files[part]),
        network_files=tuple(files[family.network]),
        variant=variant,
        part_counts=counts,
        distilled=family.is_distilled(index, network, scheduler),
        notes=notes,
    )


def _recognise_folder(path: Path) -> tuple[Family, dict, dict, dict]:
    """The family of a folder in diffusers layout; its index, network's and VAE's configuration."""
    if not (path / "model_index.json").exists():
        raise _not_a_base(path)
    index = read_json(path / "model_index.json", "file_base_index")
    for family in FAMILIES.values():
        file = path / family.network / "config.json"
        if not file.exists():
            continue
        network = read_json(file, "file_unet_configuration")
        vae = read_json(path / "vae" / "config.json", "file_vae_configuration")
        if not all(isinstance(read, dict) for read in (index, network, vae)):
            raise _not_a_base(path)
        if family.recognises_folder(path.name, index, network, vae):
            for part, config in (("vae", vae), (family.network, network)):
                if config.get("quantization_config"):
                    raise InputError("base_quantised", name=path.name, part=part)
            return family, index, network, vae
    raise _not_a_base(path)


def _not_a_base(path: Path) -> InputError:
    if (path / "config.json").exists():
        return InputError("not_a_base_single_network", name=path.name)
    if (path / "transformer").exists():
        return InputError("not_a_base_transformer", name=path.name)
    if (path / "pytorch_lora_weights.safetensors").exists():
        return InputError("not_a_base_lora", name=path.name)
    return InputError("not_a_base", name=path.name)


def _weight_files(path: Path, parts: tuple[str, ...]) -> tuple[str | None, dict[str, list[Path]]]:
    """The variant and the files of each part: full precision and safetensors where they are."""
    found: dict[str, dict[str | None, list[Path]]] = {part: {} for part in parts}
    for part in parts:
        for kind in ("safetensors", "bin"):
            for file in sorted((path / part).glob(f"*.{kind}")):
                if match := WEIGHTS.fullmatch(file.name):
                    found[part].setdefault(match["variant"], []).append(file)
            if found[part]:
                break
        else:
            raise InputError("base_weights_missing", name=path.name, part=part)
    variant = None if all(None in files for files in found.values()) else "fp16"
    return variant, {part: files.get(variant) or files[None] for part, files in found.items()}


def _read_single_file(path: Path, progress: Progress | None) -> BaseFiles:
    """A checkpoint in one file, in the layout of its family's first release."""
    if path.suffix.lower() == ".gguf":
        raise InputError("checkpoint_quantised", name=path.name)
    file, notes = path, ()
    if is_pickle(path):
        file = safetensors_of(path, progress)
        notes = (Message("base_was_pickled", parts=[path.name], folder=file.parent),)
    single = read_single_file(file, path.name)
    family = _recognise_file(path.name, single.headers)
    if not family.whole_files:
        return _with_other_parts(path, single, family, notes + single.notes)
    held = {part: single.named(prefixes) for part, prefixes in family.file_prefixes.items()}
    missing = [part for part in held if not held[part]]
    vae = None
    if missing == ["vae"]:
        vae, note = find_vae(path, family.vae_places, progress)
        held["vae"] = vae.headers
        notes += (note,)
    elif missing:
        raise InputError("checkpoint_incomplete", name=path.name)
    config = CONFIGS / family.name
    network = read_json(config / family.network / "config.json", "file_unet_configuration")
    return BaseFiles(
        path=path,
        family=family,
        config=config,
        resolution=family.file_resolution,
        network_config=network,
        files=(file, *([vae.file] if vae else [])),
        network_files=(file,),
        variant=None,
        part_counts={
            {"network": family.network}.get(part, part): _count(held[part]) for part in held
        },
        notes=notes + single.notes,
        single=single,
        vae=vae,
    )


def _with_other_parts(
    path: Path, single: SingleFile, family: Family, notes: tuple[Message, ...]
) -> BaseFiles:
    """A file of the network alone, with the other parts of the folder of its family beside it."""
    beside = [path.parent, *sorted(folder for folder in path.parent.iterdir() if folder.is_dir())]
    for folder in beside:
        if not (folder / "model_index.json").exists():
            continue
        found, index, network, vae = _recognise_folder(folder)
        if found is not family:
            continue
        parts = tuple(part for part in family.weight_parts if part != family.network)
        variant, files = _weight_files(folder, parts)
        counts = {part: _count(merge_headers(files[part])) for part in parts}
        scheduler = folder / "scheduler" / "scheduler_config.json"
        return BaseFiles(
            path=path,
            family=family,
            config=folder,
            resolution=family.resolution(network, vae),
            network_config=network,
            files=(single.file, *(file for part in parts for file in files[part])),
            network_files=(single.file,),
            variant=variant,
            part_counts={family.network: _count(single.headers), **counts},
            distilled=family.is_distilled(index, network, read_json(scheduler, "file_base_index")),
            notes=notes,
            single=single,
        )
    raise InputError("checkpoint_without_parts", name=path.name, family=family.name)


def _recognise_file(name: str, tensors: Mapping[str, TensorHeader]) -> Family:
    for family in FAMILIES.values():
        if family.recognises_file(name, tensors):
            return family
    if UNetFamily.first_layer in tensors:
        raise InputError("checkpoint_other_family", name=name)
    for layer, code in OTHER_FILES.items():
        if any(tensor.startswith(layer) for tensor in tensors):
            raise InputError(code, name=name)
    raise InputError("checkpoint_not_sd", name=name)


def _count(tensors: Mapping[str, TensorHeader]) -> int:
    """How many numbers tensors hold."""
    return sum(header.elements for header in tensors.values())
