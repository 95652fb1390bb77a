"""Step 3: a prompt and seeds in, portraits out.

Each portrait starts from noise of its own seed and is made alone, so it can be made again alone,
bit for bit, without the nineteen others. The sampler is UniPC on Karras' noise levels, which was
within a hundredth of the exact answer after twenty steps where others needed fifty.

UniPC: Zhao et al., NeurIPS 2023. Noise levels: Karras et al., NeurIPS 2022. Guidance: Ho and
Salimans, 2022.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from realism import __version__
from realism.config import PORTRAITS, Portraits, find_preset
from realism.diffusion.base import Base, decode_latents, encode_text, predict
from realism.diffusion.lora import Adapter, applied_loras
from realism.diffusion.weights import fingerprint
from realism.errors import InputError
from realism.images import open_photo, read_info, save_png
from realism.portraits.provenance import PARAMETERS_KEY, provenance_entries, with_visible_label

MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class AppliedLora:
    """A LoRA as a portrait was made with.

    name           of the adapter or style
    fingerprint    of its file, 16 hexadecimal digits
    weight         how strongly
    """

    name: str
    fingerprint: str
    weight: float


@dataclass(frozen=True)
class GenerationParameters:
    """All that a portrait depends on; kept in its file.

    seed               0 .. 2**32 - 1
    prompt             as given to the base, the person's words put in
    negative_prompt    what to keep away from
    base               name of the base
    base_fingerprint   of the base's UNet, 64 hexadecimal digits
    adapters           LoRAs on it
    steps              of the sampler
    guidance_scale     1: the prompt alone; more: further from the negative prompt
    resolution         px, side of the square
    version            of this program
    """

    seed: int
    prompt: str
    negative_prompt: str
    base: str
    base_fingerprint: str
    adapters: tuple[AppliedLora, ...]
    steps: int
    guidance_scale: float
    resolution: int
    version: str = __version__


@dataclass(frozen=True, eq=False)
class Portrait:
    """One portrait.

    pixels    (R, R, 3) uint8 sRGB, R the base's resolution
    parameters    how to make it again
    """

    pixels: np.ndarray
    parameters: GenerationParameters

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.parameters.seed


@dataclass(frozen=True)
class SamplingStep:
    """A portrait on its way.

    number, of    which of how many portraits, from 1
    step, steps   of the sampler, from 1
    """

    number: int
    of: int
    step: int
    steps: int


def new_seeds(count: int, first: int | None = None, limits: Portraits = PORTRAITS) -> list[int]:
    """Seeds for a run: first, first + 1, ...; from a random one where None is given."""
    if not 1 <= count <= limits.max_count:
        raise InputError("portraits_out_of_range", count=count, most=limits.max_count)
    if first is None:
        first = random.SystemRandom().randrange(MAX_SEED - limits.max_count)
    if not 0 <= first <= MAX_SEED - count:
        raise InputError("seed_out_of_range", largest=MAX_SEED - limits.max_count)
    return [first + number for number in range(count)]


def default_guidance(base: str) -> float:
    """The guidance scale that suits a base, by its name."""
    return find_preset(base).guidance_scale


def make_portraits(
    base: Base,
    prompt: str,
    negative_prompt: str,
    seeds: Sequence[int],
    steps: int = PORTRAITS.steps,
    guidance_scale: float | None = None,
    adapter: Adapter | None = None,
    styles: Sequence[Adapter] = (),
) -> Iterator[Portrait]:
    """Make one portrait for each seed, and hand over each as soon as it is there.

    guidance_scale    None: what suits the base
    adapter    the person's LoRA
    styles     LoRAs of styles
    Other arguments: see GenerationParameters. Stop walking to cancel; the base is then without
    LoRAs again.
    """
    walk = sample_portraits(
        base, prompt, negative_prompt, seeds, steps, guidance_scale, adapter, styles
    )
    yield from (event for event in walk if isinstance(event, Portrait))


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
    """As `make_portraits`, with a SamplingStep after each step: to show progress and to cancel.

    Raises InputError: numbers out of range, or a LoRA that does not fit the base.
    """
    if not 1 <= steps <= 200:
        raise InputError("steps_out_of_range", steps=steps, enough=PORTRAITS.steps)
    if guidance_scale is None:
        guidance_scale = default_guidance(base.name)
    if not 1 <= guidance_scale <= 30:
        raise InputError("guidance_out_of_range", guidance_scale=guidance_scale)
    if not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise InputError("no_seed", largest=MAX_SEED)
    adapters = [adapter] * (adapter is not None) + list(styles)
    applied = tuple(
        AppliedLora(one.name, fingerprint([one.file])[:16], one.weight) for one in adapters
    )
    with applied_loras(base, adapters):
        words = _guided_text(base, prompt, negative_prompt)
        for number, seed in enumerate(seeds, 1):
            parameters = GenerationParameters(
                seed, prompt, negative_prompt, base.name, base.fingerprint, applied,
                steps, guidance_scale, base.resolution,
            )  # fmt: skip
            for step, latents in enumerate(_denoised(base, words, parameters), 1):
                yield SamplingStep(number, len(seeds), step, steps)
                if step == steps:
                    yield Portrait(decode_latents(base, latents)[0], parameters)


def _denoised(base: Base, words: dict, parameters: GenerationParameters) -> Iterator:
    """Latents (1, c, h, w) float32 after each step of the sampler, from the seed's noise on."""
    import torch
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler.from_config(
        base.pipeline.scheduler.config, use_karras_sigmas=True
    )
    scheduler.set_timesteps(parameters.steps, device=base.device.name)
    side = parameters.resolution // base.pipeline.vae_scale_factor
    # The noise is drawn on the processor: the same seed then starts alike on every device.
    generator = torch.Generator("cpu").manual_seed(parameters.seed)
    shape = (1, base.pipeline.unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=generator)
    latents = latents.to(base.device.name) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        with torch.no_grad():  # never across a yield: it would reach whoever walks us
            pair = scheduler.scale_model_input(latents, timestep).repeat(2, 1, 1, 1)
            said = predict(base, pair.to(base.device.dtype), timestep, words).float()
            without, with_prompt = said.chunk(2)
            guided = without + parameters.guidance_scale * (with_prompt - without)
            latents = scheduler.step(guided, timestep, latents, return_dict=False)[0]
        yield latents


def _guided_text(base: Base, prompt: str, negative_prompt: str) -> dict:
    """Conditioning of the negative prompt and the prompt, in this order."""
    negative = drop_unknown_words(base, negative_prompt)
    words = encode_text(base, [negative, drop_unknown_words(base, prompt)])
    if not negative and getattr(base.pipeline.config, "force_zeros_for_empty_prompt", False):
        for key in ("encoder_hidden_states", "text_embeds"):  # as SDXL was trained
            words[key][0] = 0
    return words


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


# --- files -------------------------------------------------------------------------------------


def save_portrait(portrait: Portrait, path: Path, visible_label: str = "") -> None:
    """Write a portrait as PNG with its parameters and the notice that a machine made it.

    visible_label    "en" or "zh" writes the notice into a corner as well; "": only in the file
    """
    pixels = portrait.pixels
    if visible_label:
        pixels = with_visible_label(pixels, chinese=visible_label == "zh")
    save_png(path, pixels, provenance_entries(asdict(portrait.parameters), pixels))


def read_parameters(path: Path) -> GenerationParameters | None:
    """How the portrait in a PNG was made; None where the file does not say."""
    told = read_info(path).get(PARAMETERS_KEY) if path.suffix.lower() == ".png" else None
    try:
        values = json.loads(told or "null")
        applied = tuple(AppliedLora(**one) for one in values.pop("adapters"))
        values.pop("restored", None)
        return GenerationParameters(**values, adapters=applied)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # a portrait of another program


def open_portrait(path: Path) -> Portrait | None:
    """The portrait in a PNG of ours; None where the file does not tell its parameters."""
    parameters = read_parameters(path)
    return parameters and Portrait(open_photo(path).pixels, parameters)


def describe_parameters(parameters: GenerationParameters) -> str:
    """One line on how a portrait was made, for people."""
    applied = "".join(f", {one.name} at {one.weight:g}" for one in parameters.adapters)
    return (
        f"seed {parameters.seed}, {parameters.base}{applied}, {parameters.steps} steps, "
        f"guidance {parameters.guidance_scale:g}: {parameters.prompt}"
    )
