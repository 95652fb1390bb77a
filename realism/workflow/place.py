"""Step 4: a person's marks placed on a portrait, and mixed in under the sliders.

`place_portrait` is slow: it finds the person on the portrait, and every mark's place and look
there. `blend_portrait` is fast, and done anew as often as a slider moves. A mark is named by its
key, whatever portrait it is put on: switched off, moved by hand, put back however seldom seen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.images import Photo, open_photo
from realism.marks.mark import Mark
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.obstacles import find_obstacle
from realism.marks.restore.placement import Placement
from realism.marks.restore.prepare import (
    METHODS,
    LayeredPortrait,
    build_layers,
    locate_marks,
    seldom_seen,
)
from realism.marks.restore.report import find_person_among, note_doubts
from realism.marks.switched import Switched, mark_id

MarkKey = tuple[str, str, float, float]  # photo, kind, x, y: names a mark while it stays there


def mark_key(photo: str, mark: Mark) -> MarkKey:
    """What names a mark of a photo for as long as it stays where it is."""
    return photo, mark.kind, round(float(mark.xy[0]), 1), round(float(mark.xy[1]), 1)


@dataclass(frozen=True, eq=False)
class PlacedPortrait:
    """A portrait with the photos' marks placed and measured on it, ready to blend.

    Attributes
    ----------
    file : Path or None
        The portrait's file; None where it was given as pixels.
    portrait : Photo
        Its picture.
    digest : str
        Of its pixels: portraits of several runs may have one name.
    face : Face
        The person's Face on it.
    skin : ndarray, (H, W) float32 0..1
    prepared : LayeredPortrait
        For `blend`.
    photos : tuple of MarkedPhoto
        Whose marks they are.
    notes : tuple of Message
        What makes it doubtful, each with what to do.
    """

    file: Path | None
    portrait: Photo
    digest: str
    face: Face
    skin: np.ndarray
    prepared: LayeredPortrait
    photos: tuple[MarkedPhoto, ...]
    notes: tuple[Message, ...] = ()

    @property
    def embeddings(self) -> tuple[np.ndarray, ...]:
        """(D,) float32, of each of the photos, in their order."""
        return tuple(photo.face.embedding for photo in self.photos)

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Every mark and where it goes, those that cannot be shown too."""
        return self.prepared.placements

    @property
    def keys(self) -> tuple[MarkKey, ...]:
        """The key of each placement."""
        return tuple(mark_key(placed.photo, placed.mark) for placed in self.placements)

    @property
    def ids(self) -> tuple[str, ...]:
        """What people call each placement by: `mark_id` of its best view."""
        return tuple(mark_id(placed.photo, placed.mark) for placed in self.placements)

    def indices(self, keys: Collection[MarkKey]) -> frozenset[int]:
        """The placements of these keys."""
        wanted = {tuple(key) for key in keys}
        return frozenset(index for index, key in enumerate(self.keys) if key in wanted)

    def indices_of_ids(self, ids: Collection[str]) -> frozenset[int]:
        """The placements of these ids; that of any photo that shows a mark is as good.

        Raises InputError for an id that no mark has.
        """
        found = set()
        for name in ids:
            places = {
                index
                for index, placed in enumerate(self.placements)
                if name in {mark_id(*seen) for seen in placed.appearances}
            }
            if not places:
                raise InputError("mark_not_found", id=name)
            found |= places
        return frozenset(found)

    def left_out(
        self, switched: Switched, least_sightings: int = LEAST_OBSERVATIONS
    ) -> frozenset[int]:
        """The placements to begin without: rare ones, but as the owner switched them."""
        states = [switched.state_of(placed.appearances) for placed in self.placements]
        rare = self.rare(least_sightings)
        return frozenset(
            index
            for index, state in enumerate(states)
            if state is False or (state is None and index in rare)
        )

    def rare(self, least_sightings: int = LEAST_OBSERVATIONS) -> frozenset[int]:
        """The placements to begin without: too few of the photos show them."""
        return frozenset(seldom_seen(self.placements, len(self.photos), least_sightings))


@dataclass(frozen=True)
class RestoreOptions:
    """How marks are restored.

    Attributes
    ----------
    method : str
        "ratio" (ours) | "paste" (the original entry's).
    placement : str
        "head" (ours) | "nearest3".
    sliders : Sliders
        Strengths and softness.
    least_sightings : int
        Photos that must show a mark; those with fewer are reported, not put back.
    off : collection of MarkKey
        Keys of marks that are switched off.
    on : collection of MarkKey
        Keys of marks that are put back however few photos show them.
    without : collection of str
        Ids of marks that are left out, as reports and passports name them.
    switched : Switched
        What the person's owner switched by hand; `off`, `on` and `without` go before it.
    moves : mapping of (str, *MarkKey) to (float, float) px
        Where marks were put by hand, by the portrait's digest and their key.
    """

    method: str = METHODS[0]
    placement: str = "head"
    sliders: Sliders = field(default_factory=Sliders)
    least_sightings: int = LEAST_OBSERVATIONS
    off: Collection[MarkKey] = ()
    on: Collection[MarkKey] = ()
    without: Collection[str] = ()
    switched: Switched = field(default_factory=Switched)
    moves: Mapping[tuple, tuple[float, float]] = field(default_factory=dict)


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
    face, faces = find_person_among(picture, embeddings, engine)
    notes = note_doubts(face, faces, embeddings, engine)
    analysis = PhotoAnalysis(picture.pixels, face)
    digest = sha256(picture.pixels.tobytes()).hexdigest()
    placements = [
        _moved(
            placement,
            options.moves.get((digest, *mark_key(placement.photo, placement.mark))),
            analysis,
        )
        for placement in locate_marks(analysis, list(photos), options.placement)
    ]
    prepared = build_layers(analysis, list(photos), placements, options.method)
    if not placements:
        notes.append(Message("no_marks_to_put_back"))
    marked, told = tuple(photos), tuple(notes)
    return PlacedPortrait(file, picture, digest, face, analysis.skin, prepared, marked, told)


def blend_portrait(
    placed: PlacedPortrait, sliders: Sliders | None = None, off: Collection[MarkKey] = ()
) -> np.ndarray:
    """The portrait with its marks under the sliders: the fast phase.

    Parameters
    ----------
    placed : PlacedPortrait
        Of `place_portrait`.
    sliders : Sliders, optional
        Strengths and softness.
    off : collection of MarkKey
        Marks that are switched off.

    Returns
    -------
    ndarray, (H, W, 3) uint8 sRGB
    """
    return blend(placed.prepared, sliders or Sliders(), placed.indices(off))


def _moved(
    placement: Placement, to: tuple[float, float] | None, analysis: PhotoAnalysis
) -> Placement:
    """A mark where a person put it on the portrait; whatever hid it before, skin shows it."""
    if to is None:
        return placement
    point = np.array(to, np.float32)
    step = point - placement.to
    reason = find_obstacle(point, 1.0, False, analysis.face, analysis.paintable, analysis.occluders)
    return replace(
        placement,
        to=placement.to + step,
        polyline=placement.polyline + step,
        polyline_visible=np.ones_like(placement.polyline_visible),
        visible=reason is None,
        reason=reason,
    )
