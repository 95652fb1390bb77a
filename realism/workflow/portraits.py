"""Step 3: portraits of a person are made, saved with how they were made, and ranked."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from realism.checks import photo_to_photo
from realism.config import PORTRAITS
from realism.diffusion.base import Base
from realism.diffusion.lora import Adapter
from realism.disk import read_model, write_json
from realism.errors import InputError, Message
from realism.faces.engine import Engine, primary_face
from realism.faces.face import Face
from realism.images import Photo
from realism.person.person import Person
from realism.person.runs import portraits_of
from realism.portraits.portrait import Portrait, save_portrait
from realism.portraits.prompt import plain_prompt, unread_words
from realism.portraits.rank import Ranked, rank
from realism.portraits.sample import LoraNote, SamplingStep, new_seeds, sample_portraits
from realism.portraits.second_opinion import second_opinions
from realism.portraits.style_lora import style_adapter
from realism.portraits.styles import find_style, prompt_for, words_of_styles
from realism.workflow import ends_with_person

MOST_WEIGHT = 4.0  # of a LoRA, either way: far more than draws a face


@dataclass(frozen=True)
class PromptNote:
    """Something of the prompt or the negative prompt is not read, and what helps."""

    message: Message


@dataclass(frozen=True)
class RunBegun:
    """The run's folder is there; what was made before a stop lies in it."""

    run: Path


@dataclass(frozen=True, eq=False)
class PortraitSaved:
    """A portrait is made and saved.

    Attributes
    ----------
    file : Path
        In the run's folder.
    portrait : Portrait
        Its pixels, and how to make it again.
    number, of : int
        Which of how many portraits, from 1.
    """

    file: Path
    portrait: Portrait
    number: int
    of: int


@dataclass(frozen=True)
class PortraitsRanked:
    """All portraits of the run are compared with the person's photos.

    Attributes
    ----------
    run : Path
        The run's folder.
    ranked : tuple of Ranked
        Its portraits, the closest first.
    photo_to_photo : dict of str to float
        Name of each accepted photo -> its cosine with the best of the others.
    """

    run: Path
    ranked: tuple[Ranked, ...]
    photo_to_photo: dict[str, float]


@dataclass(frozen=True)
class PhotoLeftOut:
    """A photo cannot be compared with, and why."""

    name: str
    reason: Message


@dataclass(frozen=True)
class PortraitRequest:
    """What portraits to make.

    Attributes
    ----------
    style : str
        One of `portraits.styles`; its LoRA is brought from the hub where it has one.
    prompt : str or None
        Own words instead of the preset's; "{person}" is the person.
    negative_prompt : str or None
        What to keep away from; None: the preset's.
    count : int, 1..64
        Portraits.
    seed : int or None
        Of the first, the next ones count up; None: a random one.
    steps : int or None
        Of the sampler; None: what suits the base.
    guidance_scale : float or None, 1..30
        None: what suits the base.
    adapter : str
        "best" | "last" | "none" | a LoRA's file.
    weight : float or None
        Of the person's LoRA; None: as the style has it.
    style_loras : tuple of Adapter
        More LoRAs of styles.
    label : {"", "en", "zh"}
        Language of a visible notice in a corner; "": in the file only.
    run : Path or None
        Folder to save in; None: a new run of the person's.
    style_weight : float or None
        Of the style's own LoRA; None: as the style has it.
    """

    style: str = "studio"
    prompt: str | None = None
    negative_prompt: str | None = None
    count: int = PORTRAITS.count
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    adapter: str = "best"
    weight: float | None = None
    style_loras: tuple[Adapter, ...] = ()
    label: Literal["", "en", "zh"] = ""
    run: Path | None = None
    style_weight: float | None = None


@dataclass(frozen=True)
class _KeptRequest:
    """`request.json` of a run that is not finished."""

    base: str
    fingerprint: str
    request: PortraitRequest


PortraitEvent = PromptNote | LoraNote | RunBegun | SamplingStep | PortraitSaved | PortraitsRanked


@ends_with_person
def make_portraits(
    person: Person, base: Base, engine: Engine, request: PortraitRequest | None = None
) -> Generator[PortraitEvent, None, Path]:
    """Make portraits of a person and rank them; `resume_portraits` goes on after a stop.

    Parameters
    ----------
    person : Person
        With accepted photos, and a LoRA for this base unless the request says "none".
    base : Base
        As `load_base` gives it; without LoRA again afterwards.
    engine : Engine
        Compares the portraits with the photos.
    request : PortraitRequest, optional
        What to make.

    Yields
    ------
    PortraitEvent
        RunBegun before the first SamplingStep; one of these after each step of the sampler;
        PortraitsRanked last.

    Returns
    -------
    Path
        The run's folder, with the PNGs and `ranking.json`.

    Raises
    ------
    InputError
        No accepted photos, no LoRA for this base, an unknown style or numbers out of range.
    """
    request = request or PortraitRequest()
    person.accepted()
    preset = find_style(request.style, person.folder.parent)
    seeds = new_seeds(request.count, request.seed)
    family = base.family.name if base.family.shares_loras else None
    lora = person.adapter(base.name, request.adapter, family)
    prompt = preset.prompt if request.prompt is None else request.prompt
    negative = request.negative_prompt
    prompt, marks = plain_prompt(prompt)
    prompt = prompt_for(prompt, person.subject if lora else person.class_word)
    negative, marks_of_negative = plain_prompt(negative or "")
    usual = words_of_styles()
    for note in (*marks, *unread_words(base, prompt, usual)):
        yield PromptNote(note)
    for note in (*marks_of_negative, *unread_words(base, negative, usual)):
        yield PromptNote(Message("of_negative_prompt", note=note))
    if request.negative_prompt is None:  # the preset's own: for any base, whatever it knows of it
        negative = preset.negative_prompt
    own = style_adapter(preset, base, request.style_weight)
    weight = preset.person_weight if request.weight is None else request.weight
    adapter = Adapter(lora, weight) if lora else None
    run = request.run or person.new_run()
    files = {seed: person.portrait_file(run, n, seed) for n, seed in enumerate(seeds, 1)}
    kept = person.request_file(run)
    left = [seed for seed in seeds if not (kept.exists() and files[seed].exists())]
    looks = (*([own] if own else []), *request.style_loras)
    for each in (*([adapter] if adapter else []), *looks):
        if not abs(each.weight) <= MOST_WEIGHT:  # so written, it is true of no number, too
            raise InputError("lora_weight_out_of_range", weight=each.weight, most=MOST_WEIGHT)
    sampling = sample_portraits(
        base, prompt, negative, left, request.steps, request.guidance_scale, adapter, looks
    )
    if kept.exists():
        yield RunBegun(run)
    for event in sampling if left else ():  # () where a run was killed before it was ranked
        if not kept.exists():  # the first step is done: there is something to go on with
            _keep_request(kept, base, replace(request, seed=seeds[0], run=run))
            yield RunBegun(run)
        if isinstance(event, SamplingStep | LoraNote):
            yield event
            continue
        file, number = files[event.seed], seeds.index(event.seed) + 1
        save_portrait(event, file, request.label)
        yield PortraitSaved(file, event, number, len(seeds))
    kept.unlink(missing_ok=True)
    yield PortraitsRanked(run, tuple(rank_run(person, run, engine)), person.photo_to_photo())
    return run


def _keep_request(file: Path, base: Base, request: PortraitRequest) -> None:
    kept = _KeptRequest(base.name, base.fingerprint, request)
    write_json(file, TypeAdapter(_KeptRequest).dump_python(kept, mode="json"))


def unfinished_portraits(person: Person) -> tuple[int, int] | None:
    """How many portraits of the person's newest run are made, and of how many; None: all."""
    run = person.unfinished_run()
    if run is None:
        return None
    request = read_model(person.request_file(run), _KeptRequest, "file_request").request
    return len(portraits_of(run)), request.count


def resume_portraits(
    person: Person, base: Base, engine: Engine
) -> Generator[PortraitEvent, None, Path]:
    """Make the portraits that the person's newest run still lacks, as it was asked for.

    Yields and returns as `make_portraits`; the portraits are those of a run that was not stopped.

    Raises
    ------
    InputError
        There is no such run, it was begun on another base, or as of `make_portraits`.
    """
    run = person.unfinished_run()
    if run is None:
        raise InputError("no_run_to_resume", person=person.name)
    kept = read_model(person.request_file(run), _KeptRequest, "file_request")
    if kept.fingerprint != base.fingerprint:
        raise InputError("run_of_other_base", base=kept.base, given=base.name)
    return (yield from make_portraits(person, base, engine, replace(kept.request, run=run)))


def rank_run(person: Person, run: Path, engine: Engine) -> list[Ranked]:
    """The portraits of a run by their likeness to the person's accepted photos.

    Raises InputError without accepted photos or without portraits.
    """
    return person.rank_run(run, engine)


def rank_pictures(
    portraits: Iterable[Photo], photos: Iterable[Photo], engine: Engine
) -> Generator[PhotoLeftOut, None, tuple[list[Ranked], dict[str, float]]]:
    """Order any portraits by their likeness to photos, the closest first.

    Parameters
    ----------
    portraits : iterable of Photo
        What is ranked.
    photos : iterable of Photo
        Of one person; one on which not exactly one face is found is left out.
    engine : Engine
        Finds and compares the faces; its second is asked, too.

    Yields
    ------
    PhotoLeftOut

    Returns
    -------
    ranked : list of Ranked
        The portraits in their order.
    photo_to_photo : dict of str to float
        Each photo's cosine with the best of the others.

    Raises
    ------
    InputError
        No photo can be compared with, or there is no portrait.
    """
    known: list[tuple[Photo, Face]] = []
    for photo in photos:
        try:
            known.append((photo, primary_face(engine.find(photo.pixels))))
        except InputError as error:
            yield PhotoLeftOut(photo.name, error.message)
    if not known:
        raise InputError("no_photo_with_one_face")
    embeddings = {photo.name: face.embedding for photo, face in known}
    looked_at = [(made.name, made.pixels, engine.find(made.pixels)) for made in portraits]
    found = [(name, faces) for name, _, faces in looked_at]
    scale = dict(zip(embeddings, photo_to_photo(list(embeddings.values())), strict=True))
    opinions = second_opinions(looked_at, ((photo.pixels, face) for photo, face in known), engine)
    ranked = rank(
        found, list(embeddings.items()), photo_to_photo=list(scale.values()), opinions=opinions
    )
    return ranked, scale
