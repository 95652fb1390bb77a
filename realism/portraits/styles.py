"""Presets of prompts, `assets/styles/*.json`, and the prompt with the person in it."""

from dataclasses import dataclass
from functools import lru_cache

from realism.config import ASSETS
from realism.disk import read_model
from realism.errors import InputError

STYLES = ASSETS / "styles"
PLACE = "{person}"  # where a prompt wants the person to stand


@dataclass(frozen=True)
class _StoredStyle:
    """A preset as its file holds it; see `Style`."""

    name: str
    name_zh: str
    prompt: str
    negative_prompt: str
    note: str


@dataclass(frozen=True)
class Style:
    """A preset: a prompt in which {person} is the person.

    Attributes
    ----------
    slug : str
        Its file's name without number and suffix.
    name, name_zh : str
        On the page.
    prompt : str
        What to show.
    negative_prompt : str
        What to keep away from.
    note : str
        What it looks like, one sentence.
    """

    slug: str
    name: str
    name_zh: str
    prompt: str
    negative_prompt: str
    note: str


@lru_cache
def load_styles() -> tuple[Style, ...]:
    """The presets, the default one first."""
    files = sorted(STYLES.glob("*.json"))
    return tuple(
        Style(file.stem[3:], **vars(read_model(file, _StoredStyle, "file_style"))) for file in files
    )


def find_style(slug: str) -> Style:
    """The preset of that slug.

    Raises
    ------
    InputError
        With the list of those there are.
    """
    for preset in load_styles():
        if preset.slug == slug:
            return preset
    choices = [preset.slug for preset in load_styles()]
    raise InputError("style_not_found", style=slug, choices=choices)


def words_of_styles() -> frozenset[str]:
    """Every word of the presets' prompts."""
    prompts = [f"{style.prompt} {style.negative_prompt}" for style in load_styles()]
    return frozenset(word.strip(",.;") for prompt in prompts for word in prompt.split())


def prompt_for(prompt: str, person: str) -> str:
    """The prompt with the person in it.

    Parameters
    ----------
    prompt : str
        With {person}, or without: then the person is put before it.
    person : str
        "ohwx woman" with her LoRA, "woman" without.
    """
    prompt = " ".join(prompt.split())
    if PLACE in prompt:
        return prompt.replace(PLACE, person)
    if person in prompt:
        return prompt
    return f"photo portrait of {person}, {prompt}".rstrip(", ")
