"""Find marks on several photos of one person together.

What is faint on one photo counts for more where other photos show something at the same place of
the head, and what none of those shows that could have, for less. Skin that is dark all over, as
by stubble or freckles, agrees with everything by chance: what lies around the place tells how much.
The log odds are logistic regressions, whose weights lie with the network (`mix_several`,
`mix_several_lines`) and were fitted on made-up people by `training/finder/together.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.paintable import close_holes
from realism.faces.skin import LEAST_SKIN
from realism.head.fit import fit_person
from realism.head.geometry import Head
from realism.head.model import load_model
from realism.marks.find.blobs import LEAST_RESPONSE
from realism.marks.find.finders import HEATMAP_THRESHOLD, WEIGHTS, surest_first
from realism.marks.mark import RoundMark
from realism.marks.observation import LEAST_PHOTO_FACING, mirrored, sighting_of, vagueness
from realism.marks.photo import Source

if TYPE_CHECKING:
    import torch

    from realism.marks.find.heatmap import Look
    from realism.marks.find.network import HeatmapNet

# Marks of several photos at one place of the head ().
SPREAD = 2.0  # mm: how far sightings of one round mark lie apart
LINE_SPREAD = 3.0  # mm: of one wrinkle
LINE_POINTS = 12  # of a wrinkle's course that are compared, at least
LINE_SHOWN = 0.5  # share of them that another photo must show
AROUND = 7.0  # mm: where it is seen what agrees by chance
LEAST_FACING = 0.3  # cosine below which a photo does not show a place
BEST_SHARE = 1 / 3  # share of those photos that counts: hair or shade hide some
FLOOR = -6.0  # log odds of what others do not show
LINE_FLOOR = -4.0  # the same of wrinkles
LOG_ODDS = (-8.0, 12.0)  # log odds beyond which a photo says no more

RESPONSE = 2  # the dip's response among `Rounds.evidence`
HERE = np.zeros((1, 2))  # no way aside


def find_together(
    sources: Sequence[Source],
    settled: Collection[str] = (),
    weights: Path | None = None,
    threshold: float | None = None,
) -> Generator[str, None, list[Source]]:
    """Photos of one person with their marks, surest first, as `find.find_marks` has them.

    sources      of a single one the marks are those that `find_marks` finds
    settled      names of photos whose marks stay as they are; looked at all the same, for the rest
    weights      of the heat-map finder; None for those that come with the program
    threshold    least score, 0..1; None takes the finder's own
    Yields each photo's name before it is looked at; returns the sources with their marks.
    """
    if all(source.name in settled for source in sources):
        return list(sources)
    from realism.marks.find.heatmap import look_at, marks_of
    from realism.marks.find.network import load_heatmap

    net, looks = load_heatmap(weights or WEIGHTS), []
    for source in sources:
        yield source.name
        looks.append(look_at(net, source.pixels, source.face, source.skin))
    told = [(look.odds, look.kinds, look.folded) for look in looks]
    if len(sources) > 1:
        heads = fit_person([source.ground.steady for source in sources])
        skins = [close_holes(source.ground.wide, source.face) for source in sources]
        told = judged(looks, heads, skins, net)
    least = HEATMAP_THRESHOLD if threshold is None else threshold
    return [
        source
        if source.name in settled
        else replace(source, marks=surest_first(marks_of(look, *each), least))
        for source, look, each in zip(sources, looks, told, strict=True)
    ]


def judged(
    looks: Sequence[Look], heads: Sequence[Head], skins: Sequence[np.ndarray], net: HeatmapNet
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each photo, by all photos, what `Look` has by itself: odds, kinds, folded.

    Its own odds where no other photo shows a place, its own kinds where none is sure of a mark.

    heads    fitted to the photos, together
    skins    (H, W) float32 0..1 of each, where marks were looked for
    """
    places = [Places(*pair) for pair in zip(looks, heads, strict=True)]
    traces = [
        Traces([look.courses.view.to_picture(path.points) for path in look.courses.paths],
               look.folded, head)
        for look, head in zip(looks, heads, strict=True)
    ]  # fmt: skip
    turned = _mirrored(looks, heads)
    told = []
    for number, (here, course) in enumerate(zip(places, traces, strict=True)):
        others = [
            n for n in range(len(looks)) if n != number and number not in turned and n not in turned
        ]
        dots = [(places[n], skins[n]) for n in others]
        folds = [(traces[n], skins[n]) for n in others]
        told.append(
            (
                _odds(agreement(here, dots), here.odds, net.mix_several),
                here.kinds + sum(_kinds_seen(here, there) for there, _ in dots),
                _odds(line_agreement(course, folds), course.odds, net.mix_several_lines),
            )
        )
    return told


def _odds(evidence: np.ndarray, own: np.ndarray, mix: torch.Tensor) -> np.ndarray:
    """Log odds (n,) by evidence (n, k); a photo's own where that is nan."""
    return np.where(np.isnan(evidence[:, 0]), own, np.nan_to_num(evidence) @ mix.numpy())


class OnHead:
    """Points of one photo on the head, n of them.

    head       fitted to the photo
    corners    (n, 3) vertices of the triangle under each;  weights    (n, 3) of them
    at         (n, 3) mm on the mean head; nan beside the head
    facing     (n,) cosine between the skin and the line of sight
    """

    def __init__(self, xy: np.ndarray, head: Head):
        model = load_model()
        triangle, self.weights, depth = head.raycast(xy.astype(np.float64))
        self.head, self.corners = head, model.triangles[triangle]
        self.at = self.on(model.mean).astype(np.float64)
        self.at[~np.isfinite(depth)] = np.nan
        self.facing = self.on(head.facings)

    def on(self, values: np.ndarray) -> np.ndarray:
        """Values at the head's vertices, (v, ...), at the points: (n, ...)."""
        shares = self.weights.reshape(*self.weights.shape, *[1] * (values.ndim - 1))
        return (values[self.corners] * shares).sum(1)

    def shown(self, head: Head, skin: np.ndarray) -> np.ndarray:
        """Which points another photo shows, so that a mark there would be seen: (n,) bool."""
        to = self.on(head.pixels)
        x, y = np.rint(to).astype(int).T
        height, width = skin.shape
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        bare = skin[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] > LEAST_SKIN
        shown = np.isfinite(self.at[:, 0]) & (self.on(head.facings) > LEAST_FACING)
        shown &= inside & bare
        shown[shown] = ~head.hides(to[shown], self.on(head.vertices)[shown, 2])
        return shown


class Places(OnHead):
    """What may be a round mark in one photo, n of them.

    odds     (n,) log odds by this photo alone;  response    (n,) log of the dip's
    kinds    (n, 3) log chances
    """

    def __init__(self, look: Look, head: Head):
        super().__init__(look.rounds.xy, head)
        self.odds, self.kinds = look.odds, look.kinds
        self.response = look.rounds.evidence[:, RESPONSE]


class Traces(OnHead):
    """Points of what may be wrinkles in one photo.

    odds     (m,) log odds of each wrinkle by this photo alone
    which    (n,) wrinkle that each point is of
    """

    def __init__(self, courses: Sequence[np.ndarray], odds: np.ndarray, head: Head):
        some = [c[:: max(1, len(c) // LINE_POINTS)] for c in courses]
        super().__init__(np.concatenate([np.zeros((0, 2)), *some]), head)
        self.odds, self.which = odds, np.repeat(np.arange(len(some)), [len(c) for c in some])


def agreement(here: Places, others: Sequence[tuple[Places, np.ndarray]]) -> np.ndarray:
    """What speaks for each place of a photo, other photos of the person among it.

    others    places and (H, W) skin 0..1 of each other photo
    ->        (n, 5): 1, the photo's own log odds, log of its own dip's response, how far the log
              odds of what others show there lie above the floor, how much more a dip answers there
              than around; nan where no other photo shows the place
    """
    count, ways = len(here.odds), _ways()
    odds = np.full((len(ways), count, len(others)), np.nan)
    response = odds.copy()
    for index, (there, skin) in enumerate(others):
        shown = here.shown(there.head, skin)
        near, dip = _nearby(here, there, ways)
        odds[:, shown, index], response[:, shown, index] = near[:, shown], dip[:, shown]
    chances = np.isfinite(odds[0]).sum(1)
    odds, response = (_of_the_best(value, chances) for value in (odds, response))
    evidence = np.stack(
        [
            np.ones(count),
            np.clip(here.odds, *LOG_ODDS),
            here.response,
            odds[0] - FLOOR,
            response[0] - response[1:].mean(0),
        ],
        1,
    )
    evidence[chances == 0] = np.nan
    return evidence


def line_agreement(here: Traces, others: Sequence[tuple[Traces, np.ndarray]]) -> np.ndarray:
    """What speaks for each course of a photo, other photos of the person among it.

    others    traces and (H, W) skin 0..1 of each other photo
    ->        (m, 3): 1, the photo's own log odds, how far the log odds of what others show along it
              lie above the floor; nan where no other photo shows it
    """
    count = len(here.odds)
    odds = np.full((count, len(others)), np.nan)
    length = np.maximum(np.bincount(here.which, minlength=count), 1)
    for index, (there, skin) in enumerate(others):
        shown = here.shown(there.head, skin)
        near = np.full(len(shown), LINE_FLOOR)
        if len(there.which):
            doubts = _doubts(here, there, HERE, LINE_SPREAD)[0]
            near = np.maximum(near, (there.odds[there.which] - doubts).max(1))
        points = np.bincount(here.which, shown, count)
        mean = np.bincount(here.which, np.where(shown, near, 0), count) / np.maximum(points, 1)
        odds[:, index] = np.where(points >= LINE_SHOWN * length, mean, np.nan)
    chances = np.isfinite(odds).sum(1)
    near = _of_the_best(odds[None], chances)[0] - LINE_FLOOR
    evidence = np.stack([np.ones(count), here.odds, near], 1)
    evidence[chances == 0] = np.nan
    return evidence


def _ways() -> np.ndarray:
    """No way and ways around, (7, 2) mm to the left and up, as the head is seen from the front."""
    turns = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(turns), np.sin(turns)], 1) * AROUND
    return np.concatenate([HERE, ring])


def _nearby(here: Places, there: Places, ways: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strongest of another photo at each place, and each way beside it: log odds, response.

    Both fall with the square of the distance. ways    (k, 2) mm    ->    (k, n) twice
    """
    doubts = _doubts(here, there, ways)
    if not doubts.shape[2]:
        shape = doubts.shape[:2]
        return np.full(shape, FLOOR), np.full(shape, np.log(LEAST_RESPONSE))
    doubts[0] = _each_once(here, doubts[0])
    near = (np.clip(there.odds, FLOOR, LOG_ODDS[1]) - doubts).max(2)
    dip = (there.response - 0.5 * doubts).max(2)
    return np.maximum(near, FLOOR), np.maximum(dip, np.log(LEAST_RESPONSE))


def _kinds_seen(here: Places, there: Places) -> np.ndarray:
    """Log chances of the kind, (n, 3), by what another photo shows for sure at each place, or 0."""
    doubts = _each_once(here, _doubts(here, there, HERE)[0])
    sure = there.odds - doubts
    if not sure.shape[1]:
        return np.zeros_like(here.kinds)
    return np.where(sure.max(1, keepdims=True) > 0, there.kinds[sure.argmax(1)], 0)


def _each_once(here: Places, doubts: np.ndarray) -> np.ndarray:
    """The doubts (n, m), inf but at the one place that each of the other photo's m suits best.

    A mark of another photo is one mark here: it says nothing of what lies beside that.
    """
    once = np.full_like(doubts, np.inf)
    if len(doubts):
        best = (doubts - here.odds[:, None]).argmin(0), np.arange(doubts.shape[1])
        once[best] = doubts[best]
    return once


def _doubts(here: OnHead, there: OnHead, ways: np.ndarray, spread: float = SPREAD) -> np.ndarray:
    """Log odds that distance takes: (k, n, m), each way of each point to the other's m.

    Inf where either lies beside the head.
    """
    sharp = vagueness(here.facing[:, None], there.facing) / spread
    each_mm = np.float32(0.5 * sharp**2)
    x, y, z = (np.float32(here.at[:, None, axis] - there.at[:, axis]) for axis in range(3))
    doubts = []
    for left, up in ways:
        # Beside the place the head's depth is another: it counts half.
        depth = 0.25 * z**2 if left or up else z**2
        doubts.append(each_mm * ((x + left) ** 2 + (y + up) ** 2 + depth))
    return np.nan_to_num(doubts, nan=np.inf)


def _of_the_best(values: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Mean of the strongest third of the photos that show each place.

    values    (k, n, m), nan for photos that do not;  chances    (n,) photos that do    ->    (k, n)
    """
    ordered = -np.sort(-np.nan_to_num(values, nan=-np.inf), axis=2)
    rank = np.arange(values.shape[2]) < np.ceil(chances * BEST_SHARE)[:, None]
    total = np.where(rank, ordered, 0).sum(2)
    return total / np.maximum(rank.sum(1), 1)


def _mirrored(looks: Sequence[Look], heads: Sequence[Head]) -> set[int]:
    """Photos that seem mirrored: their marks are on the other side, and confirm nothing."""
    found = [
        one
        for number, (look, head) in enumerate(zip(looks, heads, strict=True))
        for xy in look.rounds.xy[look.odds > 0]
        if (one := sighting_of(RoundMark("mole", xy, 1.0), str(number), head)) is not None
        and one.facing >= LEAST_PHOTO_FACING
    ]
    return {int(name) for name in mirrored(found, [str(n) for n in range(len(looks))])}
