"""Fit how the photos of one person join (`realism/marks/together.py`).

Views of made-up people, with their marks and without; and the same painted over in the held-out
manner, anew for each view: what is painted on one view, no other view shows. So are pimples of a
day, hairs and glints; about a quarter of all marks then show once only, as many as are pimples.
Each view is joined with all others of its person, and with some.

    python -m training.finder.together --people work/renders/r91 --faces work/finder \\
        --net realism/marks/weights/heatmap.safetensors \\
        --out realism/marks/weights/heatmap.safetensors

`--people` are folders like marked-people and may be given several times. What half of the people
teach is also told of the other half.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.find import truth_to_score
from benchmarks.marks import seen, views
from realism.faces.head import Head, fit_person
from realism.faces.skin import skin_mask
from realism.marks.decode import Look, look_at
from realism.marks.heatmap import HeatmapNet, read_about, read_heatmap, save_heatmap
from realism.marks.mark import Mark, mark_from_json
from realism.marks.surface import canvas, filled
from realism.marks.together import Places, agreement
from realism.settings import FINDER
from training.finder.crops import pair_crop
from training.finder.mix import face_of, fit, judged_rounds
from training.finder.paint import HELD_OUT, Faces, paint


@dataclass(frozen=True, eq=False)
class Shown:
    """One view: what may be a mark in it, and what is.

    person    whose
    places    on the head
    skin      (H, W) float32 0..1, where marks were looked for
    answer    (n,) of each place: 1 a mark, 0 none, -1 not to be judged
    """

    person: str
    places: Places
    skin: np.ndarray
    answer: np.ndarray


def shown(
    person: str, look: Look, head: Head, skin: np.ndarray, marks: list[Mark], unsure: list[Mark]
) -> Shown:
    """A view with its truth; all in px of the picture that the head was fitted to."""
    answer = judged_rounds(look.rounds, marks, unsure)
    judged = np.where(answer == -2, -1, (answer >= 0).astype(int))
    return Shown(person, Places(look, head), skin, judged)


def rendered(net: HeatmapNet, data: Path) -> Iterator[list[Shown]]:
    """Each person's views with their marks, then each person's without."""
    truth = {entry["image"]: entry["marks"] for _, entry in truth_to_score(data)}
    for person, group in views(data).items():
        for folder in ("marked", "clean"):
            pictures = [seen(getattr(view, folder)) for view in group]
            heads = fit_person([picture.steady for picture in pictures])
            several = []
            for view, picture, head in zip(group, pictures, heads, strict=True):
                marks = {True: [], False: []}
                for value in truth[f"{folder}-{view.marked.name}"]:
                    marks[value["certain"]].append(mark_from_json(value))
                look = look_at(net, picture.pixels, picture.face, picture.skin)
                skin = filled(picture.canvas, picture.face)
                several.append(shown(person, look, head, skin, marks[True], marks[False]))
            yield several
        seen.cache_clear()


def painted(net: HeatmapNet, data: Path, courses: list) -> Iterator[list[Shown]]:
    """Each person's views painted over, each in another way."""
    rng = np.random.default_rng(11)
    for person, group in views(data).items():
        # Heads are fitted before anything is painted over the features.
        pictures = [seen(view.clean) for view in group]
        heads = fit_person([picture.steady for picture in pictures])
        several = []
        for view, picture, head in zip(group, pictures, heads, strict=True):
            crop = pair_crop(view)
            sample = paint(rng, Faces([], [crop], courses), HELD_OUT, None)
            face = face_of(sample)
            bare = skin_mask(sample.pixels, face)
            look = look_at(net, sample.pixels, face, bare)
            zoom, corner = _way_back(crop)
            rounds = replace(
                look.rounds,
                xy=look.rounds.xy / zoom + corner,
                radius=look.rounds.radius / zoom,
            )
            marks, unsure = (
                [
                    replace(mark, xy=mark.xy / zoom + corner, radius=mark.radius / zoom)
                    for mark in those
                ]
                for those in (sample.marks, sample.unsure)
            )
            skin = filled(canvas(sample.pixels, bare, face), face)
            size = picture.pixels.shape[1::-1]
            back = np.float32([[1 / zoom, 0, corner[0]], [0, 1 / zoom, corner[1]]])
            skin = cv2.warpAffine(skin, back, size)
            look = replace(look, rounds=rounds)
            several.append(shown(person, look, head, skin, marks, unsure))
        yield several
        seen.cache_clear()


def _way_back(crop: dict) -> tuple[float, np.ndarray]:
    """Px of a painted whole face over px of the picture, and where its (0, 0) is in that."""
    mesh, span = crop["mesh"][:, :2], float(crop["span"])
    low = np.maximum(mesh.min(0) - span * np.array([0.1, 0.27]), 0)
    return FINDER.span / span, low + crop["corner"]


def joined(several: list[Shown], rng: np.random.Generator | None) -> Iterator[tuple]:
    """Evidence (n, 5) and answers (n,) of each view by all others, or by some with `rng`."""
    for number, one in enumerate(several):
        others = [(o.places, o.skin) for index, o in enumerate(several) if index != number]
        if rng is not None:
            few = rng.choice(len(others), rng.integers(1, len(others)), replace=False)
            others = [others[index] for index in few]
        evidence = agreement(one.places, others)
        judged = (one.answer >= 0) & np.isfinite(evidence[:, 0])
        yield one.person, evidence[judged], one.answer[judged]


def told(name: str, odds: np.ndarray, answer: np.ndarray) -> None:
    """Print average precision of log odds."""
    hits = answer[np.argsort(-odds)]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    average = (precision * hits).sum() / hits.sum()
    print(f"{name}: {hits.sum():.0f} marks among {len(hits)}, AP {average:.3f}")


def main() -> None:
    """Look, fit, tell, write."""
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
    people, inputs, answers = [], [], []
    for data in options.people:
        for several in (*rendered(net, data), *painted(net, data, courses)):
            for chance in (None, rng):
                for person, evidence, answer in joined(several, chance):
                    people.append(np.full(len(answer), person))
                    inputs.append(evidence)
                    answers.append(answer.astype(float))
        print(f"{data.name}: looked at", flush=True)
    person, x, y = map(np.concatenate, (people, inputs, answers))
    half = np.isin(person, np.unique(person)[::2])
    told("each photo alone, half of the people", x[half, 1], y[half])
    told(
        "together, weights of the other half",
        x[half] @ fit(x[~half], y[~half], 1e-5).numpy(),
        y[half],
    )
    net.mix_several.copy_(fit(x, y, 1e-5))
    print("mix_several", json.dumps(np.round(net.mix_several.numpy(), 3).tolist()))
    save_heatmap(options.out, net, read_about(options.net))


if __name__ == "__main__":
    main()
