"""What a fine-tune learns from, encoded once: latents, words and loss weights of every crop.

The VAE's answer is a Gaussian: its mean and deviation are kept and each step draws anew from it.
The order of the crops, the noise and the timesteps of a step follow from the seed and the step's
number alone. So a run that was killed goes on with what it would have drawn anyway, and several
processes share one large batch without a word between them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realism.config import Stage
from realism.diffusion.base import Base, encode_images, encode_text
from realism.disk import whole_file
from realism.errors import InputError, Message
from realism.finetune.crops import PictureSkipped, TrainingCrop


@dataclass(frozen=True, eq=False)
class Latents:
    """Encoded crops; tensors on the CPU.

    mean, std    (n, c, h, w) float32, times the VAE's scaling factor
    weight       (n, 1, h, w) float32, how much the loss counts a place
    words        conditioning of the different captions: tensors with the captions first
    captions     the different captions
    caption      (n,) int64: which of them is each crop's
    repeats        (n,) int64, how many times a round comes by a crop
    photos       (n,) names of the photos
    """

    mean: object
    std: object
    weight: object
    words: dict
    captions: list[str]
    caption: object
    repeats: object
    photos: list[str]


@dataclass(frozen=True)
class CropEncoded:
    """A crop is encoded: how many so far, and of which photo."""

    number: int
    photo: str


def encode_crops(
    base: Base, crops: Iterable[TrainingCrop | PictureSkipped], file: Path, source: str
) -> Iterator[CropEncoded | PictureSkipped]:
    """Encode the crops one by one and keep them in `file`.

    source    names what they were made from; see `read_latents`
    Raises InputError where there is not one crop.
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
        weights.append(torch.nn.functional.adaptive_avg_pool2d(weight, mean.shape[-2:]))
        captions.append(crop.caption)
        repeats.append(crop.repeats)
        photos.append(crop.photo)
        yield CropEncoded(len(means), crop.photo)
    if not means:
        if not skipped:
            raise InputError("nothing_to_learn_from")
        reasons = [Message("of_picture", name=one.name, reason=one.reason) for one in skipped[:3]]
        raise InputError("every_picture_skipped", reasons=reasons)
    different = sorted(set(captions))
    words = [encode_text(base, [caption]) for caption in different]
    tensors = {
        "mean": torch.cat(means),
        "std": torch.cat(stds),
        "weight": torch.cat(weights),
        "caption": torch.tensor([different.index(caption) for caption in captions]),
        "often": torch.tensor(repeats),
    }
    for name in words[0]:
        tensors[f"words.{name}"] = torch.cat([one[name] for one in words]).float().cpu()
    about = {"source": source, "captions": json.dumps(different), "photos": json.dumps(photos)}
    with whole_file(file) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, about)


def read_latents(file: Path, source: str) -> Latents | None:
    """What `encode_crops` kept; None where there is nothing, or it was made from something else."""
    from safetensors import safe_open

    if not file.exists():
        return None
    with safe_open(file, "pt") as stored:
        about = stored.metadata()
        if about["source"] != source:
            return None
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    words = {
        name.removeprefix("words."): value
        for name, value in tensors.items()
        if name.startswith("words.")
    }
    return Latents(
        tensors["mean"],
        tensors["std"],
        tensors["weight"],
        words,
        json.loads(about["captions"]),
        tensors["caption"],
        tensors["often"],
        json.loads(about["photos"]),
    )


@dataclass(frozen=True, eq=False)
class Batch:
    """What one process learns from in one step; tensors on the device.

    latents, noise    (b, c, h, w) float32
    timesteps         (b,) int64
    weight            (b, 1, h, w) float32
    words             conditioning
    """

    latents: object
    noise: object
    timesteps: object
    weight: object
    words: dict


def draw_batch(
    latents: Latents, stage: Stage, number: int, base: Base, process: int = 0, processes: int = 1
) -> Batch:
    """The batch of step `number` (from 1) for one of several processes."""
    import torch

    size = stage.batch * processes
    mine = slice(process * stage.batch, (process + 1) * stage.batch)
    row = np.repeat(np.arange(len(latents.mean)), latents.repeats.numpy())
    which = torch.tensor(row[_order(len(row), stage.seed, (number - 1) * size, size)])
    generator = torch.Generator().manual_seed(stage.seed * 1_000_003 + number)
    shape = (size, *latents.mean.shape[1:])
    drawn = latents.mean[which] + latents.std[which] * torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    # One timestep from each of `size` equal parts: the loss of a small batch is then less noisy.
    steps = base.noise_scheduler.config.num_train_timesteps
    parts = torch.randperm(size, generator=generator) + torch.rand(size, generator=generator)
    timesteps = (parts / size * steps).long().clamp(max=steps - 1)
    to, dtype = base.device.name, base.device.dtype
    captions = latents.caption[which][mine]
    return Batch(
        drawn[mine].to(to),
        noise[mine].to(to),
        timesteps[mine].to(to),
        latents.weight[which][mine].to(to),
        {name: value[captions].to(to, dtype) for name, value in latents.words.items()},
    )


def _order(count: int, seed: int, start: int, length: int) -> np.ndarray:
    """Places `start` .. `start + length` of an endless row of shuffles of range(count)."""
    rounds = range(start // count, (start + length - 1) // count + 1)
    shuffled = [np.random.default_rng([seed, turn]).permutation(count) for turn in rounds]
    row = np.concatenate(shuffled)
    first = start - rounds[0] * count
    return row[first : first + length]
