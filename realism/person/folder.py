"""What all parts of a person's folder begin with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PersonFolder:
    """Whose folder it is, and where.

    Attributes
    ----------
    folder : Path
        `people/<slug>`.
    name : str
        The person's, as the owner wrote it.
    """

    folder: Path
    name: str

    @property
    def presentation(self) -> Path:
        """Where `realism show` writes; it holds photos, and goes with the person."""
        return self.folder / "presentation.html"
