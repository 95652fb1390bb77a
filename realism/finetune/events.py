"""What a fine-tune reports while it runs: whoever walks it shows these."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realism.errors import Message
from realism.finetune.pictures import PictureSkipped


@dataclass(frozen=True)
class StageBegun:
    """A stage has begun: 1 (faces) or 2 (the person), of so many photos or pictures."""

    stage: int
    pictures: int


@dataclass(frozen=True)
class CropEncoded:
    """A crop is encoded: how many so far, and of which photo."""

    number: int
    photo: str


@dataclass(frozen=True)
class TrainingStep:
    """A step is done.

    Attributes
    ----------
    number, of : int
        Which, from 1, of how many.
    loss : float
        Weighted, of this batch.
    images_per_second : float
        Crops learned from, over all processes.
    seconds_left : float
        To the last step, without previews.
    """

    number: int
    of: int
    loss: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Preview:
    """What the LoRA makes now, at seeds that stay the same.

    Attributes
    ----------
    step : int
        After which step.
    images : list of (H, W, 3) uint8 sRGB
        One for each seed.
    similarity : float or None
        Mean cosine with the held-out photo, a picture without a face counting 0; None where no
        photo is held out.
    """

    step: int
    images: list[np.ndarray]
    similarity: float | None


@dataclass(frozen=True)
class LoraSaved:
    """The LoRA was written to folder `path`; `best`: the one nearest to the held-out photo."""

    path: Path
    step: int
    best: bool
    similarity: float | None


@dataclass(frozen=True)
class Note:
    """Something to know, one sentence."""

    message: Message


Event = StageBegun | CropEncoded | PictureSkipped | Note | TrainingStep | Preview | LoraSaved
