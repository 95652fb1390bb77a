"""Marks from the network's maps, joined with what the plain light says.

The network knows what marks look like; the Hessian's dips (`dips.py`) and valleys (`lines.py`) know
where this very skin is darker than usual. Each errs alone where the other is sure, so the chance of
a mark is a logistic of both, whose weights lie with the network (`mix_round`, `mix_kind`,
`mix_line`) and were fitted on painted faces by `training/finder/mix.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from realism.faces.face import Face
from realism.faces.features import disc
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.blobs import (
    LEAST_RESPONSE,
    MARK_SIZE,
    colour_dips,
    dip_places,
    dips_of,
    strength_of,
)
from realism.marks.find.crop import FINDER, View, face_span, view_of
from realism.marks.find.network import DEEPEST, KIND, ROUND, STRIDE, HeatmapNet, normalised
from realism.marks.find.wrinkles import LINES, Path, as_wrinkle, paths_of
from realism.marks.mark import Mark, RoundMark

# The default finder of marks: what is around its network. px are of what it sees.
MOST_SPAN = 780  # px from ear to ear: the largest faces it was taught on; the
# smallest it is shown are brought to `Finder.span`
TILE = 1024  # px; larger views are seen in parts
OVERLAP = 96  # px of each part's border that are left to its neighbour
MARGIN = 4  # px of the Hessian's view: none so close to where skin ends
INSIDE = (2.0, 30.0)  # px of it from the strict mask's edge: nearer, and
# further in, makes no difference
# Below these nothing is a mark, and how far below says nothing; nor does being surer than sure.
LOG_ODDS = (-7.0, 8.0)  # log odds of the heat map
LEAST_STRENGTH = 2.0  # of a dip
LEAST_CHANCE = 0.02  # of the heat map's peaks that are looked at
CANDIDATES = 120  # strongest peaks looked at
SAME_DIP = 6.0  # px of the Hessian's view: a dip so near a peak is the same
MARKS_APART = 10.0  # px of it: of marks so near only the surest is kept


@dataclass(frozen=True, eq=False)
class Rounds:
    """What may be a round mark, n of them.

    xy            (n, 2) px of the picture
    radius        (n,) px of the picture
    evidence      (n, 5): 1, the network's log odds, log of the dip's response, of its strength,
                  log of the way to the strict skin mask's edge
    kind_evidence (n, 6): 1, log chances of ROUND, how brown, how dark in red
    """

    xy: np.ndarray
    radius: np.ndarray
    evidence: np.ndarray
    kind_evidence: np.ndarray


@dataclass(frozen=True, eq=False)
class Courses:
    """What may be a wrinkle, n of them.

    view        what the paths were found in
    paths       n Paths
    evidence    (n, 4): 1, the network's mean log odds along it, log of its strength, of its length
    """

    view: View
    paths: list[Path]
    evidence: np.ndarray


@dataclass(frozen=True, eq=False)
class Look:
    """All that may be a mark in one picture, before it is said what is.

    rounds     one for each place: of those so near that they are one mark, the surest
    odds       (n,) log odds that each is a mark, by this picture alone
    kinds      (n, 3) log chances of ROUND, likewise
    courses    what may be a wrinkle
    folded     (m,) log odds that each course is one, by this picture alone
    """

    rounds: Rounds
    odds: np.ndarray
    kinds: np.ndarray
    courses: Courses
    folded: np.ndarray


def find_with_heatmap(
    net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> list[Mark]:
    """All that may be a mark, with its chance as score; see `find.find_marks`."""
    look = look_at(net, pixels, face, skin)
    return marks_of(look, look.odds, look.kinds, look.folded)


def look_at(net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray) -> Look:
    """What may be a mark in a picture; pixels, face and skin as in `find.find_marks`."""
    rounds, courses = evidence_of(net, pixels, face, skin)
    odds = rounds.evidence @ net.mix_round.numpy()
    single = _one_each(rounds, odds, MARKS_APART * face_span(face) / FINDER.span)
    kept = Rounds(*(column[single] for column in vars(rounds).values()))
    kinds = kept.kind_evidence @ net.mix_kind.numpy().T
    kinds = kinds - np.logaddexp.reduce(kinds, 1, keepdims=True)
    return Look(kept, odds[single], kinds, courses, courses.evidence @ net.mix_line.numpy())


def marks_of(look: Look, odds: np.ndarray, kinds: np.ndarray, folded: np.ndarray) -> list[Mark]:
    """The marks of a picture, chances as scores; odds, kinds and folded as in `Look`."""
    rounds, courses = look.rounds, look.courses
    marks: list[Mark] = [
        RoundMark(ROUND[kind], xy, float(radius), float(score))
        for kind, xy, radius, score in zip(
            kinds.argmax(1), rounds.xy, rounds.radius, _sigmoid(odds), strict=True
        )
    ]
    return marks + [
        as_wrinkle(path, courses.view, float(score))
        for path, score in zip(courses.paths, _sigmoid(folded), strict=True)
    ]


def _one_each(rounds: Rounds, scores: np.ndarray, apart: float) -> np.ndarray:
    """Indices of the surest of those that lie within `apart` px or a radius of each other."""
    kept: list[int] = []
    for index in np.argsort(-scores):
        gaps = np.linalg.norm(rounds.xy[kept] - rounds.xy[index], axis=1)
        if (gaps >= np.maximum(apart, 1.3 * rounds.radius[kept])).all():
            kept.append(int(index))
    return np.array(kept, int)


def evidence_of(
    net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> tuple[Rounds, Courses]:
    """All that may be a mark, and what speaks for it."""
    # The strict mask leaves out folds, shade and marks at its own edge: where skin may be, the
    # network tells; how far inside the strict one a place lies is evidence.
    ground = paintable_mask(pixels, skin, face)
    wide, closed = (view_of(pixels, face, mask) for mask in (ground, close_holes(ground, face)))
    span = float(np.clip(face_span(face), FINDER.span, MOST_SPAN))
    own = view_of(pixels, face, skin, replace(FINDER, span=span))
    maps = respond(net, normalised(own.log_light, own.skin))
    return _rounds(maps, own, closed), _courses(maps, own, wide, face)


def respond(net: HeatmapNet, inputs: np.ndarray, tile: int = TILE) -> np.ndarray:
    """The network's maps of a picture of any size, in overlapping tiles where it is large.

    inputs    (3, h, w) float32, from `normalised`
    ->        (6, h/2, w/2) float32 rounded up, before sigmoid and softmax
    """
    height, width = inputs.shape[1:]
    grid = (-(-height // STRIDE), -(-width // STRIDE))
    maps = np.zeros((6, *grid), np.float32)
    overlap = OVERLAP
    for top, rows in _tiles(height, tile, overlap):
        for left, columns in _tiles(width, tile, overlap):
            part = inputs[:, top : top + tile, left : left + tile]
            pad = [(0, 0), *((0, -side % DEEPEST) for side in part.shape[1:])]
            whole = np.pad(part, pad, "edge").astype(np.float32)
            with torch.inference_mode():
                answer = net(torch.from_numpy(whole)[None])[0].numpy()
            maps[:, rows, columns] = answer[
                :,
                rows.start - top // STRIDE : min(rows.stop, grid[0]) - top // STRIDE,
                columns.start - left // STRIDE : min(columns.stop, grid[1]) - left // STRIDE,
            ]
    return maps


def _tiles(length: int, tile: int, overlap: int) -> list[tuple[int, slice]]:
    """Where tiles start along one side, and which cells of the maps are taken from each."""
    if length <= tile:
        return [(0, slice(0, -(-length // STRIDE)))]
    # Starts are multiples of the deepest stride: the network's grid is then the same in all tiles.
    step = (tile - 2 * overlap) // DEEPEST * DEEPEST
    starts = list(range(0, length - tile + step, step))
    bounds = [0, *((s + overlap) // STRIDE for s in starts[1:]), -(-length // STRIDE)]
    return [(s, slice(a, b)) for s, a, b in zip(starts, bounds, bounds[1:], strict=False)]


def _rounds(maps: np.ndarray, own: View, view: View) -> Rounds:
    """Dips of the light, and peaks of the heat map where there is no dip.

    own, view    what the network saw (strict mask), and what the Hessian sees (wide mask)
    """
    dips = dips_of(view)
    solid = cv2.erode((view.skin > LEAST_SKIN).astype(np.uint8), disc(MARGIN)) > 0
    xs, ys = dip_places(dips, solid, FINDER.candidates)
    places = view.to_picture(np.stack([xs, ys], 1))
    # How far from a dip's middle the network may see the mark: it often peaks beside a large one's.
    cell = STRIDE * view.scale / own.scale
    reach = np.maximum(np.rint(MARK_SIZE * dips.sigma[ys, xs] / cell), 1).astype(int)

    heat = _sigmoid(maps[0])
    # px of the Hessian's view, in which lengths of a face are always the same.
    edge = cv2.distanceTransform((own.skin > LEAST_SKIN).astype(np.uint8), cv2.DIST_L2, 5)
    edge = edge[::STRIDE, ::STRIDE] * (view.scale / own.scale)
    peaks = (heat >= cv2.dilate(heat, np.ones((5, 5), np.uint8))) & (heat > LEAST_CHANCE)
    allowed = cv2.resize(solid.astype(np.uint8), heat.shape[::-1], interpolation=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(peaks & (allowed > 0))
    first = np.argsort(-heat[rows, columns])[:CANDIDATES]
    rows, columns = rows[first], columns[first]
    others = own.to_picture(_centred(heat, rows, columns) * STRIDE + 0.5)
    gaps = np.linalg.norm(others[:, None] - places[None], axis=2) * view.scale
    alone = (gaps > np.maximum(SAME_DIP, reach * cell)).all(1)
    places = np.concatenate([places, others[alone]])
    reach = np.concatenate([reach, np.ones(alone.sum(), int)])

    # What the network says of all of them, at its strongest nearby.
    at = np.rint(((places - own.origin + 0.5) * own.scale - 1) / STRIDE).astype(int)
    at = np.clip(at, 0, np.array(heat.shape[::-1]) - 1)
    near = [_strongest(heat, x, y, r) for (x, y), r in zip(at, reach, strict=True)]
    rows, columns = (np.array([place[i] for place in near], int) for i in (0, 1))
    odds = np.clip(maps[0, rows, columns], *LOG_ODDS)
    inside = edge[at[:, 1], at[:, 0]]
    inside = np.log(np.clip(inside, *INSIDE) / INSIDE[1])
    kinds = maps[KIND][:, rows, columns].T
    kinds = kinds - np.log(np.exp(kinds).sum(1, keepdims=True))
    radius = np.exp(np.clip(maps[4, rows, columns], 0, 3.5)) / own.scale
    # A dip tells its size better than the network does.
    radius[: len(xs)] = MARK_SIZE * dips.sigma[ys, xs] / view.scale

    # And the Hessian's strongest dip nearby.
    at = np.rint((places - view.origin + 0.5) * view.scale - 0.5).astype(int)
    at = np.clip(at, 0, np.array(dips.light.shape[::-1]) - 1)
    near = [(y, x) for x, y in zip(xs, ys, strict=True)]
    near += [_strongest(dips.response, x, y, 4) for x, y in at[len(xs) :]]
    rows, columns = (np.array([place[i] for place in near], int) for i in (0, 1))
    response, strength = dips.response[rows, columns], strength_of(dips, columns, rows)
    red, green, blue = colour_dips(view.log_light, columns, rows, dips.sigma[rows, columns]).T
    green = np.maximum(green, 0.02)
    brown = np.clip(red / green + 0.6 * (blue / green - 1), -1, 2)
    one = np.ones(len(places))
    return Rounds(
        places.astype(np.float32),
        radius,
        np.stack(
            [
                one,
                odds,
                np.log(np.maximum(response, LEAST_RESPONSE)),
                np.log(np.maximum(strength, LEAST_STRENGTH)),
                inside,
            ],
            1,
        ),
        np.stack([one, *kinds.T, brown, np.log(np.maximum(red, 0.02))], 1),
    )


def _centred(heat: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Centre of weight of the heat within a cell of each peak, (n, 2) x, y cells."""
    padded = np.pad(heat, 1)
    weight = np.stack([padded[rows + j, columns + i] for j in range(3) for i in range(3)], 1)
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-9)
    shift = np.array([(i - 1, j - 1) for j in range(3) for i in range(3)])
    return np.stack([columns, rows], 1) + weight @ shift


def _strongest(field: np.ndarray, x: int, y: int, reach: int) -> tuple[int, int]:
    """Row and column of the largest value within `reach` of a place."""
    top, left = max(y - reach, 0), max(x - reach, 0)
    part = field[top : y + reach + 1, left : x + reach + 1]
    row, column = np.unravel_index(part.argmax(), part.shape)
    return top + row, left + column


def _courses(maps: np.ndarray, own: View, wide: View, face: Face) -> Courses:
    """Valleys of light that run as faces fold, and the network's odds along them."""
    # Where the line map lies in the wide view: both are cut alike, at two scales.
    size = wide.skin.shape[::-1]
    full = cv2.resize(maps[5], None, fx=STRIDE, fy=STRIDE, interpolation=cv2.INTER_LINEAR)
    full = full[: own.skin.shape[0], : own.skin.shape[1]]
    line = cv2.resize(full, size, interpolation=cv2.INTER_LINEAR)
    # The network's line may run a pixel or two beside the valley's bottom.
    line = cv2.dilate(line, disc(2))
    paths = paths_of(wide, face)
    evidence = [
        (
            1.0,
            float(line[path.points[:, 1], path.points[:, 0]].mean()),
            float(np.log(max(path.strength, 0.05))),
            float(np.log(len(path.points) / LINES.usual_length)),
        )
        for path in paths
    ]
    return Courses(wide, paths, np.array(evidence, np.float64).reshape(-1, 4))


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -40, 40)))
