"""How a run learned, read back from its folder: losses, previews, how alike they were."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realism.disk import read_model
from realism.images import open_photo


@dataclass(frozen=True)
class KeptPreview:
    """After which step a preview was made, and its similarity to the held-out photo, if any."""

    step: int
    similarity: float | None = None


@dataclass(frozen=True)
class RunLog:
    """What `log.json` holds.

    Attributes
    ----------
    losses : list of float
        Of each step.
    previews : list of KeptPreview
        In the order in which they were made.
    """

    losses: list[float]
    previews: list[KeptPreview]


def read_log(folder: Path) -> RunLog | None:
    """The log of a run's folder, None where there is none; raises InputError if it is damaged."""
    file = Path(folder) / "log.json"
    return read_model(file, RunLog, "file_log") if file.exists() else None


def read_preview(folder: Path, step: int) -> list[np.ndarray]:
    """The pictures of the preview after a step, each (R, R, 3) uint8 sRGB; none if it is gone."""
    file = Path(folder) / "previews" / f"step-{step:06d}.png"
    if not file.exists():
        return []
    strip = open_photo(file).pixels  # squares side by side
    return np.split(strip, strip.shape[1] // strip.shape[0], axis=1)
