"""Paint marks on faces without any: what the default finder of marks learns from.

Pigment and blood multiply linear light. A mole has much melanin and a clear edge, a spot little
and a soft one; a pimple is blood with a flush and relief; wrinkles are folds (`folds.py`). Skin
has its own unevenness, and much looks like a mark and is none: freckle fields, blotches, bumps,
pores, glints, make-up, shadow edges, and all of `cover.py`. At last comes a camera: blur, lost
resolution, sharpening, noise, JPEG. What ends up too faint beside the grain of its own
surroundings, or is half hidden, is not demanded of a finder: it is `ignored` (`visibility.py`).

    python -m training.finder.paint --faces work/finder --out sheet.png       a look at samples
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from realism.images import DARKEST, to_linear
from realism.marks.find.crop import SPAN
from realism.marks.mark import Mark, RoundMark, Wrinkle
from training.finder.camera import expose, photograph
from training.finder.cover import layers, stubble
from training.finder.round_marks import paint_round_marks
from training.finder.samples import (
    HELD_OUT,
    TRAINING,
    Manner,
    PaintedSample,
    PreparedFaces,
    load_faces,
)
from training.finder.skin import paint_look_alikes, uneven_skin
from training.finder.texture import blur, noise, patches
from training.finder.visibility import is_visible, kind_as_shown, split_by_visibility
from training.finder.windows import cut_window, natural_marks_of, own_marks
from training.finder.wrinkles import paint_wrinkles

PAIRED = 0.35  # share of the samples on faces with marks of their own, where there are some
PHOTOS = 0.55  # share of the others on photo-like faces, where there are some
# Of photo-like faces: skin has its own unevenness and hair already.
OWN_SKIN, OWN_COVER = 0.2, 0.6  # share of the samples where little is added
LITTLE = 0.35  # of the unevenness
MOST_HIDDEN = 0.15  # of a mark that is to be found


def paint(
    rng: np.random.Generator,
    faces: PreparedFaces,
    manner: Manner = TRAINING,
    side: int | None = 256,
    share: float = 1.0,
) -> PaintedSample:
    """One painted picture.

    Parameters
    ----------
    side : int or None, px
        Of a square cut from a face, turned, mirrored and scaled at random; None: a whole
        face at the finder's size, as it stands.
    share : float
        Of the usual number of round marks.
    """
    u = rng.uniform
    crop = choose_crop(rng, faces)
    is_photo = "natural" in crop
    pixels, skin, places, mesh, scale, matrix = cut_window(rng, crop, side)
    shape = skin.shape
    light = np.maximum(to_linear(pixels), DARKEST)
    round_change, round_marks, courses = own_marks(crop, light, matrix)
    light = light * np.exp(rng.normal(0, 0.1, 3) + rng.normal(0, 0.22)).astype(np.float32)
    if rng.random() < 0.3:
        grey = light.mean(2, keepdims=True)
        light = np.maximum(grey + (light - grey) * np.float32(u(0.6, 1.5)), 0.001)
    if rng.random() < (0.06 if is_photo else 0.3):  # gloss
        shine = patches(rng, shape, 70, u(0.05, 0.3)) * u(0.02, 0.35)
        light = light + (shine * np.clip(0.6 + 0.5 * noise(rng, shape, 2.5), 0, 3))[..., None]
    flat = mesh[:, :2]
    photo_marks, natural = natural_marks_of(crop, matrix, shape[::-1])
    little = LITTLE if is_photo and rng.random() < OWN_SKIN else 1.0
    own, ignored = uneven_skin(rng, shape, manner, little)
    ignored = ignored + natural
    lamp = u(0, 2 * np.pi)
    if not round_marks or rng.random() < 0.5:
        there = round_marks + photo_marks + [m for m in natural if isinstance(m, RoundMark)]
        painted, added = paint_round_marks(rng, places, scale, manner, lamp, there, share)
        round_change, round_marks = round_change + painted, round_marks + added
    own += paint_look_alikes(rng, shape, manner, round_marks, flat)
    folds, painted_courses = paint_wrinkles(rng, skin, flat, faces.courses, lamp)
    courses = courses + painted_courses
    # Light that enters a fold comes out redder.
    change = round_change + folds[..., None] * np.float32([0.85, 1, 1.1])
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

    if rng.random() < (0.08 if is_photo else 0.28):
        hairs, colour = stubble(rng, skin, tone)
        rough = blur(hairs, 8) > 0.12
        over(hairs, colour)
    if not (is_photo and rng.random() < OWN_COVER):
        for cover, colour in layers(rng, flat, skin, tone):
            over(cover, colour)

    softness = u(0.3, 1.5) if rng.random() < 0.75 else u(0, 0.4)
    before, after = (np.log(np.maximum(i[..., :2].mean(2), 1e-4)) for i in (clean, full))
    depth = blur((before - after).astype(np.float32), softness)
    levels = (expose(clean, softness) - expose(full, softness))[..., :2].mean(2)
    fine = blur(before.astype(np.float32), 1.6) - blur(before.astype(np.float32), 5)
    grain = np.sqrt(cv2.blur(fine * fine, (47, 47))) + 0.008
    marks: list[Mark] = []
    for mark in photo_marks:
        column, row = mark.xy.astype(int)
        (ignored if hidden[row, column] > MOST_HIDDEN else marks).append(mark)
    for mark in round_marks:
        sure = is_visible(mark, depth, levels, grain, hidden, rough)
        if sure is not None:
            (marks if sure else ignored).append(kind_as_shown(mark, depth, scale))
    for course, width in courses:
        sure, faint = split_by_visibility(course, width, depth, grain, hidden)
        marks += sure
        ignored += faint
    # The renders' crops are softer still, but of smooth skin.
    own_part = min(1.0, float(crop["span"]) / (SPAN * scale)) if is_photo else 1.0
    return PaintedSample(photograph(rng, full, softness, own_part), skin, mesh, marks, ignored)


def choose_crop(rng: np.random.Generator, faces: PreparedFaces) -> dict[str, np.ndarray]:
    """One prepared face, of each sort as often as it is wanted."""
    if faces.pairs and rng.random() < PAIRED:
        crops = faces.pairs
    elif faces.photos and rng.random() < PHOTOS:
        crops = faces.photos
    else:
        crops = faces.bare or faces.photos or faces.pairs
    return crops[rng.integers(len(crops))]


def draw_sheet(samples: Iterator[PaintedSample], count: int = 24, columns: int = 4) -> np.ndarray:
    """Samples beside themselves with their marks drawn in: green lines, circles by kind."""
    colours = {"mole": (255, 0, 0), "spot": (255, 255, 0), "acne": (255, 0, 255)}
    tiles = []
    for _, sample in zip(range(count), samples, strict=False):
        drawn = sample.pixels.copy()
        for marks, wrinkle in ((sample.ignored, (90, 120, 255)), (sample.marks, (0, 255, 0))):
            for mark in marks:
                if isinstance(mark, Wrinkle):
                    cv2.polylines(drawn, [np.int32(mark.polyline)], False, wrinkle, 1)
                else:
                    colour = wrinkle if marks is sample.ignored else colours[mark.kind]
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
    picture = draw_sheet(paint(rng, faces, manner) for _ in range(24))
    cv2.imwrite(str(options.out), picture[..., ::-1])
