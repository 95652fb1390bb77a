"""What a fine-tune learns from, encoded once: latents, captions and loss weights of every crop.

The VAE's answer is a Gaussian: its mean and deviation are kept and each step draws anew from it.
The order of the crops, the noise and the timesteps of a step follow from the seed and the step's
number alone. So a run that was killed goes on with what it would have drawn anyway, and several
processes share one large batch without exchanging it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.config import Stage
from realism.diffusion.base import Base, encode_images, encode_text
from realism.diffusion.families.family import Conditioning
from realism.disk import whole_file
from realism.errors import InputError, Message
from realism.finetune.crops import TrainingCrop
from realism.finetune.events import CropEncoded
from realism.finetune.pictures import PictureSkipped

if TYPE_CHECKING:
    import torch

# How the file names the conditioning's tensors and the repeats: as in the first release.
CONDITIONING = "words."
REPEATS = "often"


@dataclass(frozen=True, eq=False)
class Latents:
    """Encoded crops; tensors on the CPU.

    Attributes
    ----------
    mean, std : (n, c, h, w) float32
        On the scale that the network works on.
    weight : (n, 1, h, w) float32
        How much the loss counts a place.
    conditioning : dict of str to tensor
        Of the different captions, which come first.
    captions : list of str
        The different captions.
    caption : (n,) int64
        Which of them is each crop's.
    repeats : (n,) int64
        How many times a round comes by a crop.
    photos : list of str
        Names of the photos, one for each crop.
    """

    mean: torch.Tensor
    std: torch.Tensor
    weight: torch.Tensor
    conditioning: Conditioning
    captions: list[str]
    caption: torch.Tensor
    repeats: torch.Tensor
    photos: list[str]


def encode_crops(
    base: Base, crops: Iterable[TrainingCrop | PictureSkipped], file: Path, source: str
) -> Iterator[CropEncoded | PictureSkipped]:
    """Encode the crops one by one and keep them in `file`.

    Parameters
    ----------
    source : str
        Names what they were made from; see `read_latents`.

    Raises
    ------
    InputError
        Where there is not one crop.
    """
    import torch
    from safetensors.torch import save_file

    means, stds, weights, captions, repeats, photos, skipped = [], [], [], [], [], [], []
    for crop in crops:
        if isinstance(crop, PictureSkipped):
            skipped.append(crop)
            yield crop
            continue
        mean, std = encode_images(base, crop.pixels[None])
        means.append(mean)
        stds.append(std)
        weight = torch.from_numpy(crop.weight)[None, None]
        weights.append(
            torch.nn.functional.adaptive_avg_pool2d(weight, (mean.shape[-2], mean.shape[-1]))
        )
        captions.append(crop.caption)
        repeats.append(crop.repeats)
        photos.append(crop.photo)
        yield CropEncoded(len(means), crop.photo)
    if not means:
        raise _nothing_to_learn_from(skipped)
    different = sorted(set(captions))
    encoded = [encode_text(base, [caption]) for caption in different]
    tensors = {
        "mean": torch.cat(means),
        "std": torch.cat(stds),
        "weight": torch.cat(weights),
        "caption": torch.tensor([different.index(caption) for caption in captions]),
        REPEATS: torch.tensor(repeats),
    }
    for name in encoded[0]:
        joined = _join([conditioning[name] for conditioning in encoded])
        tensors[f"{CONDITIONING}{name}"] = joined.cpu()
    metadata = {"source": source, "captions": json.dumps(different), "photos": json.dumps(photos)}
    with whole_file(file) as temporary:
        save_file(
            {name: value.contiguous() for name, value in tensors.items()}, temporary, metadata
        )


def _join(values: list[torch.Tensor]) -> torch.Tensor:
    """Tensors (1, n, ...) as one; zeros after the shorter ones, which their mask leaves out."""
    import torch

    longest = max(value.shape[1] for value in values)
    padded = [value.new_zeros(1, longest, *value.shape[2:]) for value in values]
    for place, value in zip(padded, values, strict=True):
        place[:, : value.shape[1]] = value
    return torch.cat(padded)


def _nothing_to_learn_from(skipped: list[PictureSkipped]) -> InputError:
    if not skipped:
        return InputError("nothing_to_learn_from")
    reasons = [
        Message("of_picture", name=picture.name, reason=picture.reason) for picture in skipped[:3]
    ]
    return InputError("every_picture_skipped", reasons=reasons)


def read_latents(file: Path, source: str) -> Latents | None:
    """What `encode_crops` kept.

    Returns
    -------
    Latents or None
        None where there is nothing, it was made from something else, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("source") != source:
                return None
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except SafetensorError:  # empty or cut off by a crash of the machine: encoded anew
        return None
    return Latents(
        mean=tensors["mean"],
        std=tensors["std"],
        weight=tensors["weight"],
        conditioning={
            name.removeprefix(CONDITIONING): value
            for name, value in tensors.items()
            if name.startswith(CONDITIONING)
        },
        captions=json.loads(metadata["captions"]),
        caption=tensors["caption"],
        repeats=tensors[REPEATS],
        photos=json.loads(metadata["photos"]),
    )


@dataclass(frozen=True, eq=False)
class Batch:
    """What one process learns from in one step; tensors on the device.

    Attributes
    ----------
    latents, noise : (b, c, h, w) float32
        On the scale that the network works on; standard normal.
    timesteps : (b,)
        Of the base's noise scheduler, as its family draws them.
    weight : (b, 1, h, w) float32
        How much the loss counts a place.
    conditioning : dict of str to tensor
        Of the crops' captions.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    weight: torch.Tensor
    conditioning: Conditioning


def draw_batch(
    latents: Latents, stage: Stage, number: int, base: Base, process: int = 0, processes: int = 1
) -> Batch:
    """The batch of step `number` (from 1) for one of several processes."""
    import torch

    size = stage.batch * processes
    own_share = slice(process * stage.batch, (process + 1) * stage.batch)
    row = np.repeat(np.arange(len(latents.mean)), latents.repeats.numpy())
    which = torch.tensor(row[_order(len(row), stage.seed, (number - 1) * size, size)])
    generator = torch.Generator().manual_seed(stage.seed * 1_000_003 + number)
    shape = (size, *latents.mean.shape[1:])
    drawn = latents.mean[which] + latents.std[which] * torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    # One timestep from each of `size` equal parts: the loss of a small batch is then less noisy.
    parts = torch.randperm(size, generator=generator) + torch.rand(size, generator=generator)
    timesteps = base.family.draw_timesteps(base.noise_scheduler, parts / size)
    device, dtype = base.device.name, base.device.dtype
    captions = latents.caption[which][own_share]
    return Batch(
        latents=drawn[own_share].to(device),
        noise=noise[own_share].to(device),
        timesteps=timesteps[own_share].to(device),
        weight=latents.weight[which][own_share].to(device),
        conditioning={
            name: value[captions].to(device, dtype) for name, value in latents.conditioning.items()
        },
    )


def _order(count: int, seed: int, start: int, length: int) -> np.ndarray:
    """Places `start` .. `start + length` of an endless row of shuffles of range(count)."""
    rounds = range(start // count, (start + length - 1) // count + 1)
    shuffled = [np.random.default_rng([seed, turn]).permutation(count) for turn in rounds]
    row = np.concatenate(shuffled)
    first = start - rounds[0] * count
    return row[first : first + length]
