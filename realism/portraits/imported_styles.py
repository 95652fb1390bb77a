"""Bring in styles from elsewhere: FaceChain's own JSON, one file or a whole folder of them.

FaceChain (modelscope/facechain, folder `styles`) holds a style in a file with `name, img, model_id,
revision, bin_file, multiplier_style, multiplier_human, add_prompt_style`: a picture, a LoRA on
ModelScope for a base of SD 1.5, and how strongly it and the person's are put on. Picture and LoRA
are taken along where they lie near the file; the LoRA is brought from the hub when first used.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from PIL import Image

from realism.diffusion.hub_lora import is_lora_name, is_repository
from realism.disk import read_json, validate, whole_file, write_json
from realism.errors import InputError, Message
from realism.filenames import is_device
from realism.images import SUFFIXES, open_photo
from realism.portraits.prompt import plain_prompt
from realism.portraits.styles import (
    PLACE,
    StoredStyle,
    Style,
    StyleLora,
    damaged_styles,
    find_style,
    imported_folder,
    load_presets,
)

FAMILY = "sd15"  # of FaceChain's bases that have styles
MOST_WEIGHT = 2.0  # of a LoRA: FaceChain's own go to 1.2
FOLDERS_UP = 3  # in which a picture is looked for: FaceChain's lie beside the styles' folder
PICTURE_SIDE = 512  # px, at most
NAMES = re.compile(r"(?P<zh>.+?)\s*[（(](?P<en>[^()（）]+)[)）]\s*")


@dataclass(frozen=True)
class _FaceChainStyle:
    """A style as FaceChain's files hold it."""

    name: str
    add_prompt_style: str
    img: str | None = None
    model_id: str | None = None
    revision: str | None = None
    bin_file: str | None = None
    multiplier_style: float = 0.25
    multiplier_human: float = 0.95


@dataclass(frozen=True)
class StyleImported:
    """A style is among the others now.

    Attributes
    ----------
    style : Style
        As it is found from now on.
    replaced : bool
        Whether it took the place of an earlier import.
    """

    style: Style
    replaced: bool


@dataclass(frozen=True)
class StyleRefused:
    """A file is no style that can be used, and why."""

    file: str
    reason: Message


def import_styles(
    sources: Sequence[Path], root: Path | None = None
) -> Generator[StyleImported | StyleRefused, None, list[Style]]:
    """Bring in styles; a bad file is said and the others are taken.

    Parameters
    ----------
    sources : sequence of Path
        JSON files, folders with them, and pictures and LoRA files that belong to them.
    root : Path, optional
        The folder of the people that they are for; None: the common home.

    Yields
    ------
    StyleImported or StyleRefused

    Returns
    -------
    list of Style
        What was brought in.

    Raises
    ------
    InputError
        There is no JSON file; or the only one is no style.
    """
    given = [file for source in sources for file in _files(Path(source))]
    files = [file for file in given if file.suffix.lower() == ".json"]
    if not files:
        raise InputError("styles_not_found", source=", ".join(str(source) for source in sources))
    beside = {file.name: file for file in given if file.suffix.lower() != ".json"}
    brought: list[Style] = []
    for file in files:
        try:
            stored = _read_facechain(file)
            slug = _slug(file.stem, [style.slug for style in brought])
            style, replaced = _store(file, stored, slug, beside, root)
        except InputError as error:
            if len(files) == 1:
                raise
            yield StyleRefused(file.name, error.message)
            continue
        brought.append(style)
        yield StyleImported(style, replaced)
    return brought


def remove_style(slug: str, root: Path | None = None) -> None:
    """Delete an imported style with its picture and its LoRA's copy.

    Raises
    ------
    InputError
        There is none of that name, or it ships with the program.
    """
    if slug not in damaged_styles(root) and not find_style(slug, root).imported:
        raise InputError("style_not_imported", style=slug)
    for file in imported_folder(root).glob(f"{slug}.*"):
        file.unlink()


# --- reading -----------------------------------------------------------------------------------


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError("styles_not_found", source=source)
    if source.is_dir():
        return sorted(file for file in source.rglob("*") if file.is_file())
    return [source]


def _read_facechain(file: Path) -> StoredStyle:
    """A style of FaceChain's in our form, without picture; raises InputError where it is none."""
    read = read_json(file, "file_style")
    if not isinstance(read, dict) or "add_prompt_style" not in read:
        raise InputError("style_not_facechain", file=file.name)
    held = validate(read, _FaceChainStyle, "file_style", file.name)
    for value in (held.multiplier_style, held.multiplier_human):
        if not (math.isfinite(value) and 0 <= value <= MOST_WEIGHT):
            raise InputError("style_weight_out_of_range", file=file.name, most=MOST_WEIGHT)
    chinese, english = _two_names(held.name, file.stem)
    words, _ = plain_prompt(" ".join(held.add_prompt_style.split()))
    words = re.sub(r"[()\[\]{}]", "", words)  # a bracket alone is a weight as well
    lora = _lora(held, file.name)
    return StoredStyle(
        name=english,
        name_zh=chinese,
        prompt=f"photo portrait of {PLACE}, {words}".rstrip(", "),
        negative_prompt=load_presets()[0].negative_prompt,
        note=held.name,
        lora=lora,
        style_weight=held.multiplier_style,
        person_weight=held.multiplier_human,
    )


def _two_names(name: str, otherwise: str) -> tuple[str, str]:
    """Chinese and English of "T恤衫(T-shirt)"; one for both where there is one."""
    name = name.strip()
    if match := NAMES.fullmatch(name):
        return match["zh"], match["en"].strip()
    name = name or otherwise
    return name, name


def _lora(held: _FaceChainStyle, file: str) -> StyleLora | None:
    repo, name = (held.model_id or "").strip() or None, (held.bin_file or "").strip()
    if repo is None and not name:
        return None
    if repo is not None and not is_repository(repo):
        raise InputError("style_lora_id_malformed", file=file, id=repo)
    if name and not is_lora_name(name):
        raise InputError("style_lora_name_malformed", file=file, name=name)
    return StyleLora(name, repo, (held.revision or "").strip() or None, FAMILY)


# --- keeping -----------------------------------------------------------------------------------


def _store(
    file: Path, stored: StoredStyle, slug: str, beside: dict[str, Path], root: Path | None
) -> tuple[Style, bool]:
    """Keep a style with what belongs to it; whether there was one of that slug."""
    folder = imported_folder(root)
    target = folder / f"{slug}.json"
    replaced = target.exists()
    lora = _nearby(Path(stored.lora.file).name, file, beside) if stored.lora else None
    if stored.lora and stored.lora.repo is None and lora is None:
        raise InputError("style_lora_not_there", file=file.name, lora=stored.lora.file)
    picture = _nearby(_picture_name(file), file, beside)
    if picture is not None:
        _keep_picture(picture, folder / f"{slug}.jpg")
        stored = replace(stored, picture=f"{slug}.jpg")
    if lora is not None:
        _keep_file(lora, folder / f"{slug}{lora.suffix.lower()}")
    write_json(target, asdict(stored))
    return find_style(slug, root), replaced


def _slug(stem: str, taken: list[str]) -> str:
    """A file's name as a slug: an earlier import of it gives way, another of this one does not."""
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "style"
    if is_device(slug) or slug in {preset.slug for preset in load_presets()}:
        slug = f"facechain-{slug}"
    numbers = range(2, len(taken) + 2)
    return next(s for s in (slug, *(f"{slug}-{n}" for n in numbers)) if s not in taken)


def _picture_name(file: Path) -> str:
    """What a style's file says of its picture; its own name with .jpg where it says nothing."""
    return str(read_json(file, "file_style").get("img") or f"{file.stem}.jpg")


def _nearby(name: str, file: Path, beside: dict[str, Path]) -> Path | None:
    """A file that belongs to a style: given with it, or near it as its path says."""
    last = Path(name.replace("\\", "/")).name
    if not last:
        return None
    if last in beside:
        return beside[last]
    for folder in [file.parent, *file.absolute().parents[1 : FOLDERS_UP + 1]]:
        for place in (folder / last, folder / "style_image" / last):
            if place.is_file():
                return place
    return None


def _keep_picture(source: Path, target: Path) -> None:
    """A copy for the page; a picture that cannot be read is no reason to refuse a style."""
    if source.suffix.lower() not in SUFFIXES:
        return
    try:
        picture = Image.fromarray(open_photo(source).pixels)
    except InputError:
        return
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    with whole_file(target) as temporary:
        picture.save(temporary, "JPEG", quality=90)


def _keep_file(source: Path, target: Path) -> None:
    """A second name for the same file, or a copy where the disk is another."""
    with whole_file(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
