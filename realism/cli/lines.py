"""The events of the workflow as lines for the shell."""

from realism.faces.engine import Engine
from realism.finetune.events import CropEncoded, LoraSaved, Note, Preview, StageBegun, TrainingStep
from realism.finetune.pictures import PictureSkipped
from realism.portraits.imported_styles import StyleImported, StyleRefused
from realism.portraits.sample import LoraNote, SamplingStep
from realism.workflow.finetune import FacesBegin, FacesKnown, PersonBegins
from realism.workflow.marks import PhotoOpened, PhotoSearched
from realism.workflow.photos import PhotoChecked, SetChecked
from realism.workflow.portraits import (
    PhotoLeftOut,
    PortraitSaved,
    PortraitsRanked,
    PromptNote,
    RunBegun,
)
from realism.workflow.restore import PortraitRestored, PortraitSkipped, RestoredPortrait

EVERY = 10  # steps between two lines


def line_of(event: object) -> str:
    """The line for an event of the workflow, "" for one not worth a line."""
    match event:
        case str():
            return f"  {event}"
        case PhotoChecked(photo, again=again):
            return f"  {photo.name}{' is there already' * again}"
        case FacesBegin(faces):
            return f"Stage 1, on {faces}:"
        case FacesKnown(lora):
            return f"Stage 1 is done already: {lora}"
        case PersonBegins(photos, name):
            return f"Stage 2, on {photos} photos of {name}:"
        case PromptNote(message) | LoraNote(message):
            return f"  {message}"
        case StyleImported(style, replaced):
            return f"  {style.slug}: {style.name}{', in place of the earlier one' * replaced}"
        case StyleRefused(file, reason):
            return f"  {file} is left out: {reason}"
        case PortraitSaved(_, portrait, number, of):
            return f"  {number} of {of}, seed {portrait.seed}"
        case PhotoLeftOut(name, reason):
            return f"  {name} is left out: {reason}"
        case PhotoSearched(name):
            return f"  {name}"
        case PortraitRestored(file=file, restored=restored):
            return f"  {file.name}: {restoration_line(restored)}"
        case PortraitSkipped(file=file, message=message):
            return f"  {file.name} is left out: {message}"
        case SetChecked() | RunBegun() | SamplingStep() | PortraitsRanked() | PhotoOpened():
            return ""
    line = finetune_line(event)
    return f"  {line}" if line else ""


def finetune_line(event: object) -> str:
    """The line for an event of a fine-tune; about every tenth step has one."""
    match event:
        case StageBegun(stage, pictures):
            return f"stage {stage}, on {pictures} pictures"
        case TrainingStep(number, of, loss, rate, left):
            if number % EVERY and number not in (1, of):
                return ""
            return f"step {number} of {of}, loss {loss:.3f}, {rate:.1f} images/s, {left:.0f} s left"
        case Preview(step=step, similarity=None):
            return f"preview after step {step}"
        case Preview(step=step, similarity=similarity):
            return f"preview after step {step}: similarity {similarity:.2f} to the held-out photo"
        case LoraSaved(path, step, best, _):
            return f"saved {path} ({'the best so far' if best else 'the last'}, step {step})"
        case CropEncoded(number, photo):
            return f"{number} crops encoded, of {photo}" if number % EVERY == 0 else ""
        case PictureSkipped(name, reason):
            return f"{name} is left out: {reason}"
        case Note(message):
            return str(message)
    raise TypeError(f"not an event of the workflow: {event!r}")


def engine_line(engine: Engine) -> str:
    """The face engine with its licence, why it is this one, and which gives a second opinion."""
    note = f" - {engine.note}" if engine.note else ""
    second = f" Second opinion: {engine.second.name}." if engine.second else ""
    return f"Faces: {engine.name} ({engine.licence}){note}{second}"


def restoration_line(restored: RestoredPortrait) -> str:
    """How many marks were put back, and the likeness before and after."""
    likeness = restored.likeness
    after = "no face" if likeness.after is None else f"{likeness.after:.3f}"
    return (
        f"{restored.put_back} of {len(restored.placed.placements)} marks put back, "
        f"similarity {likeness.before:.3f} before, {after} after"
    )
