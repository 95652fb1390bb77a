"""Presets of prompts, and the prompt with the person in it."""

from dataclasses import dataclass
from functools import lru_cache

from realism.config import ASSETS
from realism.disk import read_json
from realism.errors import InputError

STYLES = ASSETS / "styles"


PLACE = "{person}"  # where a prompt wants the person to stand


@dataclass(frozen=True)
class Style:
    """A preset: a prompt in which {person} is the person.

    slug               its file's name without suffix
    name, name_zh      on the page
    prompt             what to show
    negative_prompt    what to keep away from
    note               what it looks like, one sentence
    """

    slug: str
    name: str
    name_zh: str
    prompt: str
    negative_prompt: str
    note: str


@lru_cache
def load_styles() -> tuple[Style, ...]:
    """The presets of realism/styles/, the default one first."""
    files = sorted(STYLES.glob("*.json"))
    return tuple(Style(file.stem[3:], **read_json(file, "file_style")) for file in files)


def find_style(slug: str) -> Style:
    """The preset of that slug; raises InputError with the list of those there are."""
    for one in load_styles():
        if one.slug == slug:
            return one
    raise InputError("style_not_found", style=slug, choices=[one.slug for one in load_styles()])


def prompt_for(prompt: str, person: str) -> str:
    """The prompt with the person in it.

    prompt    with {person}, or without: then the person is put before it
    person    "ohwx woman" with her LoRA, "woman" without
    """
    prompt = " ".join(prompt.split())
    if PLACE in prompt:
        return prompt.replace(PLACE, person)
    if person in prompt:
        return prompt
    return f"photo portrait of {person}, {prompt}".rstrip(", ")
