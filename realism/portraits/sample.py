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
from typing import TYPE_CHECKING

from realism.config import PORTRAITS, Portraits, find_preset
from realism.diffusion.base import Base, decode_latents, encode_text, predict
from realism.diffusion.families.family import Conditioning
from realism.diffusion.lora import Adapter, applied_loras
from realism.diffusion.weights import fingerprint
from realism.errors import InputError
from realism.portraits.portrait import AppliedLora, GenerationParameters, Portrait

if TYPE_CHECKING:
    import torch

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


def default_guidance(base: str, family: str = "sd15") -> float:
    """The guidance scale that suits a base, by its name, else its family's."""
    return find_preset(base, family).guidance_scale


def sample_portraits(
    base: Base,
    prompt: str,
    negative_prompt: str,
    seeds: Sequence[int],
    steps: int = PORTRAITS.steps,
    guidance_scale: float | None = None,
    adapter: Adapter | None = None,
    styles: Sequence[Adapter] = (),
) -> Iterator[SamplingStep | Portrait]:
    """Make one portrait for each seed, and hand over each as soon as it is there.

    Stop walking to cancel; the base is then without LoRAs again.

    Parameters
    ----------
    seeds : sequence of int
        One for each portrait, 0 .. MAX_SEED.
    guidance_scale : float, optional
        1 .. MAX_GUIDANCE; None: what suits the base.
    adapter : Adapter, optional
        The person's LoRA.
    styles : sequence of Adapter
        LoRAs of styles.
    base, prompt, negative_prompt, steps
        See `GenerationParameters`.

    Raises
    ------
    InputError
        Numbers out of range, or a LoRA that does not fit the base.
    """
    if not 1 <= steps <= MAX_STEPS:
        raise InputError("steps_out_of_range", steps=steps, enough=PORTRAITS.steps)
    if guidance_scale is None:
        guidance_scale = default_guidance(base.name, base.family.name)
    if not 1 <= guidance_scale <= MAX_GUIDANCE:
        raise InputError("guidance_out_of_range", guidance_scale=guidance_scale)
    if not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise InputError("no_seed", largest=MAX_SEED)
    adapters = [*([] if adapter is None else [adapter]), *styles]
    applied = tuple(
        AppliedLora(lora.name, fingerprint([lora.file])[:16], lora.weight) for lora in adapters
    )
    with applied_loras(base, adapters):
        conditioning = _encode_prompts(base, negative_prompt, prompt)
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
            for step, latents in enumerate(_denoise(base, conditioning, parameters), 1):
                yield SamplingStep(number, len(seeds), step, steps)
                if step == steps:
                    yield Portrait(decode_latents(base, latents)[0], parameters)


def _denoise(
    base: Base, conditioning: Conditioning, parameters: GenerationParameters
) -> Iterator[torch.Tensor]:
    """Latents (1, c, h, w) float32 after each step of the sampler, from the seed's noise on."""
    import torch

    scheduler = base.family.sampler(base.pipeline.scheduler.config)
    scheduler.set_timesteps(parameters.steps, device=base.device.name)
    side = parameters.resolution // base.pipeline.vae_scale_factor
    # The noise is drawn on the processor: the same seed then starts alike on every device.
    generator = torch.Generator("cpu").manual_seed(parameters.seed)
    shape = (1, base.pipeline.vae.config.latent_channels, side, side)
    latents = torch.randn(shape, generator=generator)
    latents = latents.to(base.device.name) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        with torch.no_grad():  # never across a yield: it would reach whoever walks us
            pair = scheduler.scale_model_input(latents, timestep).repeat(2, 1, 1, 1)
            prediction = predict(base, pair.to(base.device.dtype), timestep, conditioning).float()
            without, with_prompt = prediction.chunk(2)
            guided = without + parameters.guidance_scale * (with_prompt - without)
            latents = scheduler.step(guided, timestep, latents, return_dict=False)[0]
        yield latents


def _encode_prompts(base: Base, negative_prompt: str, prompt: str) -> Conditioning:
    """Conditioning of the negative prompt and the prompt, in this order."""
    negative = drop_unknown_words(base, negative_prompt)
    conditioning = encode_text(base, [negative, drop_unknown_words(base, prompt)])
    return conditioning if negative else base.family.without_prompt(base.pipeline, conditioning, 0)


def drop_unknown_words(base: Base, text: str) -> str:
    """The text without words that the base's tokenizer has no token for.

    SD's tokenizer spells out every word and keeps all; the embedded base knows about eighty words,
    and a negative prompt full of unknown ones would steer it somewhere at random.
    """
    tokenizer = base.pipeline.tokenizer
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown == tokenizer.eos_token_id:
        return text
    kept = [
        word
        for word in text.split()
        if set(tokenizer(word, add_special_tokens=False).input_ids) - {unknown}
    ]
    return " ".join(kept)


def unread_prompt_end(base: Base, prompt: str) -> str:
    """The end of a prompt that the base does not read, since it is too long; "" where it fits."""
    tokenizer = base.pipeline.tokenizer
    tokens = tokenizer(drop_unknown_words(base, prompt)).input_ids
    return tokenizer.decode(tokens[tokenizer.model_max_length - 1 : -1]).strip()
