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

from collections.abc import Callable, Generator
from typing import TypeVar

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
