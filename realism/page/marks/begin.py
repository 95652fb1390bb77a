"""Tab 4 without a person: a name, a yes, photos, a portrait, and the one button.

The person is created with their photos, the portrait and what was made of it, and chosen: the tab
then shows that as it shows whatever is kept of a person.
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.marks.photo import MarkedPhoto
from realism.page import draw
from realism.page.copies import uploads_among
from realism.page.header import people_choice
from realism.page.i18n import Localizer, text
from realism.page.marks.handlers import MOST_PHOTOS, on_find, progress_of
from realism.page.photos import delete_uploads
from realism.page.session import paragraph, sentence, user_errors, uses_device
from realism.page.steps import STEPS
from realism.workflow import translated
from realism.workflow.begin import DOUBTS, begin_with_portrait
from realism.workflow.marks import LEAST_SCORE, PhotoOpened, PhotoSearched
from realism.workflow.photos import PhotoChecked


def layout(localized: Localizer) -> SimpleNamespace:
    """Name, consent and photos; they are seen while nobody is chosen."""
    with gr.Column(elem_classes="of-new"):
        name = localized(gr.Textbox, "header.name", max_lines=1)
        consent = localized(gr.Checkbox, "header.consent", value=False)
        photos = localized(gr.File, "marks.new_photos", file_count="multiple", height=150)
    return SimpleNamespace(name=name, consent=consent, photos=photos)


@uses_device
def on_restore(
    portrait: str | None, files: list[str] | None, photos: dict[str, MarkedPhoto], new_name: str,
    consent: bool, new_files: list[str] | None, name: str | None, root: Path | None, language: str,
    anyway: bool = False,
) -> Iterator[tuple]:  # fmt: skip
    """The one button: find the marks on photos, and create who they are of where nobody is chosen.

    Photos that another program gives without a person stay nobody's. A portrait that is little like
    the photos is asked about first: `anyway` is the answer.

    Yields
    ------
    tuple
        As `on_find`, then the person chosen, the step at which they begin, whose result fills the
        tab, name, consent and photos, as the form is left, the portrait, and the button to go on
        all the same.
    """
    rest: tuple[Any, ...] = (gr.skip(),) * 7 + (gr.update(visible=False),)
    if name or files:
        for found in on_find(portrait, files, photos, name, root, language):
            yield *found, *rest
        return
    with user_errors(language):
        # Of two copies of a file each would confirm the other.
        dropped = list({Path(file).name: Path(file) for file in new_files or []}.values())
        work = begin_with_portrait(
            new_name, consent, dropped, Path(portrait) if portrait else None, load_engine(), root,
            LEAST_SCORE, MOST_PHOTOS, anyway,
        )  # fmt: skip

        def progress(event: object) -> tuple:
            said = gr.skip()
            if isinstance(event, PhotoChecked):
                message = text(language, "marks.checking", number=event.number, of=event.of)
                said = draw.progress_bar(event.number / event.of) + paragraph(message)
            elif isinstance(event, PhotoOpened | PhotoSearched):
                said = progress_of(event, language)
            return gr.skip(), gr.skip(), gr.skip(), said, *rest

        try:
            person = yield from translated(work, progress)
        except InputError as error:
            if error.code not in DOUBTS:
                raise
            asked = paragraph(sentence(error.message, language))
            yield *(gr.skip(),) * 3, asked, *rest[:-1], gr.update(visible=True)
            return
        begun = (person.name, STEPS[-1])
        choice = people_choice(root, person.name)
        delete_uploads([*(new_files or []), *uploads_among([portrait])])
        # The tab is filled with what is kept once they are chosen, the portrait too.
        form = (None, "", False, None, None, gr.update(visible=False))
        yield *(gr.skip(),) * 3, "", choice, begun, *form
