"""Every number of the program once: frozen, each with its unit and its reason.

A test or a benchmark shrinks a run with `dataclasses.replace`, not with a flag in the code.
"""

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"


def home() -> Path:
    """The folder of all people: `$REALISM_HOME`, else `people/` in the current folder."""
    return Path(os.environ.get("REALISM_HOME", "people")).expanduser()


@dataclass(frozen=True)
class Intake:
    """What may come in as a picture at all."""

    max_pixels: int = 50_000_000       # px; a decoded copy takes 3 bytes each
    max_bytes: int = 40 * 2**20        # bytes on disk
    min_side: int = 64                 # px; below it no face can be judged


@dataclass(frozen=True)
class Check:
    """Step 1: when a photo is good enough to learn a person from.

    The limits were set on ../shared/data (example-people, faces, people-variants); the command
    `python -m benchmarks.check` prints where each picture falls.
    """

    min_face_width: int = 160          # px; a 3 mm mole is then about 3 px
    clearly_largest: float = 2.0       # area of the largest face over the second's
    max_turn: float = 45.0             # degrees of yaw; beyond it half the face is hidden


@dataclass(frozen=True)
class Stage:
    """One stage of the LoRA fine-tune."""

    steps: int                         # optimiser steps
    learning_rate: float               # AdamW, on the LoRA matrices only
    batch: int = 4                     # crops a step
    rank: int = 16                     # of the LoRA matrices; alpha is the same


@dataclass(frozen=True)
class Portraits:
    """Step 3."""

    count: int = 20
    max_count: int = 64
    steps: int = 25                    # UniPC with Karras sigmas: converged at 20 (exact mixture)
    guidance_scale: float = 4.0


@dataclass(frozen=True)
class Folder:
    """A person's folder."""

    max_name: int = 60                 # characters of a person's name; a slug stays a file name


INTAKE = Intake()
CHECK = Check()
PORTRAITS = Portraits()
PERSON = Folder()
