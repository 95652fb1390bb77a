"""What a user may set: folders, limits of what comes in, the check, the fine-tune, the portraits.

A test or a benchmark shrinks a run with `dataclasses.replace`, not with a flag in the code. Every
other number stands, with its reason, at the top of the module that uses it.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "assets"


def home() -> Path:
    """The folder of all people: `$REALISM_HOME`, else `people/` in the current folder."""
    return Path(os.environ.get("REALISM_HOME", "people")).expanduser()


def page_copies() -> Path:
    """Where the page keeps copies of what it shows: a folder of its own, since it is emptied.

    In `$GRADIO_TEMP_DIR`, else in `home()`.
    """
    given = Path(os.environ.get("GRADIO_TEMP_DIR") or home()).absolute()
    return given if given.name == ".page" else given / ".page"


@dataclass(frozen=True)
class Intake:
    """What may come in as a picture at all."""

    max_pixels: int = 50_000_000  # px; a decoded copy takes 3 bytes each
    max_bytes: int = 40 * 2**20  # bytes on disk
    min_side: int = 64  # px; below it no face can be judged


@dataclass(frozen=True)
class Check:
    """Step 1: when a photo is good enough to learn a person from.

    The limits were set on ../shared/data (example-people, faces, people-variants); the command
    `python -m benchmarks.check` prints where each picture falls.
    """

    min_face_width: int = 160  # px; a 3 mm mole is then about 3 px
    clearly_largest: float = 2.0  # area of the largest face over the second's
    max_turn: float = 45.0  # degrees of yaw; beyond it half the face is hidden
    min_sharpness: float = 1.5  # ratio, see `sharpness`; good photos 1.76-3.1, out of
    # focus by 2 % of the face's width 1.2-1.46
    good_sharpness: float = 1.75  # below it, advice: small marks may not show
    good_light: float = 42.0  # L*, below it, advice
    strong_turn: float = 35.0  # degrees of yaw, from which advice is given
    min_light: float = 30.0  # L* of the face's brighter parts; good photos 45-95 for
    # every skin, far too dark ones 12-15
    max_blown: float = 0.10  # share of the face without colour; good photos to 0.009
    same_shape: float = 0.008  # mesh difference over the face's width; copies to 0.006
    same_face: float = 0.995  # correlation of face crops; copies from 0.997
    same_picture: float = 0.92  # correlation round the face; copies from 0.93
    own_share: float = 0.5  # of the person's own median cosine to their centre; own
    # photos from 0.54, strangers' to 0.1 (renders), 0.59
    two_people: float = 0.4  # share of others from which the set counts as mixed


@dataclass(frozen=True)
class Stage:
    """One stage of the LoRA fine-tune."""

    steps: int  # optimiser steps
    learning_rate: float  # AdamW, on the LoRA matrices only
    batch: int = 4  # crops a step and process
    rank: int = 16  # of the LoRA matrices; alpha is the same
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")  # layers of the UNet
    warm_up: int = 20  # steps to the full learning rate
    last_rate: float = 0.1  # of the learning rate, reached along a cosine
    min_snr: float = 5.0  # gamma of Hang et al., ICCV 2023; 0: none
    max_grad_norm: float = 1.0
    weight_decay: float = 1e-2
    gradient_checkpointing: bool = False  # a third slower, a third of the memory
    seed: int = 42  # of the order, the noise and the first LoRA matrices
    save_every: int = 50  # steps; a killed process repeats fewer than these
    preview_every: int = 100  # steps
    preview_seeds: tuple[int, ...] = (1, 2, 3, 4)
    preview_steps: int = 12  # of the sampler: enough to tell who it is
    held_out_from: int = 6  # accepted photos; with fewer, none can be spared


@dataclass(frozen=True)
class Portraits:
    """Step 3."""

    count: int = 20
    max_count: int = 64
    steps: int = 25  # UniPC with Karras sigmas: converged at 20 (exact mixture)
    guidance_scale: float = 2.5  # low, for skin: more polishes it


INTAKE = Intake()
CHECK = Check()
PORTRAITS = Portraits()

# The embedded base is young and small: it moves little by a LoRA on attention, so all its layers
# learn, at a high rate (`python -m benchmarks.finetune` prints how like the person it gets).
_POCKET = Stage(
    400, 2e-3, batch=8, rank=32,
    targets=(
        "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out",
        "conv1", "conv2", "conv_shortcut", "conv_in", "conv_out",
    ),
)  # fmt: skip

# By the base: its name where that is one of ours, else its family. Stage 1, stage 2.
STAGES = {
    "pocket": (replace(_POCKET, steps=120, learning_rate=1e-3), _POCKET),
    "sd15": (Stage(2000, 1e-4, preview_every=500), Stage(800, 1e-4)),
    "sdxl": (
        Stage(2000, 1e-4, batch=2, gradient_checkpointing=True, preview_every=500),
        Stage(800, 1e-4, batch=2, gradient_checkpointing=True),
    ),
}
# By the base, where it wants another than `PORTRAITS.guidance_scale`: more burns out pocket's skin.
# By the base, where it wants another than `PORTRAITS.guidance_scale`: more burns out pocket's skin.
GUIDANCE = {"pocket": 1.5}
