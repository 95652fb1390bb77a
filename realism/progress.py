"""What long work says while it runs: one line an event."""

from collections.abc import Callable, Generator
from typing import TypeVar

from realism.finetune.crops import PictureSkipped
from realism.finetune.events import (
    CropEncoded,
    Event,
    LoraSaved,
    Note,
    Preview,
    StageBegun,
    TrainingStep,
)

EVERY = 10  # steps between two lines
Said, Told, Result = TypeVar("Said"), TypeVar("Told"), TypeVar("Result")


def reworded(
    work: Generator[Said, None, Result], words: Callable[[int, Said], Told]
) -> Generator[Told, None, Result]:
    """Work that says the same in other words: of the number, from 1, and what was said."""
    number = 1
    while True:
        try:
            said = next(work)
        except StopIteration as ended:
            return ended.value
        yield words(number, said)
        number += 1


def line_of(event: Event) -> str:
    """The line for an event, "" for one not worth a line."""
    match event:
        case StageBegun(stage, pictures):
            return f"stage {stage}, on {pictures} pictures"
        case TrainingStep(number, of, loss, rate, left):
            if number % EVERY and number not in (1, of):
                return ""
            return f"step {number} of {of}, loss {loss:.3f}, {rate:.1f} images/s, {left:.0f} s left"
        case Preview(step=step, similarity=None):
            return f"preview after step {step}"
        case Preview(step=step, similarity=near):
            return f"preview after step {step}: similarity {near:.2f} to the held-out photo"
        case LoraSaved(path, step, best, _):
            return f"saved {path} ({'the best so far' if best else 'the last'}, step {step})"
        case CropEncoded(number, photo):
            return f"{number} crops encoded, of {photo}" if number % EVERY == 0 else ""
        case PictureSkipped(name, reason):
            return f"{name} is left out: {reason}"
        case Note(message):
            return str(message)
    raise TypeError(f"not an event of a fine-tune: {event!r}")
