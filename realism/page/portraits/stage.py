"""The button on tab 3 that opens a presentation of the person in a browser tab of its own.

The file is a copy among those that Gradio serves under names that nobody guesses. It serves no HTML
to look at, for good reasons: the page fetches the file and hands it to the new tab, where it is of
this visit alone and goes when the tab does.
"""

from pathlib import Path

import gradio as gr

from realism.draw.turntable import draw_turning_head
from realism.page.session import (
    PRIVATE,
    SharedWidgets,
    chosen_person,
    listener,
    new_temp_dir,
    user_errors,
)
from realism.show.document import write_document
from realism.show.story import read_story

# A browser lets a page open a tab only right after a click: it waits there for the presentation.
OPEN = """() => {
  const stage = window.open('', '_blank');
  window.realismStage = stage;
  stage?.document.write(`<!doctype html><title>Realism</title><style>
    body { background: #0b0c0e; display: grid; place-items: center; height: 100vh; margin: 0 }
    i { width: 9vmin; height: 9vmin; border-radius: 50%; border: .8vmin solid #ffffff1f;
      border-top-color: #2dd4bf; animation: turn 1s linear infinite }
    @keyframes turn { to { rotate: 1turn } }</style><i></i>`);
}"""
# Where the browser opened no tab, the file is saved like any other.
SHOW = """async file => {
  const stage = window.realismStage;
  if (!stage || stage.closed) { document.querySelector('#stage-file').click(); return; }
  const page = await (await fetch(file.url)).text();
  stage.location = URL.createObjectURL(new Blob([page], { type: 'text/html' }));
}"""
CLOSE = "() => window.realismStage?.close()"


def wire(
    button: gr.Button, file: gr.DownloadButton, run: gr.Dropdown, shared: SharedWidgets
) -> None:
    """Have a click on the button present the person, by the file that waits in a hidden one.

    Parameters
    ----------
    button : gr.Button
    file : gr.DownloadButton
        Hidden, with the elem_id "stage-file".
    run : gr.Dropdown
        The run that is shown.
    shared : SharedWidgets
    """
    button.click(None, None, None, js=OPEN, **PRIVATE)
    made = button.click(**listener(on_present, [run, *shared.visit], file))
    made.success(None, file, None, js=SHOW, **PRIVATE)
    made.failure(None, None, None, js=CLOSE, **PRIVATE)


def on_present(run: str | None, name: str | None, root: Path | None, language: str) -> str:
    """The presentation of a person with the run that is shown, as a file."""
    with user_errors(language):
        person = chosen_person(name, root)
        folder = next((each for each in person.runs() if each.name == run), None)
        story = read_story(person, folder)
        head = draw_turning_head(story.passport) if story.passport else ()
        out = new_temp_dir() / f"{person.folder.name}.html"
        return str(write_document(story, out, language, head))
