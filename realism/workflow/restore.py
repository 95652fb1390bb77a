"""Step 4, second half: a person's marks are put back into portraits of any generator.

Two phases. `place_portrait` is slow: it finds the person on the portrait, and every mark's place
and look there. `blend_portrait` is fast: it mixes them in under the sliders, as often as one
moves. `finish_portrait` then says what was put where, and how alike it is. `restore_portrait` is
all of that at once, `restore_portraits` for a whole run, saved.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from realism.draw.card import fidelity_card
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.faces.skin import skin_mask
from realism.images import Photo, open_photo, read_info, save_png
from realism.marks.mark import Mark
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.placement import Placement, find_obstacle
from realism.marks.restore.prepare import (
    METHODS,
    LayeredPortrait,
    build_layers,
    locate_marks,
    seldom_seen,
)
from realism.marks.restore.report import Likeness, find_person, measure_likeness, report_to_json
from realism.portraits.provenance import restored_entries

MarkKey = tuple[str, str, float, float]  # photo, kind, x, y: names a mark while it stays there


def mark_key(photo: str, mark: Mark) -> MarkKey:
    """What names a mark of a photo for as long as it stays where it is."""
    return photo, mark.kind, round(float(mark.xy[0]), 1), round(float(mark.xy[1]), 1)


@dataclass(frozen=True, eq=False)
class PlacedPortrait:
    """A portrait with the photos' marks placed and measured on it, ready to blend.

    file          the portrait's file; None where it was given as pixels
    portrait      its picture
    digest        of its pixels: portraits of several runs may have one name
    face          the person's Face on it
    skin          (H, W) float32 0..1
    prepared      for `blend`
    embeddings    (D,) float32 of each of the photos
    """

    file: Path | None
    portrait: Photo
    digest: str
    face: Face
    skin: np.ndarray
    prepared: LayeredPortrait
    embeddings: tuple[np.ndarray, ...]

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Every mark and where it goes, those that cannot be shown too."""
        return self.prepared.placements

    @property
    def keys(self) -> tuple[MarkKey, ...]:
        """The key of each placement."""
        return tuple(mark_key(placed.photo, placed.mark) for placed in self.placements)

    def indices(self, keys: Collection[MarkKey]) -> frozenset[int]:
        """The placements of these keys."""
        wanted = {tuple(key) for key in keys}
        return frozenset(index for index, key in enumerate(self.keys) if key in wanted)

    def rare(self, least_sightings: int = LEAST_OBSERVATIONS) -> frozenset[int]:
        """The placements to begin without: too few of the photos show them."""
        return frozenset(seldom_seen(self.placements, len(self.embeddings), least_sightings))


@dataclass(frozen=True)
class RestoreOptions:
    """How marks are restored.

    method             "ratio" (ours) | "paste" (the original entry's)
    placement          "head" (ours) | "nearest3"
    sliders            strengths and softness
    least_sightings    photos that must show a mark; those with fewer are reported, not put back
    off                keys of marks that are switched off
    on                 keys of marks that are put back however few photos show them
    moves              where marks were put by hand: digest of the portrait and key -> (x, y) px
    """

    method: str = METHODS[0]
    placement: str = "head"
    sliders: Sliders = field(default_factory=Sliders)
    least_sightings: int = LEAST_OBSERVATIONS
    off: Collection[MarkKey] = ()
    on: Collection[MarkKey] = ()
    moves: Mapping[tuple, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RestoredPortrait:
    """A portrait with the person's marks.

    placed      what it was made from, for another blend
    pixels      (H, W, 3) uint8 sRGB
    likeness    to the person, before and after
    report      {"placements": [...], "similarity": {"before", "after", "photos"}}, plain JSON
    """

    placed: PlacedPortrait
    pixels: np.ndarray
    likeness: Likeness
    report: dict

    @property
    def put_back(self) -> int:
        """Marks that can be seen on it."""
        return sum(placement["visible"] for placement in self.report["placements"])

    def save(self, out: Path) -> Path:
        """Write it as PNG, with what the portrait's file said of itself before; returns `out`."""
        return save_restored(self.pixels, self.placed.file, out)

    def card(self, title: str | None = None) -> np.ndarray:
        """The fidelity card, (h, w, 3) uint8 sRGB; under the portrait's name, or a title."""
        before, likeness = self.placed.portrait, self.likeness
        return fidelity_card(
            title or Path(before.name).stem, before.pixels, self.pixels,
            self.report["placements"], (likeness.before, likeness.after), list(likeness.photos),
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


def place_portrait(
    portrait: Path | Photo,
    photos: Sequence[MarkedPhoto],
    engine: Engine,
    options: RestoreOptions | None = None,
) -> PlacedPortrait:
    """Place and measure the photos' marks on a portrait: the slow phase.

    Parameters
    ----------
    portrait : Path or Photo
        Of any generator; of several faces on it, the person's.
    photos : sequence of MarkedPhoto
        The person's photos with their marks.
    engine : Engine
        Finds the faces; the one that found those of the photos.
    options : RestoreOptions, optional
        Of these, method, placement and moves.

    Raises
    ------
    InputError
        No photos, no face on the portrait or one turned away, another method or placement.
    """
    options = options or RestoreOptions()
    if not photos:
        raise InputError("no_photo_of_marks")
    if options.method not in METHODS:
        raise InputError("method_not_known", method=options.method, choices=METHODS)
    file = None if isinstance(portrait, Photo) else Path(portrait)
    picture = portrait if isinstance(portrait, Photo) else open_photo(portrait)
    embeddings = tuple(photo.face.embedding for photo in photos)
    face = find_person(picture, embeddings, engine)
    skin = skin_mask(picture.pixels, face)
    analysis, digest = (
        PhotoAnalysis(picture.pixels, face, skin),
        sha256(picture.pixels.tobytes()).hexdigest(),
    )
    placements = [
        _moved(
            placement,
            options.moves.get((digest, *mark_key(placement.photo, placement.mark))),
            analysis,
        )
        for placement in locate_marks(analysis, list(photos), options.placement)
    ]
    prepared = build_layers(analysis, list(photos), placements, options.method)
    return PlacedPortrait(file, picture, digest, face, skin, prepared, embeddings)


def blend_portrait(
    placed: PlacedPortrait, sliders: Sliders | None = None, off: Collection[MarkKey] = ()
) -> np.ndarray:
    """The portrait with its marks under the sliders: the fast phase.

    off    keys of marks that are switched off
    ->     (H, W, 3) uint8 sRGB
    """
    return blend(placed.prepared, sliders or Sliders(), placed.indices(off))


def finish_portrait(
    placed: PlacedPortrait,
    engine: Engine,
    sliders: Sliders | None = None,
    off: Collection[MarkKey] = (),
    least_sightings: int = LEAST_OBSERVATIONS,
) -> RestoredPortrait:
    """The portrait with its marks, its report and its likeness before and after.

    off                keys of all marks that are not put back
    least_sightings    what of these is reported as seen on too few photos, not as switched off
    """
    indices, seldom = placed.indices(off), placed.rare(least_sightings)
    pixels = blend(placed.prepared, sliders or Sliders(), indices)
    likeness = measure_likeness(placed.face, pixels, placed.embeddings, engine)
    why = {
        index: Message(
            "seen_on_few", seen=placed.placements[index].photo_count, photos=len(placed.embeddings)
        )
        if index in seldom
        else Message("switched_off")
        for index in sorted(indices)
    }
    return RestoredPortrait(
        placed, pixels, likeness, report_to_json(placed.placements, why, likeness)
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
    seldom = {placed.keys[index] for index in placed.rare(options.least_sightings)}
    off = {*map(tuple, options.off), *seldom} - {tuple(key) for key in options.on}
    return finish_portrait(placed, engine, options.sliders, off, options.least_sightings)


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

    Returns the files that were saved.
    """
    saved = []
    for number, file in enumerate(files, 1):
        try:
            restored = restore_portrait(file, photos, engine, options)
        except InputError as error:
            yield PortraitSkipped(number, len(files), file, error.message)
            continue
        saved.append(restored.save(into / f"{file.stem}.png"))
        yield PortraitRestored(number, len(files), file, saved[-1], restored)
    return saved


def save_restored(pixels: np.ndarray, portrait: Path | None, out: Path) -> Path:
    """Write a restored portrait as PNG, with what its file said of itself before; returns `out`."""
    info = {}
    if portrait is not None and portrait.suffix.lower() == ".png":
        info = read_info(portrait)
    save_png(out, pixels, restored_entries(info, pixels))
    return out


def _moved(
    placement: Placement, to: tuple[float, float] | None, analysis: PhotoAnalysis
) -> Placement:
    """A mark where a person put it on the portrait; whatever hid it before, skin shows it."""
    if to is None:
        return placement
    point = np.array(to, np.float32)
    step = point - placement.to
    reason = find_obstacle(point, 1.0, False, analysis.face, analysis.paintable)
    return replace(
        placement,
        to=placement.to + step,
        polyline=placement.polyline + step,
        polyline_visible=np.ones_like(placement.polyline_visible),
        visible=reason is None,
        reason=reason,
    )
