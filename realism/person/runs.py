"""What was learned of a person and made of it: LoRAs by base, portraits by run.

adapters/<base>/last/, best/    LoRA of stage 2
                running/        state of a fine-tune that was stopped
portraits/<run>/                portraits, ranking.json
                request.json    what the run is to make, until it is made
                ranking-details.json    all of the ranking, to be read back while it holds
                restored/       the portraits with their marks
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realism.diffusion.lora import describe_lora, lora_file
from realism.diffusion.weights import fingerprint
from realism.disk import read_model, write_json
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.images import open_photo
from realism.person.folder import PersonFolder
from realism.person.names import slug_of
from realism.portraits.portrait import read_parameters
from realism.portraits.rank import (
    Ranked,
    rank,
    rank_to_json,
    ranking_inputs,
    read_ranking,
    write_ranking,
)
from realism.portraits.second_opinion import second_opinions

Embeddings = Sequence[tuple[str, np.ndarray]]  # name and unit embedding of the accepted photos


@dataclass(frozen=True)
class KeptRank:
    """A row of `ranking.json`: a portrait's place when it was ranked, 1 the closest.

    Attributes
    ----------
    portrait : str
        Its file's name.
    rank : int
    similarity : float or None
        None where it could not be compared.
    closest_photo : str or None
        Name of the photo that it is most like.
    """

    portrait: str
    rank: int
    similarity: float | None = None
    closest_photo: str | None = None


class RunsFolder(PersonFolder):
    """A person's LoRAs and portraits."""

    def adapter_folder(self, base_name: str) -> Path:
        """Where the LoRA of this person for that base is kept; it may not exist yet."""
        return self.folder / "adapters" / slug_of(base_name.replace("/", " ").replace("\\", " "))

    def adapter(
        self, base_name: str, which: str = "best", family: str | None = None
    ) -> Path | None:
        """The person's LoRA for a base.

        Parameters
        ----------
        base_name : str
            Of the base.
        which : str
            "best" (by the held-out photo, else the last) | "last" | "none" | a LoRA's file.
        family : str, optional
            Where there is none for this base, the newest of another base of this family will do.

        Returns
        -------
        Path or None
            A folder or file that `realism.diffusion.lora` loads; None for "none".

        Raises
        ------
        InputError
            There is no LoRA for this base yet.
        """
        if which == "none":
            return None
        if which not in ("best", "last"):
            return Path(which)
        names = dict.fromkeys((which, "last"))
        folder = self.adapter_folder(base_name)
        for name in names:
            if (folder / name).is_dir():
                return folder / name
        for other in sorted(folder.parent.glob("*/last"), key=_written, reverse=True):
            if family is not None and describe_lora(other).get("family") == family:
                return next(other.parent / name for name in names if (other.parent / name).is_dir())
        raise InputError("person_without_lora", person=self.name, base=base_name)

    def logged_adapters(self) -> list[Path]:
        """Folders of the LoRAs by base whose losses are kept, the one learned last first."""
        logs = (self.folder / "adapters").glob("*/log.json")
        return [log.parent for log in sorted(logs, key=_written, reverse=True)]

    def new_run(self, at: datetime.datetime | None = None) -> Path:
        """A folder for a run of portraits, named by the time; made when first written to.

        Parameters
        ----------
        at : datetime, optional
            None: now.
        """
        now = (at or datetime.datetime.now()).strftime("%Y%m%d-%H%M%S")
        folder, number = self.folder / "portraits" / now, 1
        while folder.exists():
            number += 1
            folder = self.folder / "portraits" / f"{now}-{number}"
        return folder

    @staticmethod
    def request_file(run: Path) -> Path:
        """Where a run keeps what it is to make, until all of it is made."""
        return run / "request.json"

    def unfinished_run(self) -> Path | None:
        """The newest run, where it was stopped or killed before all its portraits were made."""
        newest = next(iter(self.runs()), None)
        return newest if newest and self.request_file(newest).exists() else None

    @staticmethod
    def portrait_file(run: Path, number: int, seed: int) -> Path:
        """Where the portrait of that number (from 1) and seed is kept in its run."""
        return run / f"{number:02d}-seed{seed}.png"

    def held_out_photo(self, run: Path) -> str | None:
        """The photo that the LoRA of a run's portraits has never seen.

        Likeness to it cannot come from copying. None where no photo was held out, or the LoRA was
        trained anew since.
        """
        first = next(iter(portraits_of(run)), None)
        parameters = read_parameters(first) if first else None
        if parameters is None:
            return None
        applied = {lora.fingerprint for lora in parameters.adapters}
        for which in ("best", "last"):
            folder = self.adapter_folder(parameters.base) / which
            try:
                if fingerprint([lora_file(folder)])[:16] in applied:
                    return describe_lora(folder).get("held_out")
            except InputError:  # gone or damaged: the portraits are shown all the same
                continue
        return None

    def runs(self) -> list[Path]:
        """Runs of portraits, newest first."""
        return sorted((self.folder / "portraits").glob("*/"), reverse=True)

    @staticmethod
    def kept_order(run: Path) -> list[KeptRank]:
        """The ranking of a run as it was made last, of the portraits that are still there.

        Whether it still holds is not asked: `Person.read_ranking` does. Empty where there is none;
        raises InputError where it is damaged.
        """
        file = run / "ranking.json"
        if not file.exists():
            return []
        rows = read_model(file, list[KeptRank], "file_ranking")
        return [row for row in rows if (run / row.portrait).is_file()]

    @staticmethod
    def restored(run: Path) -> list[tuple[Path, Path]]:
        """Each portrait of a run that has its marks back, and that one, by name."""
        files = portraits_of(run / "restored")
        return [(run / file.name, file) for file in files if (run / file.name).is_file()]


def portraits_of(run: Path) -> list[Path]:
    """The portraits of a run, by name; one that is just being written is not there yet."""
    return sorted(run.glob("[!.]*.png"))


def rank_portraits(
    run: Path,
    photos: Embeddings,
    scale: Sequence[float],
    engine: Engine,
    pictures: Iterable[tuple[np.ndarray, Face]] = (),
) -> list[Ranked]:
    """Rank all portraits of a run, and keep the order beside them.

    Where portraits, photos and engine are those of the ranking that is kept, that one is read.

    Parameters
    ----------
    run : Path
        The run's folder.
    photos : sequence of (str, (D,) float32)
        Name and unit embedding of the accepted photos.
    scale : sequence of float
        Cosine of each photo with the best of the others.
    engine : Engine
        The one that made the embeddings.
    pictures : iterable of ((H, W, 3) uint8 sRGB, Face)
        The photos themselves, for its second; opened only where it has one.

    Raises
    ------
    InputError
        No photos or no portraits.
    """
    second = engine.second.name if engine.second else None
    ranked = kept_ranking(run, photos, engine.name, second)
    if ranked is not None:
        return ranked
    files = portraits_of(run)
    inputs = ranking_inputs(engine.name, files, photos, second)
    found, unread = [], {}
    for file in files:
        try:
            found.append((file.name, engine.find(open_photo(file).pixels)))
        except InputError as error:  # damaged: it is named, and the others are ranked
            found.append((file.name, []))
            unread[file.name] = error.message
    made_with = {file.name: read_parameters(file) for file in files}
    seeds = {name: parameters.seed for name, parameters in made_with.items() if parameters}
    whole = [(name, faces) for name, faces in found if name not in unread]
    again = ((name, open_photo(run / name).pixels, faces) for name, faces in whole)
    opinions = second_opinions(again, pictures, engine)
    ranked = rank(found, photos, seeds, scale, opinions, unread)
    write_json(run / "ranking.json", rank_to_json(ranked))
    write_ranking(run / "ranking-details.json", ranked, inputs)
    return ranked


def kept_ranking(
    run: Path, photos: Embeddings, engine_name: str, second_name: str | None = None
) -> list[Ranked] | None:
    """The ranking of a run as it is kept, without an engine; None where it must be made anew."""
    inputs = ranking_inputs(engine_name, portraits_of(run), photos, second_name)
    return read_ranking(run / "ranking-details.json", inputs)


def _written(folder: Path) -> float:
    return folder.stat().st_mtime
