"""Step 3: a prompt and seeds in, portraits out.

Each portrait starts from noise of its own seed and is made alone, so it can be made again alone,
bit for bit, without the nineteen others. The sampler is the family's: UniPC on Karras' noise levels
was within a hundredth of the exact answer after twenty steps where others needed fifty.

UniPC: Zhao et al., NeurIPS 2023. Noise levels: Karras et al., NeurIPS 2022. Guidance: Ho and
Salimans, 2022.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realism.config import PORTRAITS, Portraits
from realism.diffusion.base import Base, decode_latents
from realism.diffusion.denoise import denoise, encode_prompts
from realism.diffusion.lora import Adapter, applied_loras
from realism.diffusion.weights import fingerprint
from realism.errors import InputError, Message
from realism.portraits.portrait import AppliedLora, GenerationParameters, Portrait

MAX_SEED = 2**32 - 1
MAX_STEPS = 200  # of the sampler: it has converged at 20
MAX_GUIDANCE = 30.0


@dataclass(frozen=True)
class SamplingStep:
    """A portrait on its way.

    Attributes
    ----------
    number, of : int
        Which of how many portraits, from 1.
    step, steps : int
        Of the sampler, from 1.
    """

    number: int
    of: int
    step: int
    steps: int


@dataclass(frozen=True)
class LoraNote:
    """What of a LoRA's file is not used, or not known."""

    message: Message


def new_seeds(count: int, first: int | None = None, limits: Portraits = PORTRAITS) -> list[int]:
    """Seeds for a run: first, first + 1, ...; from a random one where None is given.

    Raises
    ------
    InputError
        More than may be made in one run, or beyond the largest seed.
    """
    if not 1 <= count <= limits.max_count:
        raise InputError("portraits_out_of_range", count=count, most=limits.max_count)
    if first is None:
        first = random.SystemRandom().randrange(MAX_SEED - limits.max_count)
    if not 0 <= first <= MAX_SEED - count:
        raise InputError("seed_out_of_range", largest=MAX_SEED - limits.max_count)
    return [first + number for number in range(count)]


def sample_portraits(
    base: Base,
    prompt: str,
    negative_prompt: str,
    seeds: Sequence[int],
    steps: int | None = None,
    guidance_scale: float | None = None,
    adapter: Adapter | None = None,
    styles: Sequence[Adapter] = (),
) -> Iterator[LoraNote | SamplingStep | Portrait]:
    """Make one portrait for each seed, and hand over each as soon as it is there.

    Stop walking to cancel; the base is then without LoRAs again.

    Parameters
    ----------
    seeds : sequence of int
        One for each portrait, 0 .. MAX_SEED.
    steps : int, optional
        1 .. MAX_STEPS; None: what suits the base.
    guidance_scale : float, optional
        1 .. MAX_GUIDANCE; None: what suits the base.
    adapter : Adapter, optional
        The person's LoRA.
    styles : sequence of Adapter
        LoRAs of styles.
    base, prompt, negative_prompt
        See `GenerationParameters`.

    Raises
    ------
    InputError
        Numbers out of range, or a LoRA that does not fit the base.
    """
    steps = base.preset.steps if steps is None else steps
    if not 1 <= steps <= MAX_STEPS:
        raise InputError("steps_out_of_range", steps=steps, enough=base.preset.steps)
    if guidance_scale is None:
        guidance_scale = base.preset.guidance_scale
    if not 1 <= guidance_scale <= MAX_GUIDANCE:
        raise InputError("guidance_out_of_range", guidance_scale=guidance_scale)
    if not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise InputError("no_seed", largest=MAX_SEED)
    adapters = [*([] if adapter is None else [adapter]), *styles]
    applied = tuple(
        AppliedLora(lora.name, fingerprint([lora.file])[:16], lora.weight) for lora in adapters
    )
    with applied_loras(base, adapters) as described:
        for lora, about in zip(adapters, described, strict=True):
            if names := about["left_out"]:
                yield LoraNote(Message("lora_embeddings_left_out", name=lora.name, names=names))
            if not about["strength_said"]:
                yield LoraNote(Message("lora_strength_not_said", name=lora.name))
        conditioning = encode_prompts(base, negative_prompt, prompt)
        for number, seed in enumerate(seeds, 1):
            parameters = GenerationParameters(
                seed=seed,
                prompt=prompt,
                negative_prompt=negative_prompt,
                base=base.name,
                base_fingerprint=base.fingerprint,
                adapters=applied,
                steps=steps,
                guidance_scale=guidance_scale,
                resolution=base.resolution,
            )
            walk = denoise(base, conditioning, seed, steps, guidance_scale)
            for step, latents in enumerate(walk, 1):
                yield SamplingStep(number, len(seeds), step, steps)
                if step == steps:
                    yield Portrait(decode_latents(base, latents)[0], parameters)
