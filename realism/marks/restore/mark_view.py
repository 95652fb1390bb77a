"""A mark as one photo shows it, and how well: what it is measured in."""

from dataclasses import dataclass

import numpy as np

from realism.marks.mark import Mark

LEAST_STRETCH = 0.25  # of a mark's map from photo to portrait, over its scale
MOST_STRETCH = 1.8  # the same; more would smear what is seen edge-on


@dataclass(frozen=True, eq=False)
class MarkView:
    """A mark as one photo shows it.

    Attributes
    ----------
    mark : RoundMark or Wrinkle
        In px of its photo.
    photo : str
        The photo's name.
    matrix : (2, 2) float32
        px of the portrait over px of the photo, at the mark.
    scale : float
        px of the portrait over px of the photo, of what is seen face on.
    facing : float
        Cosine between the skin and the line of sight in the photo.
    """

    mark: Mark
    photo: str
    matrix: np.ndarray
    scale: float
    facing: float

    @property
    def quality(self) -> float:
        """How good a view of the mark it is: facing times resolution, squared."""
        return (max(self.facing, 0.05) / max(self.scale, 1.0)) ** 2

    @property
    def clamped_matrix(self) -> np.ndarray:
        """`matrix` with its stretching held to what a turned patch of skin can be trusted for."""
        left, stretch, right = np.linalg.svd(self.matrix.astype(np.float64))
        low, high = LEAST_STRETCH * self.scale, MOST_STRETCH * self.scale
        return (left * np.clip(stretch, low, high)) @ right
