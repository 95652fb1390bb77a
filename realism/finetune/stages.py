"""The two stages of the fine-tune, and where stage 1 is kept.

Stage 1 teaches the base what real skin looks like, from a folder of faces: once for a base, the
settings and the folder, then reused for every person. Stage 2 goes on from its weights on the
person's accepted photos; one of them is held out, and tells when the LoRA is best.

A LoRA of faces as the start for a person: FaceChain (modelscope/facechain, PR 121), 2023.
"""

from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from realism.config import ASSETS, Stage, home
from realism.diffusion.base import Base
from realism.diffusion.lora import SIDECAR, describe_lora
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.finetune.crops import crop_photo
from realism.finetune.events import Event, Note, StageBegun
from realism.finetune.loop import finetune
from realism.finetune.pictures import crop_folder, folder_digest, list_pictures
from realism.finetune.run_folder import HeldOut
from realism.images import Photo

PREVIEW_PROMPT = (
    "photo portrait of {subject}, neutral expression, front, soft window light, close-up"
)
MOST_LEARNING_RATE = 0.1  # a thousand times what is usual: from there on it is a slip of the key
# Whole numbers that a person may set, and how they are called.
SETTINGS = {"steps": "setting_steps", "rank": "setting_rank", "batch": "setting_batch"}
FACES = ASSETS / "faces"  # what stage 1 learns from where no other folder is given


def check_settings(stage: Stage) -> None:
    """Raise InputError where a number that a person may set is missing or out of range."""
    for name, code in SETTINGS.items():
        value = getattr(stage, name)
        if value is None:  # a field of a form that was emptied
            raise InputError("setting_missing", setting=Message(code))
        if value < 1:
            raise InputError("setting_too_small", setting=Message(code), value=value)
    if stage.learning_rate is None or not 0 < stage.learning_rate <= MOST_LEARNING_RATE:
        raise InputError(
            "learning_rate_out_of_range", rate=stage.learning_rate, most=MOST_LEARNING_RATE
        )


def default_stages(base: Base) -> tuple[Stage, Stage]:
    """Settings of stage 1 and stage 2 for a base."""
    return base.preset.stages


def stage1_folder(base: Base, stage: Stage, faces: Path, root: Path | None = None) -> Path:
    """Where stage 1 of these settings on these faces is kept; it may not exist yet.

    Parameters
    ----------
    root : Path, optional
        Folder of all people; None: `home()`.
    """
    parts = repr((base.fingerprint, asdict(stage), folder_digest(faces)))
    return (root or home()) / ".stage1" / sha256(parts.encode()).hexdigest()[:16]


def find_stage1(
    base: Base, stage: Stage | None = None, faces: Path = FACES, root: Path | None = None
) -> Path | None:
    """Folder of the LoRA of stage 1, where it is done already or ships with the base."""
    stage = stage or default_stages(base)[0]
    shipped = base.path / "stage1"
    if faces == FACES and _fits(shipped, base, stage):
        return shipped
    folder = stage1_folder(base, stage, faces, root)
    done = (folder / "last").exists() and not (folder / "running").exists()
    return folder / "last" if done else None


def _fits(shipped: Path, base: Base, stage: Stage) -> bool:
    """Whether the LoRA beside a base is of these very weights and can be continued."""
    if not (shipped / SIDECAR).exists():
        return False
    stated = describe_lora(shipped)
    wanted = {"fingerprint": base.fingerprint, "rank": stage.rank, "targets": sorted(stage.targets)}
    return {key: stated.get(key) for key in wanted} == wanted


def finetune_faces(
    base: Base,
    engine: Engine,
    faces: Path = FACES,
    stage: Stage | None = None,
    out: Path | None = None,
    resume: bool = True,
) -> Iterator[Event]:
    """Stage 1: learn from a folder of faces, once for a base, the settings and the folder.

    Parameters
    ----------
    faces : Path
        Folder of pictures of one face each, with metadata.jsonl where there are captions.
    stage : Stage, optional
        Settings; None: those of the base.
    out : Path, optional
        None: where `find_stage1` looks.
    resume : bool
        Go on with an unfinished run.
    """
    stage = stage or default_stages(base)[0]
    yield StageBegun(1, len(list_pictures(faces)))
    yield from finetune(
        base,
        crop_folder(faces, engine, base.resolution, aligned=base.preset.aligned),
        folder_digest(faces),
        stage,
        out or stage1_folder(base, stage, faces),
        {"kind": "stage1", "faces": Path(faces).name},
        PREVIEW_PROMPT.format(subject="a person"),
        resume=resume,
    )


def finetune_person(
    base: Base,
    engine: Engine,
    photos: list[tuple[Photo, Face]],
    subject: str,
    out: Path,
    start_from: Path | None,
    stage: Stage | None = None,
    resume: bool = True,
) -> Iterator[Event]:
    """Stage 2: learn a person from accepted photos, going on from stage 1's LoRA.

    Parameters
    ----------
    photos : list of (Photo, Face)
        Accepted photos, each with the person's face in it.
    subject : str
        The person in captions, "ohwx woman".
    out : Path
        The person's folder for this base.
    start_from : Path or None
        Of `find_stage1`; None: the base as it is, in one stage.
    stage : Stage, optional
        Settings; None: those of the base.
    resume : bool
        Go on with an unfinished run.

    Raises
    ------
    InputError
        Where there is no photo.
    """
    stage = stage or default_stages(base)[1]
    if not photos:
        raise InputError("no_photo_to_learn_from")
    held_out = choose_held_out(photos, stage)
    name = held_out.name if held_out else None
    learned = [(photo, face) for photo, face in photos if photo.name != name]
    if held_out is None:
        yield Note(Message("none_held_out", photos=len(photos), least=stage.held_out_from))
    yield StageBegun(2, len(learned))
    source = sha256(subject.encode())
    for photo, _ in learned:
        source.update(photo.name.encode() + sha256(photo.pixels.tobytes()).digest())
    crops = (
        crop
        for photo, face in learned
        for crop in crop_photo(photo, face, subject, base.resolution, aligned=base.preset.aligned)
    )
    yield from finetune(
        base,
        crops,
        source.hexdigest(),
        stage,
        out,
        {"kind": "person", "trigger": subject, "photos": len(learned), "held_out": name},
        PREVIEW_PROMPT.format(subject=subject),
        start_from,
        held_out,
        engine,
        resume,
    )


def choose_held_out(photos: list[tuple[Photo, Face]], stage: Stage) -> HeldOut | None:
    """The photo most like all the others: the best single measure of the person. None: too few."""
    if len(photos) < stage.held_out_from:
        return None
    embeddings = np.stack([face.embedding for _, face in photos])
    nearest = int(np.argmax((embeddings @ embeddings.T).sum(1)))
    return HeldOut(photos[nearest][0].name, embeddings[nearest])
