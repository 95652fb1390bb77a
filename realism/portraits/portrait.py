"""A portrait and how to make it again: both are in its file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from realism import __version__
from realism.images import read_info, save_png
from realism.portraits.provenance import PARAMETERS_KEY, provenance_entries, with_visible_label


@dataclass(frozen=True)
class AppliedLora:
    """A LoRA as a portrait was made with.

    Attributes
    ----------
    name : str
        Of the adapter or style.
    fingerprint : str
        Of its file, 16 hexadecimal digits.
    weight : float
        How strongly.
    """

    name: str
    fingerprint: str
    weight: float


@dataclass(frozen=True)
class GenerationParameters:
    """All that a portrait depends on; kept in its file.

    Attributes
    ----------
    seed : int
        0 .. 2**32 - 1.
    prompt : str
        As given to the base, the person's words put in.
    negative_prompt : str
        What to keep away from.
    base : str
        Name of the base.
    base_fingerprint : str
        Of the base's network, 64 hexadecimal digits.
    adapters : tuple of AppliedLora
        LoRAs on it.
    steps : int
        Of the sampler.
    guidance_scale : float
        1: the prompt alone; more: further from the negative prompt.
    resolution : int
        px, side of the square.
    version : str
        Of this program.
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

    Attributes
    ----------
    pixels : (R, R, 3) uint8 sRGB
        R the base's resolution.
    parameters : GenerationParameters
        How to make it again.
    """

    pixels: np.ndarray
    parameters: GenerationParameters

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.parameters.seed


def save_portrait(portrait: Portrait, path: Path, visible_label: str = "") -> None:
    """Write a portrait as PNG with its parameters and the notice that a machine made it.

    Parameters
    ----------
    visible_label : str
        "en" or "zh" writes the notice into a corner as well; "": only in the file.
    """
    pixels = portrait.pixels
    if visible_label:
        pixels = with_visible_label(pixels, chinese=visible_label == "zh")
    save_png(path, pixels, provenance_entries(asdict(portrait.parameters), pixels))


def read_parameters(path: Path) -> GenerationParameters | None:
    """How the portrait in a PNG was made; None where the file does not say."""
    try:
        entry = read_info(path).get(PARAMETERS_KEY) if path.suffix.lower() == ".png" else None
        values = json.loads(entry or "null")
        applied = tuple(AppliedLora(**lora) for lora in values.pop("adapters"))
        values.pop("restored", None)
        return GenerationParameters(**values, adapters=applied)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, SyntaxError):
        return None  # a portrait of another program, or a damaged one
