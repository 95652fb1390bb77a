"""At the foot of the page, folded: with what it works, under which licences, where files lie."""

from pathlib import Path

import gradio as gr

from realism import __version__
from realism.config import cache_folder, home
from realism.diffusion.recommended import recommended_bases
from realism.page.i18n import Localizer, text
from realism.page.session import EngineInfo, paragraph, user_errors
from realism.page.visitors import hosted
from realism.person.person import damaged_people


def layout(localized: Localizer) -> gr.HTML:
    """A folded part with the notes of `on_show`."""
    with localized(gr.Accordion, "installation.about", open=False, elem_id="installation"):
        return gr.HTML(elem_classes="with")


def on_show(root: Path | None, base: str, engine: EngineInfo | None, language: str) -> str:
    """What looks at the faces, what draws, and on one's own machine where the files are."""
    with user_errors(language):
        lines = [text(language, "installation.program", version=__version__)]
        lines += [about_engine(engine, language), about_base(base, language)]
        if not hosted():
            people, copies = (root or home()).absolute(), cache_folder().absolute()
            lines.append(text(language, "installation.local"))
            lines.append(text(language, "installation.people", folder=people))
            lines.append(text(language, "installation.cache", folder=copies))
            lines += [fault.text(language) for fault in damaged_people(root)]
    return "".join(map(paragraph, lines))


def about_engine(engine: EngineInfo | None, language: str) -> str:
    """The face engine with its licence; "" while it is loaded."""
    if engine is None:
        return ""
    licence = engine.licence.text(language)
    about = text(language, "installation.engine", name=engine.name, licence=licence)
    if engine.note:
        about += f" {engine.note.text(language)}"
    if engine.second:
        return f"{about} {text(language, 'installation.second', name=engine.second)}"
    return f"{about} {text(language, 'installation.no_second')}"


def about_base(base: str, language: str) -> str:
    """The base, as `load_base` takes it, with its licence."""
    known = {where: row for row in recommended_bases() for where in row.where}
    if base not in known:
        return text(language, "installation.own_base", base=base)
    row = known[base]
    note = text(language, "installation.pocket") if base == "pocket" else row.note.text(language)
    return text(
        language, "installation.base",
        name=row.name, resolution=row.resolution, licence=row.licence.text(language), note=note,
    )  # fmt: skip
