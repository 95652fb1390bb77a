"""From noise to a picture: one walk of the sampler, for portraits and for previews.

Each picture starts from noise of its own seed and is made alone, so it can be made again alone,
bit for bit. The sampler and how guidance is applied are the family's.

Guidance: Ho and Salimans, "Classifier-free diffusion guidance", 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from realism.diffusion.base import Base, encode_text, predict
from realism.diffusion.families.family import Conditioning
from realism.diffusion.placement import bring

if TYPE_CHECKING:
    import torch


def denoise(
    base: Base, conditioning: Conditioning, seed: int, steps: int, guidance_scale: float
) -> Iterator[torch.Tensor]:
    """Latents (1, c, h, w) float32 after each step of the sampler, from the seed's noise on.

    Parameters
    ----------
    conditioning : dict of str to tensor
        Of `encode_prompts`: the negative prompt, then the prompt.
    """
    import torch

    bring(base, base.family.network)
    family, pipeline, shape = base.family, base.pipeline, base.latent_shape
    scheduler = family.sampler(pipeline.scheduler.config)
    timesteps = family.sampling_timesteps(scheduler, steps, shape, base.device.name)
    # The noise is drawn on the processor: the same seed then starts alike on every device.
    latents = torch.randn((1, *shape), generator=torch.Generator("cpu").manual_seed(seed))
    latents = latents.to(base.device.name) * getattr(scheduler, "init_noise_sigma", 1.0)
    both = family.uses_negative_prompt(pipeline, guidance_scale)
    if not both:
        conditioning = {name: value[1:] for name, value in conditioning.items()}
    conditioning = family.with_guidance(pipeline, conditioning, guidance_scale)
    for timestep in timesteps:
        with torch.no_grad():  # never across a yield: it would reach whoever walks us
            given = latents
            if hasattr(scheduler, "scale_model_input"):
                given = scheduler.scale_model_input(latents, timestep)
            given = given.repeat(2, 1, 1, 1) if both else given
            answer = predict(base, given.to(base.device.dtype), timestep, conditioning).float()
            if both:
                answer = family.guide(*answer.chunk(2), guidance_scale)
            latents = scheduler.step(answer, timestep, latents, return_dict=False)[0]
        yield latents


def encode_prompts(base: Base, negative_prompt: str, prompt: str) -> Conditioning:
    """Conditioning of the negative prompt and the prompt, in this order."""
    negative = drop_unknown_words(base, negative_prompt)
    conditioning = encode_text(base, [negative, drop_unknown_words(base, prompt)])
    return conditioning if negative else base.family.without_prompt(base.pipeline, conditioning, 0)


def drop_unknown_words(base: Base, text: str) -> str:
    """The text without words that the base's tokenizer has no token for.

    SD's tokenizer spells out every word and keeps all; the embedded base knows about eighty words,
    and a negative prompt full of unknown ones would steer it somewhere at random.
    """
    tokenizer, _ = base.family.text_reader(base.pipeline)
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
    tokenizer, most = base.family.text_reader(base.pipeline)
    tokens = tokenizer(drop_unknown_words(base, prompt), add_special_tokens=False).input_ids
    return tokenizer.decode(tokens[most:]).strip()
