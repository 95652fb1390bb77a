"""Fit how the photos of one person join (`realism/marks/find/multiview.py`).

Views of made-up people, with their marks and without; and the same painted over in the held-out
manner, anew for each view: what is painted on one view, no other view shows. So are pimples of a
day, hairs and glints; by rough count a quarter of all marks then show once only.
Each view is joined with all others of its person, and with some.

    python -m training.finder.multiview --people work/renders/r91 --faces work/finder \\
        --net realism/marks/find/weights/heatmap.safetensors \\
        --out realism/marks/find/weights/heatmap.safetensors

`--people` are folders like marked-people and may be given several times. What half of the people
teach is also printed of the other half.
"""

import argparse
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from data_sets.marked_people import analyse_picture, read_views
from data_sets.scoring import read_truth_to_score
from realism.faces.occluders import find_occluders
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import skin_mask
from realism.head.fit import fit_person
from realism.head.geometry import Head
from realism.marks.find.crop import SPAN
from realism.marks.find.heatmap import Candidates, find_candidates
from realism.marks.find.network import HeatmapNet, read_about, read_heatmap, save_heatmap
from realism.marks.find.support import BlobPoints, WrinklePoints, blob_support, wrinkle_support
from realism.marks.mark import Mark, mark_from_json
from training.finder.crops import crop_twins
from training.finder.evidence_weights import (
    fit_logistic,
    label_blobs,
    label_wrinkles,
)
from training.finder.paint import paint
from training.finder.samples import HELD_OUT, PreparedFaces, make_face


@dataclass(frozen=True, eq=False)
class ViewEvidence:
    """One view: what may be a mark in it, and what is.

    Attributes
    ----------
    person
        Whose.
    places
        What may be round marks, on the head.
    answer : (n,)
        Of each: 1 a mark, 0 none, -1 not to be judged.
    traces
        What may be wrinkles, m of them.
    shares : (m,)
        Of each, what lies on a wrinkle.
    lengths : (m,) px
        What is to be judged.
    skin : (H, W) float32 0..1
        Where marks were looked for.
    """

    person: str
    places: BlobPoints
    answer: np.ndarray
    traces: WrinklePoints
    shares: np.ndarray
    lengths: np.ndarray
    skin: np.ndarray


def view_evidence(
    person: str,
    candidates: Candidates,
    marks: list[Mark],
    ignored: list[Mark],
    head: Head,
    skin: np.ndarray,
    zoom: float = 1.0,
    corner: tuple[float, float] | np.ndarray = (0.0, 0.0),
) -> ViewEvidence:
    """A view with its truth.

    Parameters
    ----------
    head, skin
        Of the picture that the head was fitted to.
    zoom : float
        px of what was looked at over px of that picture.
    corner : (2,) px
        Where what was looked at begins in it.
    """
    answer = label_blobs(candidates.blobs, marks, ignored)
    shares, lengths = label_wrinkles(candidates.wrinkles, marks, ignored)
    blobs = replace(candidates.blobs, xy=candidates.blobs.xy / zoom + corner)
    return ViewEvidence(
        person,
        BlobPoints(replace(candidates, blobs=blobs), head),
        np.where(answer == -2, -1, (answer >= 0).astype(int)),
        WrinklePoints(
            [line / zoom + corner for line in candidates.wrinkles.polylines],
            candidates.wrinkle_odds,
            head,
        ),
        shares,
        lengths,
        skin,
    )


def render_evidence(net: HeatmapNet, data: Path) -> Iterator[list[ViewEvidence]]:
    """Each person's views with their marks, then each person's without."""
    truth = {entry["image"]: entry["marks"] for _, entry in read_truth_to_score(data)}
    for person, group in read_views(data).items():
        for folder in ("marked", "clean"):
            pictures = [analyse_picture(getattr(view, folder)) for view in group]
            heads = fit_person([picture.head_evidence for picture in pictures])
            several = []
            for view, picture, head in zip(group, pictures, heads, strict=True):
                marks = {True: [], False: []}
                for value in truth[f"{folder}-{view.marked.name}"]:
                    marks[value["certain"]].append(mark_from_json(value))
                candidates = find_candidates(net, picture.pixels, picture.face, picture.skin)
                skin = close_holes(picture.paintable, picture.face, picture.covered)
                several.append(
                    view_evidence(person, candidates, marks[True], marks[False], head, skin)
                )
            yield several
        analyse_picture.cache_clear()


def paint_evidence(net: HeatmapNet, data: Path, courses: list) -> Iterator[list[ViewEvidence]]:
    """Each person's views painted over, each in another way."""
    rng = np.random.default_rng(11)
    for person, group in read_views(data).items():
        # Heads are fitted before anything is painted over the features.
        pictures = [analyse_picture(view.clean) for view in group]
        heads = fit_person([picture.head_evidence for picture in pictures])
        several = []
        for view, picture, head in zip(group, pictures, heads, strict=True):
            crop = crop_twins(view)
            sample = paint(rng, PreparedFaces([], [crop], courses), HELD_OUT, None)
            face = make_face(sample.mesh)
            bare = skin_mask(sample.pixels, face)
            candidates = find_candidates(net, sample.pixels, face, bare)
            zoom, corner = window_to_picture(crop)
            covered = find_occluders(sample.pixels, face).mask()
            wide = paintable_mask(sample.pixels, bare, face, covered)
            skin = close_holes(wide, face, covered)
            back = np.float32([[1 / zoom, 0, corner[0]], [0, 1 / zoom, corner[1]]])
            skin = cv2.warpAffine(skin, back, picture.pixels.shape[1::-1])
            several.append(
                view_evidence(
                    person, candidates, sample.marks, sample.ignored, head, skin, zoom, corner
                )
            )
        yield several
        analyse_picture.cache_clear()


def window_to_picture(crop: dict) -> tuple[float, np.ndarray]:
    """Px of a painted whole face over px of the picture, and where its (0, 0) is in that."""
    mesh, span = crop["mesh"][:, :2], float(crop["span"])
    low = np.maximum(mesh.min(0) - span * np.array([0.1, 0.27]), 0)
    return SPAN / span, low + crop["corner"]


def support_of_views(
    several: list[ViewEvidence], rng: np.random.Generator | None
) -> Iterator[tuple]:
    """For each view, by all others or by some with `rng`, of rounds and of lines: evidence (n, k),
    what is true 0..1 (n,), and what that counts (n,)."""
    for number, here in enumerate(several):
        others = [other for index, other in enumerate(several) if index != number]
        if rng is not None and others:
            count = rng.integers(1, len(others), endpoint=True)
            few = rng.choice(len(others), count, replace=False)
            others = [others[index] for index in few]
        rounds = blob_support(here.places, [(o.places, o.skin) for o in others])
        lines = wrinkle_support(here.traces, [(o.traces, o.skin) for o in others])
        known = (here.answer >= 0) & np.isfinite(rounds[:, 0])
        seen_again = np.isfinite(lines[:, 0])
        yield (
            (rounds[known], here.answer[known].astype(float), np.ones(known.sum())),
            (lines[seen_again], here.shares[seen_again], here.lengths[seen_again]),
        )


def print_ap(name: str, odds: np.ndarray, share: np.ndarray, weight: np.ndarray) -> None:
    """Print average precision of log odds."""
    order = np.argsort(-odds)
    right, of = (share * weight)[order], weight[order]
    precision = np.cumsum(right) / np.maximum(np.cumsum(of), 1e-9)
    average = (precision * right).sum() / right.sum()
    print(f"{name}: {right.sum():.0f} true of {of.sum():.0f}, AP {average:.3f}")


def main() -> None:
    """Look, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--people", type=Path, action="append", required=True)
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops.py")
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    net, rng = read_heatmap(options.net), np.random.default_rng(1)
    courses = json.loads((options.faces / "courses.json").read_text())
    rounds, lines, half = [], [], []
    for data in options.people:
        for several in (*render_evidence(net, data), *paint_evidence(net, data, courses)):
            for chance in (None, rng):
                for dots, folds in support_of_views(several, chance):
                    rounds.append(dots)
                    lines.append(folds)
                    half.append(zlib.crc32(several[0].person.encode()) % 2 == 0)
        print(f"{data.name}: looked at", flush=True)
    for name, views_of in (("mix_several", rounds), ("mix_several_lines", lines)):
        x, y, weight = map(np.concatenate, zip(*views_of, strict=True))
        held = np.repeat(half, [len(view[1]) for view in views_of])
        print_ap(f"{name}: each photo alone, half of the people", x[held, 1], y[held], weight[held])
        before = getattr(net, name).numpy()
        print_ap(
            "together, by the weights that were there", x[held] @ before, y[held], weight[held]
        )
        mix = fit_logistic(x[~held], y[~held], 1e-5, weight[~held]).numpy()
        print_ap("together, by weights of the other half", x[held] @ mix, y[held], weight[held])
        getattr(net, name).copy_(fit_logistic(x, y, 1e-5, weight))
        print(name, json.dumps(np.round(getattr(net, name).numpy(), 3).tolist()))
    save_heatmap(options.out, net, read_about(options.net))


if __name__ == "__main__":
    main()
