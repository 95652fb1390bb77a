"""Paint marks on faces without any: what the default finder of marks learns from.

Pigment and blood multiply linear light. A mole has much melanin and a clear edge, a spot little
and a soft one; a pimple is blood with a flush and relief; wrinkles are folds (`folds.py`). Skin
has its own unevenness, and much looks like a mark and is none: freckle fields, blotches, bumps,
pores, glints, make-up, shadow edges, and all of `cover.py`. At last comes a camera: blur, lost
resolution, sharpening, noise, JPEG. What ends up too faint beside the grain of its own
surroundings, or is half hidden, is not demanded of a finder: it is `unsure`.

    python -m training.finder.paint --faces work/finder --out sheet.png       a look at samples
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from realism.faces.features import BROWS, EYES, LIPS, NOSTRILS
from realism.faces.skin import LEAST_SKIN
from realism.images import DARKEST, to_linear, to_srgb
from realism.marks.find.crop import SPAN
from realism.marks.mark import Mark, RoundMark, Wrinkle, mark_from_json
from training.finder.cover import layers, stubble
from training.finder.folds import drawn_courses, face_courses, fold, stray_courses
from training.finder.texture import blur, curve, draw, noise, patches, streaks

DARK = np.ones(3, np.float32)
# Least depth of a mark in log units, and over the deviation of the grain around it.
LEAST_DIP, LEAST_DIP_OVER_GRAIN = 0.11, 3.4
LEAST_FOLD, LEAST_FOLD_OVER_GRAIN = 0.055, 1.8
PAIRED = 0.35  # share of the samples on faces with marks of their own, where there are some
BESIDE_A_FEATURE = 0.25  # share of the samples whose marks all lie there
BESIDE = 0.09  # of the face's width
FEATURES = (*EYES, *EYES, *BROWS, LIPS, *NOSTRILS)  # eyes twice: their corners are darkest
LARGEST = {"mole": 5.5, "spot": 11.0, "acne": 8.0}  # radius in px of a usual face; 4 px are 1 mm
LARGE_MOLE, LARGE = 10.0, 0.2  # the largest radius of some, and their share of the moles
SOFT = 0.25  # share of the moles whose edge is as soft as a spot's
SHOWS_AS_MOLE = 0.33  # log units of linear light in the middle


@dataclass(frozen=True, eq=False)
class Manner:
    """How one painter paints; checkpoints are chosen on another's work than they learn from.

    melanin, blood    (3,) what a unit takes from the log of linear light, R G B
    grains            size in px and weight of the layers of the skin's unevenness
    edge              "logistic" | "gaussian": how pigment fades at a mark's rim
    """

    melanin: np.ndarray
    blood: np.ndarray
    grains: tuple[tuple[float, float], ...]
    edge: str


TRAINING = Manner(
    np.float32([0.42, 0.72, 0.98]),
    np.float32([0.10, 0.86, 0.66]),
    ((1.3, 0.8), (2.2, 0.8), (4, 0.7), (8, 0.6), (16, 0.6), (50, 1.2)),
    "logistic",
)
HELD_OUT = Manner(
    np.float32([0.50, 0.75, 0.95]),
    np.float32([0.14, 0.80, 0.70]),
    ((1.7, 1.0), (3, 0.6), (6, 0.9), (11, 0.5), (24, 0.9)),
    "gaussian",
)


@dataclass(frozen=True, eq=False)
class Painted:
    """A painted picture and what is to be found on it.

    pixels    (h, w, 3) uint8 sRGB
    skin      (h, w) float32 0..1
    mesh      (468, 3) px, as `Face.mesh`
    marks     what a finder must find
    unsure    what it may find or not
    """

    pixels: np.ndarray
    skin: np.ndarray
    mesh: np.ndarray
    marks: list[Mark]
    unsure: list[Mark]


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces as `crops.py` prepared them, and the courses of drawn wrinkles.

    bare     without marks
    pairs    with marks of their own, and without
    """

    bare: list[dict[str, np.ndarray]]
    pairs: list[dict[str, np.ndarray]]
    courses: list


def load_faces(folder: Path, held_out: bool = False) -> Faces:
    """All prepared faces, of the people that are held out or of the others."""
    files = sorted((folder / ("held-out" if held_out else "faces")).glob("*.npz"))
    courses = json.loads((folder / "courses.json").read_text())
    crops = [dict(np.load(file)) for file in files]
    pairs = [crop for crop in crops if "marked" in crop]
    return Faces([crop for crop in crops if "marked" not in crop], pairs, courses)


def paint(
    rng: np.random.Generator, faces: Faces, manner: Manner = TRAINING, side: int | None = 256
) -> Painted:
    """One painted picture.

    side    px of a square cut from a face, turned, mirrored and scaled at random; None: a whole
            face at the finder's size, as it stands
    """
    u = rng.uniform
    crops = faces.pairs if rng.random() < PAIRED and faces.pairs else faces.bare or faces.pairs
    crop = crops[rng.integers(len(crops))]
    pixels, skin, places, mesh, scale, matrix = _cut(rng, crop, side)
    shape = skin.shape
    light = np.maximum(to_linear(pixels), DARKEST)
    dips, round_marks, courses = _given(crop, light, matrix)
    light = light * np.exp(rng.normal(0, 0.1, 3) + rng.normal(0, 0.22)).astype(np.float32)
    if rng.random() < 0.3:
        grey = light.mean(2, keepdims=True)
        light = np.maximum(grey + (light - grey) * np.float32(u(0.6, 1.5)), 0.001)
    if rng.random() < 0.3:  # gloss
        shine = patches(rng, shape, 70, u(0.05, 0.3)) * u(0.02, 0.35)
        light = light + (shine * np.clip(0.6 + 0.5 * noise(rng, shape, 2.5), 0, 3))[..., None]
    flat = mesh[:, :2]
    own, unsure = _skin_of_its_own(rng, shape, manner)
    lamp = u(0, 2 * np.pi)
    if not round_marks or rng.random() < 0.5:
        painted, added = _round_marks(rng, places, scale, manner, lamp, round_marks)
        dips, round_marks = dips + painted, round_marks + added
    own += _look_alikes(rng, shape, manner, round_marks, flat)
    folds, painted_courses = _folds(rng, skin, flat, faces.courses, lamp)
    courses = courses + painted_courses
    # Light that enters a fold comes out redder.
    change = dips + folds[..., None] * np.float32([0.85, 1, 1.1])
    clean = light * np.exp(own)
    full = clean * np.exp(change)
    tone = np.median(light[::8, ::8].reshape(-1, 3), 0)
    hidden, rough = np.zeros(shape, np.float32), np.zeros(shape, bool)

    def over(cover: np.ndarray, colour: np.ndarray) -> None:
        rows, columns = (np.flatnonzero(cover.any(axis)) for axis in (1, 0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        opaque = cover[part][..., None]
        own = colour[part] if colour.ndim == 3 else colour
        for image in (clean, full):
            image[part] += (own - image[part]) * opaque
        hidden[part] = np.maximum(hidden[part], cover[part])

    if rng.random() < 0.28:
        hairs, colour = stubble(rng, skin, tone)
        rough = blur(hairs, 8) > 0.12
        over(hairs, colour)
    for cover, colour in layers(rng, flat, skin, tone):
        over(cover, colour)

    softness = u(0.3, 1.5) if rng.random() < 0.75 else u(0, 0.4)
    before, after = (np.log(np.maximum(i[..., :2].mean(2), 1e-4)) for i in (clean, full))
    depth = blur((before - after).astype(np.float32), softness)
    fine = blur(before.astype(np.float32), 1.6) - blur(before.astype(np.float32), 5)
    grain = np.sqrt(cv2.blur(fine * fine, (47, 47))) + 0.008
    marks = []
    for mark in round_marks:
        sure = _sure(mark, depth, grain, hidden, rough)
        if sure is not None:
            (marks if sure else unsure).append(_as_it_shows(mark, depth))
    for course, width in courses:
        sure, faint = _runs(course, width, depth, grain, hidden)
        marks += sure
        unsure += faint
    return Painted(_camera(rng, full, softness), skin, mesh, marks, unsure)


def _cut(rng, crop, side):
    """Pixels, skin, `_places`, mesh of a part of a face, px there over px of a usual face, the
    map (2, 3)."""
    mesh, span, places = crop["mesh"][:, :2], float(crop["span"]), _places(rng, crop)
    if side is None:
        zoom = SPAN / span
        low = np.maximum(mesh.min(0) - span * np.array([0.1, 0.27]), 0)
        high = np.minimum(mesh.max(0) + span * 0.1, crop["skin"].shape[::-1])
        matrix = np.float32([[zoom, 0, -zoom * low[0]], [0, zoom, -zoom * low[1]]])
        size = tuple(int(zoom * s) for s in high - low)
    else:
        zoom = SPAN / span * rng.uniform(0.76, 1.3)
        turn, flip = np.radians(rng.normal(0, 14)), rng.choice([-1, 1])
        matrix = np.zeros((2, 3), np.float32)
        matrix[:, :2] = zoom * np.array(
            [[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]]
        )
        rows, columns = np.nonzero(places)
        if rng.random() < 0.82 and len(rows):
            index = rng.integers(len(rows))
            centre = np.array([columns[index], rows[index]])
        else:
            centre = rng.uniform(0, crop["skin"].shape[::-1])
        matrix[:, 2] = side / 2 - matrix[:, :2] @ centre + rng.uniform(-70, 70, 2)
        size = (side, side)
    pixels = cv2.warpAffine(
        crop["pixels"], matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    skin = cv2.warpAffine(crop["skin"], matrix, size).astype(np.float32) / 255
    places = cv2.warpAffine(places.astype(np.uint8), matrix, size) > 0
    mesh = np.column_stack([mesh @ matrix[:, :2].T + matrix[:, 2], crop["mesh"][:, 2] * zoom])
    return pixels, skin, places, mesh.astype(np.float32), zoom * span / SPAN, matrix


def _places(rng, crop) -> np.ndarray:
    """Where marks may lie, (h, w) bool: on the skin, or all of them beside one feature of the face.

    Skin there is little, so that marks chosen evenly are hardly ever on it; and dark as the corners
    of eyes are, a network that sees none there takes every mole for shade.
    """
    if rng.random() >= BESIDE_A_FEATURE:
        return crop["skin"] > 216
    outline = FEATURES[rng.integers(len(FEATURES))]
    hull = cv2.convexHull(np.round(crop["mesh"][outline, :2]).astype(np.int32))
    away = cv2.fillConvexPoly(np.ones(crop["skin"].shape, np.uint8), hull, 0)
    near = cv2.distanceTransform(away, cv2.DIST_L2, 3) < BESIDE * crop["span"]
    return (crop["wide"] > 216) & near


def _given(crop, light, matrix):
    """The marks that a render has itself: change of log light (h, w, 3), Marks, courses of folds.

    light    (h, w, 3) linear, of the same without them;  matrix    (2, 3), crop to sample
    """
    change = np.zeros(light.shape, np.float32)
    if "marked" not in crop:
        return change, [], []
    size = light.shape[1::-1]
    marked = cv2.warpAffine(
        crop["marked"], matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    change = np.log(np.maximum(to_linear(marked), DARKEST) / light)
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    found, courses = [], []
    for mark in (mark_from_json(value) for value in json.loads(str(crop["marks"]))):
        xy = matrix[:, :2] @ mark.xy + matrix[:, 2]
        if isinstance(mark, Wrinkle):
            line = mark.polyline @ matrix[:, :2].T + matrix[:, 2]
            if not ((line > 0) & (line < size)).all(1).any():
                continue
            at = np.linspace(0, len(line) - 1, 6 * len(line))
            fine = [np.interp(at, np.arange(len(line)), line[:, i]) for i in (0, 1)]
            courses.append((np.stack(fine, 1).astype(np.float32), mark.half_width * zoom))
        elif ((xy > 0) & (xy < size)).all():
            found.append(RoundMark(mark.kind, xy.astype(np.float32), mark.radius * zoom))
    return change, found, courses


def _skin_of_its_own(rng, shape, manner):
    """Unevenness of skin in log light (h, w, 3), and broad folds that may count as wrinkles."""
    u, unsure = rng.uniform, []
    amount = 0.02 + 0.055 * u(0, 1) ** 1.3
    grey = sum(rng.normal(1, 0.3) * amount * w * noise(rng, shape, c) for c, w in manner.grains)
    if rng.random() < 0.25:  # fine crossing lines
        grey = grey + streaks(rng, shape, u(0, np.pi), u(8, 25), u(0, 6)) * u(0.01, 0.04)
    red = abs(rng.normal(0, 0.035)) * noise(rng, shape, 7)
    red += abs(rng.normal(0, 0.06)) * noise(rng, shape, 22)
    brown = abs(rng.normal(0, 0.03)) * noise(rng, shape, 9)
    brown += abs(rng.normal(0, 0.05)) * noise(rng, shape, 30)
    if rng.random() < 0.4:  # pores
        dots = (rng.random(shape, dtype=np.float32) < u(0.003, 0.02)).astype(np.float32)
        size = u(0.7, 1.3)
        pores = blur(dots * rng.random(shape, dtype=np.float32), size) * 6.28 * size**2
        pores = pores * u(0.05, 0.3) * patches(rng, shape, 60, u(0.2, 0.8))
        if rng.random() < 0.6:
            grey = grey - pores
        else:
            brown += pores
        if rng.random() < 0.5:
            grey = grey + np.roll(pores, (-2, -1), (0, 1)) * u(0.1, 0.8)
    for _ in range(rng.poisson(1.2)):  # soft folds and shade
        line = np.zeros(shape, np.float32)
        start = rng.uniform(-20, np.array(shape[::-1]) + 20)
        course = curve(rng, start, u(0, 2 * np.pi), int(u(6, 25)), 8, 0.06)
        draw(line, course, 1)
        width = u(3.5, 16)
        grey = grey - blur(line, width) * width * 2.5 * u(-0.12, 0.3)
        if width < 9:
            unsure.append(_wrinkle(course, 3.5))
    if rng.random() < 0.35:  # the edge of a shadow
        rows, columns = np.indices(shape, np.float32)
        side = u(0, 2 * np.pi)
        into = (columns - shape[1] / 2) * np.cos(side) + (rows - shape[0] / 2) * np.sin(side)
        into = into + noise(rng, shape, 70) * u(0, 25) + u(-80, 80)
        grey = grey + np.log(u(0.25, 0.85)) / (1 + np.exp(np.clip(-into / u(0.8, 25), -30, 30)))
    own = grey[..., None] - red[..., None] * manner.blood - brown[..., None] * manner.melanin
    return own.astype(np.float32), unsure


def _wrinkle(course: np.ndarray, half_width: float) -> Wrinkle:
    line = np.asarray(course, np.float32)
    return Wrinkle(line[len(line) // 2], half_width, polyline=line)


def _disc(rng, x, y, radius, ragged, soft, edge):
    """How full of pigment each pixel is, 0..1, of an irregular spot round the origin."""
    turn, long = rng.uniform(0, np.pi), rng.uniform(1, 1.3)
    if rng.random() < 0.4:
        long = rng.uniform(1.3, 2.2)
    across = (x * np.cos(turn) + y * np.sin(turn)) * np.sqrt(long)
    along = (y * np.cos(turn) - x * np.sin(turn)) / np.sqrt(long)
    away, angle = np.hypot(across, along), np.arctan2(along, across)
    waves = (
        rng.normal(0, ragged / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    away = away * (1 + sum(waves)) / radius
    if edge == "gaussian":
        past = np.maximum(away - 1 + soft, 0) / (1.2 * soft)
        return np.exp(-(past**2)), away
    return 1 / (1 + np.exp(np.clip((away - 1) / soft, -30, 30))), away


def _round_marks(rng, places, scale, manner, lamp, there):
    """Moles, spots and pimples on the skin: their change of log light (h, w, 3), and Marks.

    places    (h, w) bool;  there    Marks to be kept clear of
    """
    u, marks = rng.uniform, []
    change = np.zeros((*places.shape, 3), np.float32)
    rows, columns = np.nonzero(places[6:-6, 6:-6])
    if len(rows) < 200 or rng.random() < 0.15:
        return change, marks
    # One mark in about 12,000 px of skin; few faces have many.
    usual = 4 * max(1.0, places.size / 65536 * 0.4)
    for _ in range(min(1 + rng.poisson(usual), 40)):
        index = rng.integers(len(rows))
        centre = np.array([columns[index], rows[index]]) + 6 + rng.random(2) - 0.5
        kind = ("mole", "spot", "acne")[rng.choice(3, p=[0.38, 0.34, 0.28])]
        largest = LARGE_MOLE if kind == "mole" and rng.random() < LARGE else LARGEST[kind]
        radius = float(np.exp(u(np.log(1.5), np.log(largest))) * scale)
        if any(np.hypot(*(centre - m.xy)) < radius + m.radius + 5 for m in marks + there):
            continue
        reach = int(radius * 2.8 + 8)
        x0, y0 = np.maximum(centre.astype(int) - reach, 0)
        x1, y1 = np.minimum(centre.astype(int) + reach, places.shape[::-1])
        ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        x, y, part = xs - centre[0], ys - centre[1], np.s_[y0:y1, x0:x1]
        ragged = {"mole": 0.06, "spot": 0.16, "acne": 0.1}[kind] * np.exp(u(-0.6, 1.0))
        edge = "spot" if kind == "mole" and rng.random() < SOFT else kind
        soft = u(*{"mole": (0.08, 0.22), "spot": (0.12, 0.35), "acne": (0.2, 0.4)}[edge])
        cover, away = _disc(rng, x, y, radius, ragged, soft, manner.edge)
        for _ in range(rng.integers(1, 3) if rng.random() < 0.3 else 0):  # lobes
            way, off, size = u(0, 2 * np.pi), radius * u(0.6, 1.3), radius * u(0.35, 0.85)
            lobe, _ = _disc(
                rng, x - off * np.cos(way), y - off * np.sin(way), size, ragged, soft, manner.edge
            )
            cover = np.maximum(cover, u(0.5, 1) * lobe)
        if rng.random() < 0.4:  # uneven inside
            inside = noise(rng, cover.shape, u(2.5, 5))
            cover = cover * np.clip(1 + u(0.1, 0.45) * inside, 0.1, 2)
        if kind == "mole":
            density = np.exp(u(np.log(0.7), np.log(2.8)))
            pigment = manner.melanin * u(0.8, 1.1) + DARK * u(0, 0.35) + manner.blood * u(0, 0.35)
        elif kind == "spot":
            density = np.exp(u(np.log(0.15), np.log(0.9)))
            pigment = manner.melanin + manner.blood * u(0, 0.45)
        else:
            density = np.exp(u(np.log(0.15), np.log(1.0)))
            flush = np.exp(-((away / u(1.6, 2.3)) ** 2)) * u(0, 0.4)
            cover = np.clip(cover + flush, 0, 1.3)
            pigment = manner.blood + DARK * u(0, 0.2) + manner.melanin * u(0, 0.35)
        dip = cover[..., None] * pigment * density
        if kind != "spot" and rng.random() < (0.3 if kind == "mole" else 0.5):  # relief
            way = lamp + rng.normal(0, 0.5)
            toward, off = np.array([np.cos(way), np.sin(way)]), radius * u(0.2, 0.5)
            lit = np.hypot(x - off * toward[0], y - off * toward[1]) / (radius * u(0.2, 0.45))
            shade = np.hypot(x + radius * toward[0], y + radius * toward[1]) / (0.7 * radius)
            relief = np.exp(-(shade**2)) * u(0, 0.25) - np.exp(-(lit**2)) * u(0.1, 0.6)
            dip = dip + relief[..., None] * density
        change[part] -= dip.astype(np.float32)
        marks.append(RoundMark(kind, centre.astype(np.float32), radius))
    return change, marks


def _look_alikes(rng, shape, manner, marks, mesh):
    """What is near to a mark and is none, as a change of log light (h, w, 3)."""
    u, change = rng.uniform, np.zeros((*shape, 3), np.float32)
    area = shape[0] * shape[1] / 65536
    for _ in range(rng.poisson(1.7 * area)):
        centre = rng.uniform(0, shape[::-1])
        if any(np.hypot(*(centre - m.xy)) < m.radius + 14 for m in marks):
            continue
        what = rng.integers(5)
        reach = 90 if what in (1, 2) else 22
        x0, y0 = np.maximum(centre.astype(int) - reach, 0)
        ys, xs = np.mgrid[y0 : centre[1] + reach, x0 : centre[0] + reach].astype(np.float32)
        part = change[y0 : y0 + ys.shape[0], x0 : x0 + ys.shape[1]]
        ys, xs = (grid[: part.shape[0], : part.shape[1]] for grid in (ys, xs))
        x, y = xs - centre[0], ys - centre[1]
        if what == 0:  # a bright bump or a glint
            bump = np.exp(-(x**2 + y**2) / (2 * u(1.2, 4) ** 2)) * u(0.15, 0.8)
            part += bump[..., None]
        elif what == 1:  # a faint blotch, far larger than a mark
            blotch = np.exp(-(x**2 + y**2) / (2 * u(11, 30) ** 2)) * u(0.1, 0.6)
            part -= blotch[..., None] * (manner.blood if rng.random() < 0.6 else manner.melanin)
        elif what == 2:  # drawn out: a scratch, a short crease
            turn, width = u(0, np.pi), u(1, 3)
            along, across = (
                x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
            )  # fmt: skip
            dash = np.exp(-0.5 * (along / (width * u(4, 9))) ** 2 - 0.5 * (across / width) ** 2)
            part -= (dash * u(0.15, 1))[..., None]
        elif what == 3:  # a bump lit from one side: half bright, half dark
            turn, width = u(0, 2 * np.pi), u(1.5, 5)
            slope = (x * np.cos(turn) + y * np.sin(turn)) / width
            bump = slope * np.exp(-(x**2 + y**2) / (2 * width**2)) * u(0.05, 0.35)
            part += bump[..., None]
        else:  # a pale scar or a pale spot with a darker rim
            away, size = np.hypot(x, y), u(2, 6)
            pale = np.exp(-((away / size) ** 2)) - u(0, 0.5) * np.exp(-((away / size - 1.6) ** 2))
            part += (pale * u(0.08, 0.4))[..., None]
    if rng.random() < 0.12:  # a field of freckles too faint and dense to count
        dots = (rng.random(shape, dtype=np.float32) < u(0.0005, 0.003)).astype(np.float32)
        size = u(1.2, 2.6)
        field = blur(dots * rng.random(shape, dtype=np.float32), size) * 6.28 * size**2
        field = np.clip(field, 0, 1.5) * u(0.05, 0.22) * patches(rng, shape, 90, u(0.3, 0.9))
        change -= field[..., None] * manner.melanin
    if rng.random() < 0.15:  # make-up: shadow on a lid, blush on a cheek
        rows, columns = np.indices(shape, np.float32)
        point = mesh[[159, 386, 50, 280][rng.integers(4)]] + rng.normal(0, 8, 2)
        away = np.hypot((columns - point[0]) / u(20, 60), (rows - point[1]) / u(12, 40))
        powder = np.clip(np.exp(-(away**2)) * (1 + u(0, 0.3) * noise(rng, shape, 2)), 0, 2)
        change -= powder[..., None] * rng.uniform(-0.1, 0.7, 3).astype(np.float32) * u(0.2, 1)
    return change


def _folds(rng, skin, mesh, drawn, lamp):
    """Wrinkles: change of log light (h, w), and their courses with half widths."""
    change, found = np.zeros(skin.shape, np.float32), []
    if rng.random() > 0.72:
        return change, found
    way = rng.random()
    if way < 0.3:
        courses = drawn_courses(rng, mesh, drawn)
    elif way < 0.88:
        courses = face_courses(rng, mesh)
    else:
        courses = stray_courses(rng, skin.shape)
    depth = np.exp(rng.uniform(np.log(0.13), np.log(0.9)))
    width = np.exp(rng.uniform(np.log(0.9), np.log(3.2)))
    bounds = np.array(skin.shape[::-1])
    kept = [c for c in courses if len(c[0]) >= 3 and ((c[0] > 0) & (c[0] < bounds)).all(1).any()]
    for course, strength in kept[:30]:
        at = np.clip(course.astype(int), 0, bounds - 1)
        if (skin[at[:, 1], at[:, 0]] > LEAST_SKIN).mean() < 0.35:
            continue
        own_width = float(np.clip(width * strength * np.exp(rng.normal(0, 0.25)), 0.7, 5))
        own_depth = depth * np.exp(rng.normal(0, 0.4))
        window, bend = fold(rng, skin.shape, course, own_depth, own_width, lamp)
        change[window] += bend
        found.append((course.astype(np.float32), own_width))
    return change, found


def _as_it_shows(mark, depth):
    """A mole that shows no darker than a freckle is named one: nobody could tell them apart."""
    if mark.kind != "mole":
        return mark
    column, row = np.clip(mark.xy.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    return replace(mark, kind="spot") if depth[row, column] < SHOWS_AS_MOLE else mark


def _sure(mark, depth, grain, hidden, rough) -> bool | None:
    """Whether a round mark must be found; None where it is covered."""
    column, row = np.clip(mark.xy.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    reach = max(1, int(mark.radius * 0.6))
    part = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    cover, dip = hidden[part].mean(), depth[part].mean()
    if cover > 0.5:
        return None
    over_grain = dip / grain[row, column]
    enough = LEAST_DIP_OVER_GRAIN * (1.4 if rough[row, column] else 1)
    return bool(cover < 0.15 and dip > LEAST_DIP and over_grain > enough)


def _runs(course, width, depth, grain, hidden) -> tuple[list[Mark], list[Mark]]:
    """The stretches of a fold that must be found, and those that may; covered ones are left out."""
    at = np.clip(course.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    dip = _smooth(depth[at[:, 1], at[:, 0]])
    over_grain = _smooth(depth[at[:, 1], at[:, 0]] / grain[at[:, 1], at[:, 0]])
    sure = (dip > LEAST_FOLD) & (over_grain > LEAST_FOLD_OVER_GRAIN)
    state = np.where(hidden[at[:, 1], at[:, 0]] > 0.4, -1, sure.astype(int))[:-1]
    runs = {1: [], 0: [], -1: []}
    for steps in np.split(np.arange(len(state)), np.flatnonzero(np.diff(state)) + 1):
        runs[state[steps[0]]].append(_wrinkle(course[steps[0] : steps[-1] + 2], width))
    return runs[1], runs[0]


def _smooth(values: np.ndarray) -> np.ndarray:
    return np.convolve(np.pad(values, 1, "edge"), np.ones(3) / 3, "valid")


def _camera(rng, light, softness) -> np.ndarray:
    """What a camera and a file make of linear light: (h, w, 3) uint8 sRGB."""
    u = rng.uniform
    # A shoulder instead of a hard clip.
    light = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    picture = to_srgb(blur(light.astype(np.float32), softness)) / 255
    shape = picture.shape[:2]
    if rng.random() < 0.5:  # a small face, brought to the finder's size
        part = u(0.3, 0.9)
        small = cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        way = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
        picture = cv2.resize(small, shape[::-1], interpolation=way)
    if rng.random() < 0.35:
        picture = picture + u(0.3, 1.2) * (picture - blur(picture, u(0.8, 2)))
    grain = rng.standard_normal((*shape, 3), dtype=np.float32)
    grain = grain * 0.6 + grain[..., :1] * 0.6
    if rng.random() < 0.5:
        grain = blur(grain, u(0.4, 1.0)) * 1.6
    picture = picture + grain * np.float32(abs(rng.normal(0, 0.012)))
    if rng.random() < 0.4:
        picture = (picture - 0.5) * u(0.8, 1.25) + 0.5
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(u(55, 98))]
        coded = cv2.imencode(".jpg", pixels[..., ::-1], quality)[1]
        pixels = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return pixels


def sheet(samples: Iterator[Painted], count: int = 24, columns: int = 4) -> np.ndarray:
    """Samples beside themselves with their marks drawn in: green lines, circles by kind."""
    colours = {"mole": (255, 0, 0), "spot": (255, 255, 0), "acne": (255, 0, 255)}
    tiles = []
    for _, sample in zip(range(count), samples, strict=False):
        drawn = sample.pixels.copy()
        for marks, wrinkle in ((sample.unsure, (90, 120, 255)), (sample.marks, (0, 255, 0))):
            for mark in marks:
                if isinstance(mark, Wrinkle):
                    cv2.polylines(drawn, [np.int32(mark.polyline)], False, wrinkle, 1)
                else:
                    colour = wrinkle if marks is sample.unsure else colours[mark.kind]
                    cv2.circle(drawn, np.int32(mark.xy).tolist(), int(mark.radius + 5), colour, 1)
        tiles.append(np.hstack([sample.pixels, drawn]))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def main() -> None:
    """Write a sheet of samples."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", action="store_true", help="the other people and painter")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, faces = np.random.default_rng(options.seed), load_faces(options.faces, options.held_out)
    manner = HELD_OUT if options.held_out else TRAINING
    picture = sheet(paint(rng, faces, manner) for _ in range(24))
    cv2.imwrite(str(options.out), picture[..., ::-1])


if __name__ == "__main__":
    main()
