"""Step 2: a base learns real faces (once for a base), then the person."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realism.config import Stage
from realism.diffusion.base import Base
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.finetune.events import Event
from realism.finetune.stages import (
    FACES,
    check_settings,
    default_stages,
    find_stage1,
    finetune_faces,
    finetune_person,
    stage1_folder,
)
from realism.person.person import Person
from realism.workflow import ends_with_person


@dataclass(frozen=True)
class FacesBegin:
    """Stage 1 begins, on the faces of a folder."""

    faces: Path


@dataclass(frozen=True)
class FacesKnown:
    """Stage 1 was done before, or its LoRA ships with the base."""

    lora: Path


@dataclass(frozen=True)
class PersonBegins:
    """Stage 2 begins, on so many photos of a person."""

    photos: int
    name: str


FinetuneEvent = FacesBegin | FacesKnown | PersonBegins | Event


@dataclass(frozen=True)
class FinetuneOptions:
    """What a fine-tune does.

    Attributes
    ----------
    stage : {"1", "2", "both"}
        "1": the faces alone; "2": the person, on stage 1 where it is done; "both": the faces where
        they were not learned before, then the person.
    one_stage : bool
        The person on the base as it is, without stage 1.
    faces : Path
        Folder of real faces for stage 1.
    first : Stage or None
        Settings of stage 1; None: those of the base.
    second : Stage or None
        Settings of stage 2, likewise.
    resume : bool
        Go on where an earlier fine-tune stopped.
    root : Path or None
        Folder of all people, in which stage 1 is kept; None: `config.home()`.
    """

    stage: Literal["1", "2", "both"] = "both"
    one_stage: bool = False
    faces: Path = FACES
    first: Stage | None = None
    second: Stage | None = None
    resume: bool = True
    root: Path | None = None


@ends_with_person
def finetune(
    person: Person | None, base: Base, engine: Engine, options: FinetuneOptions | None = None
) -> Generator[FinetuneEvent, None, Path]:
    """Fine-tune a base on real faces, on a person, or on both.

    Parameters
    ----------
    person : Person or None
        Whose accepted photos are learned; None is enough for stage 1.
    base : Base
        The base, as `load_base` gives it; without LoRA again afterwards.
    engine : Engine
        Finds the faces on the photos of stage 1, and compares previews with the held-out photo.
    options : FinetuneOptions, optional
        Which stages, with which settings.

    Yields
    ------
    FacesBegin, FacesKnown, PersonBegins or an event of `finetune.events`

    Returns
    -------
    Path
        Folder of the LoRA: of stage 1 for "1", else the person's for this base.

    Raises
    ------
    InputError
        No person where one is needed, a person without accepted photos, a folder without faces, or
        settings out of range.
    """
    options = options or FinetuneOptions()
    photos = []
    if options.stage != "1":
        if person is None:
            raise InputError("person_not_named")
        person.meet_engine(engine)
        photos = [(record.photo(), record.face) for record in person.accepted()]
    own_first, own_second = default_stages(base)
    first, second = options.first or own_first, options.second or own_second
    for stage in (first, second):
        check_settings(stage)
    faces, resume, root = options.faces, options.resume, options.root
    stage1 = None if options.one_stage else find_stage1(base, first, faces, root)
    learn_faces = options.stage == "both" and stage1 is None and not options.one_stage
    if options.stage == "1" or learn_faces:
        yield FacesBegin(faces)
        folder = stage1_folder(base, first, faces, root)
        yield from finetune_faces(base, engine, faces, first, folder, resume=resume)
        stage1 = find_stage1(base, first, faces, root) or folder / "last"
        if options.stage == "1":
            return stage1
    elif stage1 is not None:
        yield FacesKnown(stage1)
    assert person is not None
    yield PersonBegins(len(photos), person.name)
    out = person.adapter_folder(base.name)
    yield from finetune_person(
        base, engine, photos, person.subject, out, stage1, second, resume=resume
    )
    return out
