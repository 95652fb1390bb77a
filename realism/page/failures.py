"""What follows when an event or an upload fails: one sentence, no half file, no dead bar.

Handlers raise what a person can mend (`session.user_errors`). Here is the rest: an upload that the
disk has no room for fails before any handler is asked, and Gradio (6.31) would leave the halves
beside the people and say "Internal Server Error"; and `then` of an event that failed is not called
in that version, so that a bar of progress would stand there as if something ran.
"""

import json
import traceback
from contextlib import suppress
from pathlib import Path

import gradio as gr
from fastapi import Request
from fastapi.responses import PlainTextResponse
from gradio.events import Dependency
from gradio.route_utils import GradioMultiPartParser
from starlette.requests import ClientDisconnect

from realism.disk import is_full
from realism.errors import LANGUAGES, Message
from realism.page.i18n import preferred_language, text
from realism.page.session import SharedWidgets, listener, paragraph

NO_ROOM = 507  # HTTP's "Insufficient Storage"
# Of one upload: a LoRA of a large base. A photo over its own limit is refused with a sentence by
# the check; here Gradio would refuse all that came with it.
MOST_UPLOADED = 2**30  # bytes
# For the page's head. Of an upload that is refused Gradio (6.31) shows nothing below a field for
# files, and "HTTP 507: " before the sentence elsewhere; reading an accepted answer may raise any.
UPLOADS = """<script>{
  const SHOWN = 20000; // ms
  const say = sentence => {
    const notice = Object.assign(document.createElement('div'),
      { className: 'upload-notice', role: 'alert', textContent: sentence });
    notice.onclick = () => notice.remove();
    document.querySelector('.gradio-container').append(notice);
    setTimeout(() => notice.remove(), SHOWN);
  };
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (answer.status !== NO_ROOM) return answer;
    const sentence = await answer.text();
    say(sentence);
    return { ok: true, status: NO_ROOM, json: async () => { throw Error(sentence); } };
  };
  const weigh = event => {
    const files = [...(event.dataTransfer ?? event.target).files ?? []];
    const large = files.filter(file => file.size > MOST_UPLOADED).map(file => file.name);
    const language = navigator.language.startsWith('zh') ? 'zh' : 'en';
    if (large.length) say(`${large.join(', ')}: ${TOO_LARGE[language]}`);
  };
  document.addEventListener('change', weigh, true);
  document.addEventListener('drop', weigh, true);
}</script>"""


def upload_script() -> str:
    """Script for the page's head that says why an upload is refused."""
    limit = Message("upload_too_large", limit=MOST_UPLOADED / 2**30)
    values = {
        "NO_ROOM": NO_ROOM, "MOST_UPLOADED": MOST_UPLOADED,
        "TOO_LARGE": {language: limit.text(language) for language in LANGUAGES},
    }  # fmt: skip
    script = UPLOADS
    for name, value in values.items():
        script = script.replace(name, json.dumps(value))
    return script


def after_failure(
    event: Dependency, shared: SharedWidgets, message: gr.HTML, *then: dict
) -> Dependency:
    """Say below a tab's button that its event ended early, then show what there is.

    Parameters
    ----------
    event : Dependency
        The event; its own notice says why it failed.
    shared : SharedWidgets
        What every tab reads.
    message : gr.HTML
        Where its progress was shown.
    then : dict
        Arguments of the events that follow.
    """
    ended = event.failure(**listener(on_failure, shared.language, message))
    for arguments in then:
        ended = ended.then(**arguments)
    return ended


def on_failure(language: str) -> str:
    """What the person reads where the progress was."""
    return paragraph(text(language, "header.ended_early"))


async def on_system_error(request: Request, error: OSError) -> PlainTextResponse:
    """Answer a request that failed for want of room; any other fault goes its way.

    The files of an upload go, whole and half: the person still has them and gives all again.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            if isinstance(value, GradioMultiPartParser):
                for file in value._files_to_close_on_error:
                    file.close()
                    Path(file.name).unlink(missing_ok=True)
    if not is_full(error):
        raise error
    # A browser that is still sending would not read the answer. RuntimeError: it has sent all.
    with suppress(RuntimeError, ClientDisconnect):
        async for _ in request.stream():
            pass
    language = preferred_language(request.headers.get("accept-language"))
    return PlainTextResponse(Message("upload_disk_full").text(language), status_code=NO_ROOM)
