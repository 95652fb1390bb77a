"""Realism: portraits of a person that still look like that person up close.

What people script is offered here and loaded when it is first used (docs/python.md):

    open_photo, save_png                a picture, decoded, upright, sRGB; and back to a file
    load_engine                         finds and compares faces
    check_photos                        step 1
    create_person, open_person          a person's folder
    load_base                           a base to fine-tune, steps 2 and 3 (`realism.workflow`)
    rank                                step 3
    find_marks, build_atlas, draw_passport, restore_marks     step 4
    InputError                          what a person can mend, as a code and a sentence

The rooms, in the order in which data flows through them (docs/architecture.md has the picture):

    errors, config, disk, images    what all use
    faces/       find the face: box, landmarks, mesh, pose, embedding; skin
    head/        the 3D head: carries places on the skin from picture to picture
    checks       step 1  say which photos are good, and why the others are not
    diffusion/   a base, and LoRA on it
    finetune/    step 2  LoRA in two stages: on real faces, then on the person
    portraits/   step 3  prompt and seeds in, portraits out, ranked by likeness
    marks/       step 4  find the marks of the skin and put them back; teach a finder
    person/      a person's folder on disk
    draw/        pictures of results: overview, card, passport
    workflow/    the four steps as generators of typed events
    api          the names above
    cli/, page/  the command `realism`, and the page
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realism.api import build_atlas, check_photos, find_marks, rank, restore_marks
    from realism.diffusion.base import load_base
    from realism.draw.passport import draw_passport
    from realism.errors import InputError
    from realism.faces.engine import load_engine
    from realism.images import open_photo, save_png
    from realism.person.person import create_person, open_person

__version__ = "0.2.0"
__all__ = [
    "InputError",
    "build_atlas",
    "check_photos",
    "create_person",
    "draw_passport",
    "find_marks",
    "load_base",
    "load_engine",
    "open_person",
    "open_photo",
    "rank",
    "restore_marks",
    "save_png",
]
_HOMES = {
    "InputError": "errors",
    "build_atlas": "api",
    "check_photos": "api",
    "create_person": "person.person",
    "draw_passport": "draw.passport",
    "find_marks": "api",
    "load_base": "diffusion.base",
    "load_engine": "faces.engine",
    "open_person": "person.person",
    "open_photo": "images",
    "rank": "api",
    "restore_marks": "api",
    "save_png": "images",
}


def __getattr__(name: str) -> object:
    """Load what is offered here when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
