"""Step 4, second half: a person's marks are put back into portraits of any generator.

`finish_portrait` takes a portrait on which they are placed (`place.py`), mixes them in, and says
what was put where and how alike it is. `restore_portrait` is all of that at once,
`restore_portraits` for a whole run, saved.
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from realism.disk import write_json
from realism.draw.card import fidelity_card
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.images import Photo, read_info, save_png
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.report import (
    Likeness,
    measure_likeness,
    report_to_json,
    second_likeness,
)
from realism.portraits.provenance import restored_entries
from realism.workflow.place import MarkKey, PlacedPortrait, RestoreOptions, place_portrait

REPORT = "restore.json"  # beside the portraits of a batch
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class RestoredPortrait:
    """A portrait with the person's marks.

    Attributes
    ----------
    placed : PlacedPortrait
        What it was made from, for another blend.
    pixels : ndarray, (H, W, 3) uint8 sRGB
    likeness : Likeness
        To the person, before and after.
    engine : Engine
        By which.
    report : dict
        {"placements": [...], "similarity": {"before", "after", "photos"}}, plain JSON.
    """

    placed: PlacedPortrait
    pixels: np.ndarray
    likeness: Likeness
    engine: Engine
    report: dict

    @property
    def put_back(self) -> int:
        """Marks that can be seen on it."""
        return sum(placement["visible"] for placement in self.report["placements"])

    def save(self, out: Path) -> Path:
        """Write it as PNG, with what the portrait's file said of itself before; returns `out`."""
        return save_restored(self.pixels, self.placed.file, out)

    def card(self, title: str | None = None) -> np.ndarray:
        """The fidelity card, (h, w, 3) uint8 sRGB; under the portrait's name, or a title.

        Where the engine has a second, that one is asked, too.
        """
        placed, engine, second = self.placed, self.engine, None
        if engine.second is not None:
            likeness = second_likeness(
                placed.portrait.pixels, placed.face, self.pixels, placed.photos, engine.second
            )
            second = (engine.second.name, likeness)
        return fidelity_card(
            title or Path(placed.portrait.name).stem, placed.portrait.pixels, self.pixels,
            self.report["placements"], (engine.name, self.likeness), second,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PortraitRestored:
    """A portrait of a batch (`file`, its `number` from 1) is restored and saved."""

    number: int
    of: int
    file: Path
    saved: Path
    restored: RestoredPortrait


@dataclass(frozen=True)
class PortraitSkipped:
    """A portrait of a batch cannot be restored, and why; number from 1."""

    number: int
    of: int
    file: Path
    message: Message


def finish_portrait(
    placed: PlacedPortrait,
    engine: Engine,
    sliders: Sliders | None = None,
    off: Collection[MarkKey] = (),
    least_sightings: int = LEAST_OBSERVATIONS,
    by_hand: frozenset[int] = frozenset(),
) -> RestoredPortrait:
    """The portrait with its marks, its report and its likeness before and after.

    Parameters
    ----------
    placed : PlacedPortrait
        Of `place_portrait`.
    engine : Engine
        The one that found the faces of the photos.
    sliders : Sliders, optional
        Strengths and softness.
    off : collection of MarkKey
        All marks that are not put back.
    least_sightings : int
        Which of these are reported as seen on too few photos, not as switched off.
    by_hand : frozenset of int
        Placements that are switched off even so.
    """
    indices, seldom = placed.indices(off), placed.rare(least_sightings) - by_hand
    pixels = blend(placed.prepared, sliders or Sliders(), indices)
    likeness = measure_likeness(placed.face, pixels, placed.embeddings, engine)
    why = {
        index: Message(
            "seen_on_few", seen=placed.placements[index].photo_count, photos=len(placed.photos)
        )
        if index in seldom
        else Message("switched_off")
        for index in sorted(indices)
    }
    return RestoredPortrait(
        placed, pixels, likeness, engine, report_to_json(placed.placements, why, likeness)
    )


def restore_portrait(
    portrait: Path | Photo,
    photos: Sequence[MarkedPhoto],
    engine: Engine,
    options: RestoreOptions | None = None,
) -> RestoredPortrait:
    """Put the marks of the photos back into a portrait.

    Parameters, Raises: see `place_portrait`; all options count.
    """
    options = options or RestoreOptions()
    placed = place_portrait(portrait, photos, engine, options)
    by_hand = placed.indices(options.off) | placed.indices_of_ids(options.without)
    by_hand |= placed.left_out(options.switched, 1)
    off = by_hand | placed.left_out(options.switched, options.least_sightings)
    off -= placed.indices(options.on)
    keys = [placed.keys[index] for index in off]
    least = options.least_sightings
    return finish_portrait(placed, engine, options.sliders, keys, least, by_hand)


def restore_portraits(
    files: Sequence[Path],
    photos: Sequence[MarkedPhoto],
    engine: Engine,
    into: Path,
    options: RestoreOptions | None = None,
) -> Generator[PortraitRestored | PortraitSkipped, None, list[Path]]:
    """Restore the marks on every portrait and save it under its name in a folder.

    Parameters
    ----------
    files : sequence of Path
        Portraits; one that cannot be restored is passed over.
    photos, engine, options
        See `restore_portrait`.
    into : Path
        The folder.

    Yields
    ------
    PortraitRestored or PortraitSkipped

    Returns the files that were saved; beside them lies `restore.json`, the report of each, which
    has "otherwise" where an option was set by hand.
    """
    saved, reports, otherwise = [], {}, _set_otherwise(options or RestoreOptions())
    for number, file in enumerate(files, 1):
        try:
            restored = restore_portrait(file, photos, engine, options)
        except InputError as error:
            yield PortraitSkipped(number, len(files), file, error.message)
            continue
        saved.append(restored.save(into / f"{file.stem}.png"))
        reports[saved[-1].name] = restored.report | otherwise
        write_json(into / REPORT, {"schema": SCHEMA, "portraits": reports})
        yield PortraitRestored(number, len(files), file, saved[-1], restored)
    return saved


def _set_otherwise(options: RestoreOptions) -> dict[str, dict]:
    """{"otherwise": ...}: how a portrait was restored, but for what is so at first; {} as at first.

    Marks that were switched are not in it: each placement says that itself.
    """
    at_first = RestoreOptions()
    ways = ("method", "placement", "least_sightings")
    values = {name: getattr(options, name) for name in ways} | asdict(options.sliders)
    usual = {name: getattr(at_first, name) for name in ways} | asdict(at_first.sliders)
    other = {name: value for name, value in values.items() if value != usual[name]}
    if options.moves:
        other["moves"] = len(options.moves)
    return {"otherwise": other} if other else {}


def save_restored(pixels: np.ndarray, portrait: Path | None, out: Path) -> Path:
    """Write a restored portrait as PNG, with what its file said of itself before; returns `out`."""
    info = {}
    if portrait is not None and portrait.suffix.lower() == ".png":
        info = read_info(portrait)
    save_png(out, pixels, restored_entries(info, pixels))
    return out
