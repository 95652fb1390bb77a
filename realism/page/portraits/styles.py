"""Handlers of the styles on tab 3: choose one, bring FaceChain's in."""

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from realism.config import expanded
from realism.diffusion.identify import read_base
from realism.diffusion.recommended import recommended_bases
from realism.errors import InputError
from realism.images import open_photo
from realism.page.i18n import text
from realism.page.session import base_name, paragraph, sentence, user_errors
from realism.portraits.imported_styles import (
    StyleImported,
    StyleRefused,
    import_styles,
    remove_style,
)
from realism.portraits.style_lora import fits_base
from realism.portraits.styles import Style, find_style, load_presets, load_styles

SIDE = 180  # px, of a style's picture beside its words
MOST_REFUSALS = 5  # files that are named with their reasons


def on_arrive(language: str, root: Path | None, slug: str | None) -> Any:
    """The styles under their names in this language, the chosen one still chosen."""
    styles = load_styles(root)
    kept = slug if slug in {style.slug for style in styles} else load_presets()[0].slug
    return gr.update(choices=choices(language, root), value=kept)


def on_style(slug: str, root: Path | None, language: str, base: str) -> tuple:
    """The style's words and weights, what it looks like and what it needs."""
    with user_errors(language):
        style = find_style(slug, root)
        return (
            style.prompt, style.negative_prompt, style.person_weight, style.style_weight,
            style_note(style, language, base), gr.update(visible=style.imported),
        )  # fmt: skip


def on_note(slug: str, root: Path | None, language: str, base: str) -> str:
    """What a style looks like and needs, in this language and for this base."""
    with user_errors(language):
        return style_note(find_style(slug, root), language, base)


def on_bring(files: list[str] | None, root: Path | None, language: str, slug: str) -> tuple:
    """Bring in what was dropped: styles, and the pictures and LoRA files that belong to them."""
    with user_errors(language):
        events = list(import_styles([Path(file) for file in files or []], root))
        brought = [event.style for event in events if isinstance(event, StyleImported)]
        refused = [event for event in events if isinstance(event, StyleRefused)]
        said = [text(language, "portraits.styles_brought", count=len(brought))]
        said += [sentence(event.reason, language) for event in refused[:MOST_REFUSALS]]
        if len(refused) > MOST_REFUSALS:
            more = len(refused) - MOST_REFUSALS
            said.append(text(language, "portraits.styles_refused", count=more))
        # One that was brought in alone is what somebody wants to use.
        chosen = brought[0].slug if len(brought) == 1 else slug
        return (
            gr.update(choices=choices(language, root), value=chosen), on_open(root, language),
            "".join(map(paragraph, said)), None,
        )  # fmt: skip


def on_open(root: Path | None, language: str) -> Any:
    """Pictures of the styles that were brought in, to choose from."""
    return gr.update(
        value=[(str(style.picture), _name(style, language)) for style in _pictured(root)],
        visible=bool(_pictured(root)),
    )


def on_pick(root: Path | None, event: gr.SelectData) -> str:
    """The style whose picture was clicked."""
    return _pictured(root)[event.index].slug


def on_remove(slug: str, root: Path | None, language: str) -> tuple:
    """Delete a style that was brought in."""
    with user_errors(language):
        remove_style(slug, root)
        first = load_presets()[0].slug
        choice = gr.update(choices=choices(language, root), value=first)
        return choice, on_open(root, language), ""


# What is shown --------------------------------------------------------------------------------


def choices(language: str, root: Path | None = None) -> list[tuple[str, str]]:
    """Name in this language and slug of every style."""
    return [(_name(style, language), style.slug) for style in load_styles(root)]


def style_note(style: Style, language: str, base: str) -> str:
    """Picture, what a style looks like, its LoRA, and whether the base is one for it."""
    if not style.imported:
        return ""
    lora = style.lora
    if lora is None:
        said = [text(language, "portraits.style_words", person=style.person_weight)]
    else:
        where = "portraits.style_here" if style.lora_file else "portraits.style_hub"
        said = [
            text(
                language, where, lora=lora.file or lora.repo, repo=lora.repo,
                style=style.style_weight, person=style.person_weight,
            )
        ]  # fmt: skip
        family = known_family(base)
        if family and not fits_base(style, family, base):
            unfit = text(
                language, "portraits.style_unfit", family=lora.family, base=base_name(base)
            )
            said.append(unfit)
    lines = "".join(paragraph(sentence) for sentence in said)
    return f'<div class="style-note">{_picture(style, language)}<div>{lines}</div></div>'


def known_family(where: str) -> str:
    """The family of a base that is not loaded, by our table or by reading it; "" if neither."""
    for row in recommended_bases():
        if where in row.where:
            return row.family
    path = expanded(where)
    try:
        return read_base(path).family.name if path.exists() else ""
    except InputError:
        return ""


def _name(style: Style, language: str) -> str:
    return style.name_zh if language == "zh" else style.name


def _pictured(root: Path | None) -> list[Style]:
    return [style for style in load_styles(root) if style.imported and style.picture]


def _picture(style: Style, language: str) -> str:
    """The style's picture within the page: nothing of the people's folder is opened for it."""
    try:
        pixels = open_photo(style.picture).pixels if style.picture else None
    except InputError:  # gone or damaged: the style itself is not
        pixels = None
    if pixels is None:
        return ""
    buffer, picture = io.BytesIO(), Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    picture.save(buffer, "JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    name = escape(_name(style, language))
    return f'<img src="data:image/jpeg;base64,{data}" alt="{name}">'
