"""Marks drawn on faces, and clicks on them: between the marks tab and `marks/`.

A face is shown cut out and enlarged, so that a mole can be hit with a finger; `picture_point`
takes a click back to the picture's own pixels.
"""

from dataclasses import replace
from html import escape

import cv2
import numpy as np

from realism.draw.palette import KIND_COLOURS
from realism.faces.face import Face
from realism.marks.atlas import Atlas
from realism.marks.coverage import advise_next_photo
from realism.marks.mark import Mark, RoundMark, Wrinkle, make_mark
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import Placement, find_obstacle, place_marks
from realism.page import draw as drawn
from realism.page.i18n import text, words

SIDE = 900  # px, longer side of the enlarged face
CLOSE = 0.05  # of the face's width: how far from a mark a click may fall
NEW_RADIUS = 0.012  # of the face's width, about 1.7 mm: a mark added by a click
NEW_WRINKLE = 0.004  # half the width of a wrinkle, likewise


def key_of(photo: str, mark: Mark) -> tuple:
    """What names a mark for as long as it stays where it is."""
    return photo, mark.kind, round(float(mark.xy[0]), 1), round(float(mark.xy[1]), 1)


def frame(pixels: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray, float]:
    """Upper left and lower right corner of the part shown, px, and its enlargement."""
    height, width = pixels.shape[:2]
    room = np.array([0.18, 0.3]) * face.width
    low = np.clip(np.floor(face.box[:2] - room), 0, [width - 2, height - 2]).astype(int)
    high = np.clip(np.ceil(face.box[2:] + room), low + 2, [width, height]).astype(int)
    return low, high, SIDE / float((high - low).max())


def picture(pixels: np.ndarray, face: Face, marks: list[Mark], on: list[bool]) -> np.ndarray:
    """The face enlarged with its marks drawn on, (h, w, 3) uint8."""
    (x0, y0), (x1, y1), scale = frame(pixels, face)
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=how)
    moved = [mark.mapped(lambda points: (points - (x0, y0)) * scale, scale) for mark in marks]
    return drawn.with_marks(shown, moved, on)


def picture_point(index: list[int], pixels: np.ndarray, face: Face) -> np.ndarray:
    """The picture's pixel (2,) float32 under a click on `picture`."""
    low, _, scale = frame(pixels, face)
    return (np.array(index) / scale + low).astype(np.float32)


def nearest(marks: list[Mark], point: np.ndarray, face: Face) -> Mark | None:
    """The mark that a click at `point` means, None where none is near."""
    if not marks:
        return None
    away = [
        np.hypot(*(np.concatenate([mark.xy[None], mark.points]) - point).T).min() for mark in marks
    ]
    best = int(np.argmin(away))
    reach = max(CLOSE * face.width, 1.5 * marks[best].radius)
    return marks[best] if away[best] <= reach else None


def new_mark(kind: str, point: np.ndarray, begun: tuple | None, face: Face) -> Mark:
    """A mark where a person clicked; of a wrinkle, from the first click to this one."""
    if kind != Wrinkle.kind:
        return RoundMark(kind, point, NEW_RADIUS * face.width)
    course = np.linspace(begun, point, 12).astype(np.float32)
    return Wrinkle(course.mean(0), NEW_WRINKLE * face.width, polyline=course)


def moved(
    one: Placement, to: tuple[float, float] | None, face: Face, skin: np.ndarray
) -> Placement:
    """A mark where a person put it on the portrait; whatever hid it before, skin shows it.

    skin    (H, W) 0..1, where marks may be put
    """
    if to is None:
        return one
    step = np.float32(to) - one.to
    reason = find_obstacle(np.float32(to), 1.0, False, face, skin)
    return replace(
        one, to=one.to + step, polyline=one.polyline + step, visible=reason is None, reason=reason,
        polyline_visible=np.ones_like(one.polyline_visible),
    )  # fmt: skip


def grabbed(one: Placement, point: np.ndarray) -> tuple[float, float]:
    """From where a click took hold of a mark to its middle, px: a line may be taken anywhere."""
    if not len(one.polyline):
        return 0.0, 0.0
    held = one.polyline[np.hypot(*(one.polyline - point).T).argmin()]
    return tuple((one.to - held).tolist())


def laid_marks(
    placements: tuple[Placement, ...], off: frozenset[int]
) -> tuple[list[Mark], list[bool]]:
    """The visible marks where they are in the portrait, and which are on."""
    seen = [(index, one) for index, one in enumerate(placements) if one.visible]
    marks = [
        make_mark(
            one.mark.kind,
            one.to,
            one.mark.radius * float(np.sqrt(abs(np.linalg.det(one.matrix)))),
            one.mark.score,
            one.polyline,
        )
        for _, one in seen
    ]
    return marks, [index not in off for index, _ in seen]


def switched(off: list[tuple], source: MarkedPhoto, mark: Mark, laid) -> list[tuple]:
    """A mark of a photo switched off or on, with the placement that came of its sightings."""
    keys = [key_of(source.name, mark)]
    spot = place_marks([mark], source.name, source.face, laid.face, laid.skin)[0]
    seen = [one for one in laid.prepared.placements if one.visible]
    if seen:
        best = min(seen, key=lambda one: float(np.hypot(*(one.to - spot.to))))
        if np.hypot(*(best.to - spot.to)) < CLOSE * laid.face.width:
            keys.append(key_of(best.photo, best.mark))
    return toggled(off, keys)


def toggled(off: list[tuple], keys: list[tuple]) -> list[tuple]:
    """The keys switched together: the first one's state decides."""
    rest = [tuple(key) for key in off if tuple(key) not in keys]
    return rest if keys[0] in map(tuple, off) else [*rest, *keys]


def table(placements: tuple[Placement, ...], off: frozenset[int], language: str) -> str:
    """All marks with where they came from and why some are not shown, folded away."""
    if not placements:
        return f'<p class="note">{escape(text(language, "marks.no_marks"))}</p>'
    kinds = words(language)["marks.kinds"]
    rows = []
    for index, one in enumerate(placements):
        state = text(language, "marks.off" if index in off else "marks.on")
        if not one.visible:
            state = one.reason.text(language)
        rows.append(
            f'<tr><td><i style="background:rgb{KIND_COLOURS[one.mark.kind]}"></i>'
            f"{escape(kinds[one.mark.kind])}</td><td>{escape(state)}</td>"
            f"<td>{escape(one.photo)}</td><td>{one.photo_count}</td></tr>"
        )
    heads = "".join(f"<th>{escape(head)}</th>" for head in words(language)["marks.heads"])
    title = escape(text(language, "marks.list", count=len(placements)))
    return (
        f"<details><summary>{title}</summary><div><table><tr>{heads}</tr>{''.join(rows)}"
        "</table></div></details>"
    )


def passport(atlas: Atlas, language: str) -> str:
    """What the passport says: every mark with its sightings, mirrored photos, the next photo."""
    kinds = words(language)["marks.kinds"]
    rows = []
    for entry in atlas.entries:
        seen = text(language, "marks.seen_in", seen=len(entry.seen_in), of=entry.visible_in)
        state = text(language, "marks.on" if entry.on else "marks.once")
        rows.append(
            f'<tr><td><i style="background:rgb{KIND_COLOURS[entry.mark.kind]}"></i>'
            f"{escape(kinds[entry.mark.kind])}</td><td>{entry.radius_mm:.1f} mm</td>"
            f"<td>{escape(seen)}</td><td>{escape(state)}</td></tr>"
        )
    said = [text(language, "marks.mirrored", photo=name) for name in atlas.mirrored]
    said.append(advise_next_photo(atlas.coverage).text(language))
    lines = "".join(f"<p>{escape(one)}</p>" for one in said)
    return f"{lines}<div><table>{''.join(rows)}</table></div>"
