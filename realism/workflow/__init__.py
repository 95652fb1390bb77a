"""The four steps, once: shell, page, demo and the Python API only show what happens here.

    photos       step 1  photos in, each with its verdict
    finetune     step 2  a LoRA of the person, on a LoRA of real faces
    portraits    step 3  portraits made, saved and ranked
    marks        step 4  marks found on the person's photos, and the passport of all
    place        step 4  marks placed on a portrait once, blended under the sliders
    restore      step 4  the same with report and likeness, for a portrait or a whole run

Long work is a generator of typed events (frozen dataclasses) that returns its result: `for` walks
the events, `translated` changes them on the way, `run_through` is for whom they do not interest.
Ending the walk ends the work; what was saved by then is kept.
"""

import functools
import shutil
from collections.abc import Callable, Generator
from typing import Concatenate, ParamSpec, TypeVar

from realism.errors import InputError
from realism.person.person import Person

Whose = TypeVar("Whose", bound=Person | None)
Given = ParamSpec("Given")
Event = TypeVar("Event")
Translation = TypeVar("Translation")
Result = TypeVar("Result")


def translated(
    work: Generator[Event, None, Result], translate: Callable[[Event], Translation]
) -> Generator[Translation, None, Result]:
    """Work that yields `translate(event)` for each of its events and returns the same result."""
    while True:
        try:
            event = next(work)
        except StopIteration as ended:
            return ended.value
        yield translate(event)


def run_through(work: Generator[object, None, Result]) -> Result:
    """What the work returns; its events are passed over."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            return ended.value


def ends_with_person(
    work: Callable[Concatenate[Whose, Given], Generator[Event, None, Result]],
) -> Callable[Concatenate[Whose, Given], Generator[Event, None, Result]]:
    """Have work of a person end where the person is deleted meanwhile, by another program too.

    What it wrote since then goes as well: of a deleted person nothing is kept.
    """

    @functools.wraps(work)
    def walk(
        person: Whose, *given: Given.args, **named: Given.kwargs
    ) -> Generator[Event, None, Result]:
        steps = work(person, *given, **named)
        try:
            while is_there(person):
                try:
                    yield next(steps)
                except StopIteration as ended:
                    if is_there(person):
                        return ended.value
        except (InputError, OSError):  # what it was to read or to write in is gone
            if is_there(person):
                raise
        finally:
            steps.close()  # which may save where it is
            if person is not None and not (person.folder / "person.json").exists():
                shutil.rmtree(person.folder, ignore_errors=True)
        raise InputError("person_gone", person=getattr(person, "name", ""))

    return walk


def is_there(person: Person | None) -> bool:
    """Whether the person, where the work is of one, was not deleted meanwhile."""
    return person is None or person.is_there()
