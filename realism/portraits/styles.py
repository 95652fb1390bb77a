"""Styles: a prompt with a place for the person, maybe a LoRA, and a picture of what it looks like.

Presets ship in `assets/styles`; what is imported (`imported_styles.py`) lies in `.styles` beside
the people, one JSON a style, and stands among them.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from realism.config import ASSETS, PORTRAITS, home
from realism.disk import read_model
from realism.errors import InputError, Message

STYLES = ASSETS / "styles"
PLACE = "{person}"  # where a prompt wants the person to stand
MOST_NAMED = 20  # styles in a refusal


@dataclass(frozen=True)
class StyleLora:
    """The LoRA of a style.

    Attributes
    ----------
    file : str
        Its file's name; "" for the only one of its repository.
    repo : str or None
        "owner/name" of a hub; None where the file itself lies beside the style.
    revision : str or None
        Of the repository; None: the hub's own default.
    family : str
        Of the bases that it was made for.
    """

    file: str
    repo: str | None
    revision: str | None
    family: str


@dataclass(frozen=True)
class StoredStyle:
    """A style as its file holds it; see `Style`."""

    name: str
    name_zh: str
    prompt: str
    negative_prompt: str
    note: str
    picture: str = ""
    lora: StyleLora | None = None
    style_weight: float = PORTRAITS.style_weight
    person_weight: float = 1.0


@dataclass(frozen=True)
class Style:
    """A style: a prompt in which {person} is the person.

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
    picture : Path or None
        What it looks like, one example.
    lora : StyleLora or None
        What draws it, where words alone do not.
    lora_file : Path or None
        The LoRA's file where it lies beside the style.
    style_weight : float
        Of that LoRA.
    person_weight : float
        Of the person's LoRA beside it.
    imported : bool
        Whether it came from elsewhere, and may go again.
    """

    slug: str
    name: str
    name_zh: str
    prompt: str
    negative_prompt: str
    note: str
    picture: Path | None = None
    lora: StyleLora | None = None
    lora_file: Path | None = None
    style_weight: float = PORTRAITS.style_weight
    person_weight: float = 1.0
    imported: bool = False


def imported_folder(root: Path | None = None) -> Path:
    """Where imported styles lie.

    Parameters
    ----------
    root : Path, optional
        The folder of the people that they are for; None: the common home.
    """
    return (root or home()) / ".styles"


@lru_cache
def load_presets() -> tuple[Style, ...]:
    """The styles that ship, the default one first."""
    return tuple(_read_style(file, file.stem[3:]) for file in sorted(STYLES.glob("*.json")))


def load_styles(root: Path | None = None) -> tuple[Style, ...]:
    """The styles that ship, then the imported ones of that folder of people that can be read."""
    read = _read_imported(root)
    return (*load_presets(), *(style for style in read.values() if isinstance(style, Style)))


def damaged_styles(root: Path | None = None) -> dict[str, Message]:
    """Slug of each imported style that cannot be read, and why; it can be removed."""
    read = _read_imported(root)
    return {slug: style for slug, style in read.items() if isinstance(style, Message)}


def _read_imported(root: Path | None) -> dict[str, Style | Message]:
    """The imported styles by slug; why one cannot be read, so that the others can."""
    found: dict[str, Style | Message] = {}
    for file in sorted(imported_folder(root).glob("[!.]*.json")):
        try:
            found[file.stem] = _read_style(file, file.stem, imported=True)
        except InputError as error:
            found[file.stem] = error.message
    return found


def _read_style(file: Path, slug: str, imported: bool = False) -> Style:
    stored = read_model(file, StoredStyle, "file_style")
    picture = file.parent / stored.picture if stored.picture else None
    lora_file = None
    if imported and stored.lora:
        lora_file = file.with_suffix(Path(stored.lora.file).suffix or ".safetensors")
    return Style(
        slug=slug,
        name=stored.name,
        name_zh=stored.name_zh,
        prompt=stored.prompt,
        negative_prompt=stored.negative_prompt,
        note=stored.note,
        picture=picture if picture and picture.exists() else None,
        lora=stored.lora,
        lora_file=lora_file if lora_file and lora_file.exists() else None,
        style_weight=stored.style_weight,
        person_weight=stored.person_weight,
        imported=imported,
    )


def find_style(slug: str, root: Path | None = None) -> Style:
    """The style of that slug.

    Parameters
    ----------
    root : Path, optional
        As of `load_styles`.

    Raises
    ------
    InputError
        With the list of those there are.
    """
    styles = load_styles(root)
    for style in styles:
        if style.slug == slug:
            return style
    if slug in (damaged := damaged_styles(root)):
        raise InputError("styles_damaged", reason=damaged[slug])
    choices = [style.slug for style in styles[:MOST_NAMED]]
    raise InputError("style_not_found", style=slug, choices=choices)


def words_of_styles() -> frozenset[str]:
    """Every word of the presets' prompts."""
    prompts = [f"{style.prompt} {style.negative_prompt}" for style in load_presets()]
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
