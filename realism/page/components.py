"""Gradio's components that take in what the browser sends in another way than Gradio's own.

Gradio makes a new component of the same class whenever its label or its choices change (6.31), so
it is their class that differs. Not by a class statement: Gradio's metaclass would write a stub file
beside this one.
"""

from abc import ABCMeta
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData

from realism.disk import is_there


def _taking_in(base: type[Component], preprocess: Callable) -> type:
    own = {"preprocess": preprocess, "__module__": __name__}
    own["is_template"] = True  # the browser shows it as its base
    return ABCMeta.__new__(type(base), base.__name__, (base,), own)


def _any_name(_: gr.Dropdown, payload: str | None) -> str | None:
    """Looked up where it is used: Gradio refuses a name that this visit's list does not show.

    Another page may have created it, a client of the API may name it in its first call, or this
    window may have deleted the person after it asked for something.
    """
    return payload or None


def _as_uploaded(self: gr.Image, payload: ImageData | None) -> Any:
    """The file itself, or None: one that went with its person is no fault.

    Gradio would make a copy of some, and leaves the file open.
    """
    if payload is None or payload.path is None:
        return gr.Image.preprocess(self, payload)
    return payload.path if is_there(Path(payload.path)) else None


PersonChooser: type[gr.Dropdown] = _taking_in(gr.Dropdown, _any_name)
PortraitImage: type[gr.Image] = _taking_in(gr.Image, _as_uploaded)
