"""What a user may set: folders, limits of what comes in, the check, the fine-tune, the portraits.

A test or a benchmark shrinks a run with `dataclasses.replace`, not with a flag in the code. Every
other number stands, with its reason, at the top of the module that uses it.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from realism.errors import InputError

ASSETS = Path(__file__).resolve().parent / "assets"


def home() -> Path:
    """The folder of all people: `$REALISM_HOME`, else `people/` in the current folder."""
    folder = os.environ.get("REALISM_HOME") or "people"
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:  # "~" of an account that has no home, as in a container
        raise InputError("home_not_known", folder=folder) from error


def expanded(path: str | Path) -> Path:
    """A path with `~` as the folder that it stands for; as written where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or one without a home: a name like any other
        return Path(path)


def page_copies() -> Path:
    """Where the page keeps copies of what it shows: a folder of its own, since it is emptied.

    In `$GRADIO_TEMP_DIR`, else in `home()`.
    """
    given = Path(os.environ.get("GRADIO_TEMP_DIR") or home()).absolute()
    return given if given.name == ".page" else given / ".page"


def cache_folder() -> Path:
    """Where copies are kept that can be made again: `$REALISM_CACHE`, else `~/.cache/realism`.

    Of an account without a home, as in a container: among the people.
    """
    given = os.environ.get("REALISM_CACHE")
    folder = Path(given or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "realism")
    try:
        return folder.expanduser()
    except RuntimeError:
        return home() / ".cache"


@dataclass(frozen=True)
class Intake:
    """What may come in as a picture at all.

    Parameters
    ----------
    max_pixels : int, px
        A decoded copy takes 3 bytes each.
    max_bytes : int
        On disk.
    min_side : int, px
        Below it no face can be judged.
    """

    max_pixels: int = 50_000_000
    max_bytes: int = 40 * 2**20
    min_side: int = 64


@dataclass(frozen=True)
class Check:
    """Step 1: when a photo is good enough to learn a person from.

    The limits were set on renders and photographs; `python -m benchmarks.check` prints where each
    picture falls.

    Parameters
    ----------
    min_face_width : int, px
        A 3 mm mole is then about 3 px.
    clearly_largest : float
        Area of the largest face over the second's, from which it is the subject.
    max_turn, strong_turn : float, degrees of yaw
        Beyond the first half the face is hidden; from the second on advice is given.
    min_sharpness, good_sharpness : float
        Ratio of `checks.photo.sharpness`: good photos have 1.76 to 3.1, out of focus by 2 % of the
        face's width 1.2 to 1.46. Below the second, advice: small marks may not show.
    min_light, good_light : float, L*
        Of the face's brighter parts: good photos have 45 to 95 for every skin, far too dark ones
        12 to 15. Below the second, advice.
    max_blown : float, 0..1
        Share of the face without colour; good photos have up to 0.009.
    """

    min_face_width: int = 160
    clearly_largest: float = 2.0
    max_turn: float = 45.0
    strong_turn: float = 35.0
    min_sharpness: float = 1.5
    good_sharpness: float = 1.75
    min_light: float = 30.0
    good_light: float = 42.0
    max_blown: float = 0.10


@dataclass(frozen=True)
class Stage:
    """One stage of the LoRA fine-tune. All of it is part of a checkpoint's fingerprint.

    Parameters
    ----------
    steps : int
        Of the optimiser, AdamW on the LoRA matrices only.
    learning_rate : float
        Reached after `warm_up` steps; `last_rate` of it is left at the end, along a cosine.
    batch : int
        Crops a step and process.
    rank : int
        Of the LoRA matrices; alpha is the same.
    targets : tuple of str
        Layers of the UNet.
    min_snr : float
        Gamma of Hang et al., ICCV 2023; 0: none.
    max_grad_norm, weight_decay : float
    gradient_checkpointing : bool
        A third slower, a third of the memory.
    seed : int
        Of the order, the noise and the first LoRA matrices.
    save_every : int, steps
        A killed process repeats fewer than these.
    preview_every : int, steps
    preview_seeds : tuple of int
        One preview each.
    preview_steps : int
        Of the sampler: enough to tell who it is.
    held_out_from : int
        Accepted photos; with fewer, none can be spared.
    """

    steps: int
    learning_rate: float
    batch: int = 4
    rank: int = 16
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    warm_up: int = 20
    last_rate: float = 0.1
    min_snr: float = 5.0
    max_grad_norm: float = 1.0
    weight_decay: float = 1e-2
    gradient_checkpointing: bool = False
    seed: int = 42
    save_every: int = 50
    preview_every: int = 100
    preview_seeds: tuple[int, ...] = (1, 2, 3, 4)
    preview_steps: int = 12
    held_out_from: int = 6


@dataclass(frozen=True)
class Portraits:
    """Step 3.

    Parameters
    ----------
    count, max_count : int
        Portraits of a run, usually and at most.
    steps : int
        Of UniPC with Karras sigmas: converged at 20 (exact mixture).
    guidance_scale : float
        Low, for skin: more polishes it.
    style_weight : float
        Of a style's LoRA; FaceChain's default: more and the person gives way to the style.
    """

    count: int = 20
    max_count: int = 64
    steps: int = 25
    guidance_scale: float = 2.5
    style_weight: float = 0.25


INTAKE = Intake()
CHECK = Check()
PORTRAITS = Portraits()

# The embedded base is young and small: it moves little by a LoRA on attention, so all its layers
# learn, at a high rate (`python -m benchmarks.finetune` prints how like the person it gets).
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
_CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut", "conv_in", "conv_out")
_POCKET = Stage(
    240,
    2e-3,
    batch=8,
    rank=32,
    targets=(*_ATTENTION, "proj_in", "proj_out", *_CONVOLUTIONS),
    preview_every=80,
)


@dataclass(frozen=True)
class Preset:
    """What a base, or a family of bases, is used with.

    Parameters
    ----------
    stages : (Stage, Stage)
        On faces in general, then on the person.
    guidance_scale : float
        1: the prompt as it is.
    steps : int
        Of the sampler.
    aligned : bool
        Whether it has seen heads at one place only, and is to be taught them there.
    """

    stages: tuple[Stage, Stage]
    guidance_scale: float = PORTRAITS.guidance_scale
    steps: int = PORTRAITS.steps
    aligned: bool = False


# Of single bases, by name; what suits a family is in its file, `diffusion/families/`.
PRESETS = {
    "pocket": Preset(
        (replace(_POCKET, steps=120, learning_rate=1e-3), _POCKET),
        guidance_scale=1.5,  # more burns out its skin
        aligned=True,
    ),
}
