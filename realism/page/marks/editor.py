"""Marks drawn on faces, and clicks on them: between the marks tab and `realism.marks`.

A face is shown cut out and enlarged, so that a mole can be hit with a finger; `clicked_point`
takes a click back to the picture's own pixels.
"""

from collections.abc import Collection
from html import escape

import cv2
import numpy as np

from realism.draw.palette import KIND_COLOURS
from realism.faces.face import Face
from realism.marks.atlas import Atlas
from realism.marks.coverage import advise_next_photo
from realism.marks.mark import Mark, RoundMark, Wrinkle, make_mark
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import Placement, place_marks
from realism.page import draw
from realism.page.i18n import text, words
from realism.page.session import paragraph, sentence
from realism.workflow.place import MarkKey, PlacedPortrait, mark_key

SIDE = 900  # px, longer side of the enlarged face
REACH = 0.05  # of the face's width: how far from a mark a click may fall
NEW_RADIUS = 0.012  # of the face's width, about 1.7 mm: a mark added by a click
NEW_WRINKLE = 0.004  # half the width of a wrinkle, likewise
NEW_POINTS = 12  # of the polyline of a wrinkle added by two clicks


# Pictures and clicks --------------------------------------------------------------------------


def face_window(pixels: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray, float]:
    """The part of a picture that is shown.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The picture.
    face : Face
        In its px.

    Returns
    -------
    low, high : (2,) int, px
        Upper left corner, and lower right corner, which is not shown.
    scale : float
        px of the screen over px of the picture.
    """
    height, width = pixels.shape[:2]
    margin = np.array([0.18, 0.3]) * face.width
    low = np.clip(np.floor(face.box[:2] - margin), 0, [width - 2, height - 2]).astype(int)
    high = np.clip(np.ceil(face.box[2:] + margin), low + 2, [width, height]).astype(int)
    return low, high, SIDE / float((high - low).max())


def draw_marks(pixels: np.ndarray, face: Face, marks: list[Mark], on: list[bool]) -> np.ndarray:
    """The face enlarged with its marks drawn on.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The picture.
    face : Face
        In its px.
    marks : list of Mark
        In its px.
    on : list of bool
        For each mark, whether it is on.

    Returns
    -------
    (h, w, 3) uint8 sRGB
        The longer side SIDE.
    """
    (x0, y0), (x1, y1), scale = face_window(pixels, face)
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    enlarged = cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=interpolation)
    scaled = [mark.mapped(lambda points: (points - (x0, y0)) * scale, scale) for mark in marks]
    return draw.with_marks(enlarged, scaled, on)


def clicked_point(index: list[int], pixels: np.ndarray, face: Face) -> np.ndarray:
    """The picture's point under a click on `draw_marks`.

    Parameters
    ----------
    index : [x, y]
        Of the click, px of the screen.
    pixels, face
        As given to `draw_marks`.

    Returns
    -------
    (2,) float32, px of the picture
    """
    low, _, scale = face_window(pixels, face)
    return (np.array(index) / scale + low).astype(np.float32)


def nearest_mark(marks: list[Mark], point: np.ndarray, face: Face) -> int | None:
    """Index of the mark that a click means, None where none is near.

    Parameters
    ----------
    marks : list of Mark
        In px of the picture.
    point : (2,) float32, px
        Where was clicked.
    face : Face
        On the picture.
    """
    if not marks:
        return None
    distances = [
        np.hypot(*(np.concatenate([mark.xy[None], mark.points]) - point).T).min() for mark in marks
    ]
    best = int(np.argmin(distances))
    reach = max(REACH * face.width, 1.5 * marks[best].radius)
    return best if distances[best] <= reach else None


def new_mark(kind: str, point: np.ndarray, start: tuple | None, face: Face) -> Mark:
    """A mark where a person clicked; of a wrinkle, from the first click, `start`, to this one."""
    if kind != Wrinkle.kind or start is None:
        return RoundMark(kind, point, NEW_RADIUS * face.width)
    polyline = np.linspace(start, point, NEW_POINTS).astype(np.float32)
    return Wrinkle(polyline.mean(0), NEW_WRINKLE * face.width, polyline=polyline)


# Marks on the portrait ------------------------------------------------------------------------


def visible_placements(placed: PlacedPortrait) -> list[Placement]:
    """What can be seen on the portrait, switched on or off."""
    return [placement for placement in placed.placements if placement.visible]


def placed_mark(placement: Placement) -> Mark:
    """A mark where it is in the portrait, in its px."""
    scale = float(np.sqrt(abs(np.linalg.det(placement.matrix))))
    mark = placement.mark
    return make_mark(mark.kind, placement.to, mark.radius * scale, mark.score, placement.polyline)


def draw_placed(placed: PlacedPortrait, off: Collection[MarkKey]) -> np.ndarray:
    """The portrait's face enlarged with the visible marks drawn on; keys of those that are off."""
    visible, keys = visible_placements(placed), set(map(tuple, off))
    marks = [placed_mark(placement) for placement in visible]
    on = [mark_key(placement.photo, placement.mark) not in keys for placement in visible]
    return draw_marks(placed.portrait.pixels, placed.face, marks, on)


def grip_offset(placement: Placement, point: np.ndarray) -> tuple[float, float]:
    """From where a click takes hold of a mark to its middle: a wrinkle may be taken anywhere.

    Parameters
    ----------
    placement : Placement
        Of the mark.
    point : (2,) float32, px of the portrait
        Where was clicked.

    Returns
    -------
    (x, y), px of the portrait
    """
    if not len(placement.polyline):
        return 0.0, 0.0
    distances = np.hypot(*(placement.polyline - point).T)
    x, y = (placement.to - placement.polyline[distances.argmin()]).tolist()
    return x, y


def keys_of_mark(source: MarkedPhoto, mark: Mark, placed: PlacedPortrait) -> list[MarkKey]:
    """Keys to switch a mark of a photo: its own, and that of the placement it was merged into."""
    keys = [mark_key(source.name, mark)]
    visible = visible_placements(placed)
    if visible:
        to = place_marks([mark], source.name, source.face, placed.face, placed.skin)[0].to
        distances = [float(np.hypot(*(placement.to - to))) for placement in visible]
        nearest = visible[int(np.argmin(distances))]
        if min(distances) < REACH * placed.face.width:
            keys.append(mark_key(nearest.photo, nearest.mark))
    return keys


def toggle(off: Collection[MarkKey], keys: list[MarkKey]) -> list[MarkKey]:
    """The keys that are off after these were switched together: the first one's state decides."""
    rest = [key for key in off if key not in keys]
    return rest if keys[0] in off else [*rest, *keys]


# Tables ---------------------------------------------------------------------------------------


def marks_table(placed: PlacedPortrait, off: Collection[MarkKey], language: str) -> str:
    """All marks with where they came from and why some are not shown, folded away."""
    if not placed.placements:
        return paragraph(text(language, "marks.no_marks"), "note")
    rows, indices_off = [], placed.indices(off)
    for index, placement in enumerate(placed.placements):
        state = text(language, "marks.off" if index in indices_off else "marks.on")
        if placement.reason is not None:
            state = sentence(placement.reason, language)
        rows.append(
            f"<tr>{_kind_cell(placement.mark, language)}<td>{escape(state)}</td>"
            f"<td>{escape(placement.photo)}</td><td>{placement.photo_count}</td></tr>"
        )
    heads = "".join(f"<th>{escape(head)}</th>" for head in words(language)["marks.heads"])
    title = escape(text(language, "marks.list", count=len(placed.placements)))
    return (
        f"<details><summary>{title}</summary><div><table><tr>{heads}</tr>{''.join(rows)}"
        "</table></div></details>"
    )


def passport_table(atlas: Atlas, language: str) -> str:
    """What the passport says: every mark with its sightings, mirrored photos, the next photo."""
    rows = []
    for entry in atlas.entries:
        seen = text(language, "marks.seen_in", seen=len(entry.seen_in), of=entry.visible_in)
        state = text(language, "marks.on" if entry.on else "marks.once")
        rows.append(
            f"<tr>{_kind_cell(entry.mark, language)}<td>{entry.radius_mm:.1f} mm</td>"
            f"<td>{escape(seen)}</td><td>{escape(state)}</td></tr>"
        )
    sentences = [text(language, "marks.mirrored", photo=name) for name in atlas.mirrored]
    sentences.append(advise_next_photo(atlas.coverage).text(language))
    return f"{''.join(map(paragraph, sentences))}<div><table>{''.join(rows)}</table></div>"


def _kind_cell(mark: Mark, language: str) -> str:
    kind = escape(words(language)["marks.kinds"][mark.kind])
    return f'<td><i style="background:rgb{KIND_COLOURS[mark.kind]}"></i>{kind}</td>'
