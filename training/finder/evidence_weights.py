"""Fit how the network's answers and the plain measures weigh (`realism/marks/find/heatmap.py`).

Whole faces of held-out people are painted in the held-out manner, and renders with marks are added
that no painter had a hand in, and photo-like faces whose own marks were looked at (`natural.py`):
on painted marks alone the network is trusted too much. A logistic
regression says of each candidate how likely it is a mark, another its kind, a third how likely a
line is a wrinkle.

    python -m training.finder.evidence_weights --faces work/finder --people work/renders/r72 \\
        --net work/finder-net/best.safetensors --out realism/marks/find/weights/heatmap.safetensors
"""

import argparse
import json
import os
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from data_sets.marked_people import analyse_picture
from data_sets.scoring import read_truth_to_score
from realism.faces.face import Face
from realism.faces.skin import skin_mask
from realism.marks.find.candidates import BlobCandidates, WrinkleCandidates, measure_evidence
from realism.marks.find.network import read_about, read_heatmap, save_heatmap
from realism.marks.mark import ROUND_KINDS, Mark, RoundMark, Wrinkle, mark_from_json
from training.finder.paint import paint
from training.finder.samples import HELD_OUT, load_faces, make_face

REACH = 6.0  # px: a finding so near a mark, or within its radius, is that mark
LINE_REACH = 6.0  # px
FACES = 24


def label_blobs(found: BlobCandidates, marks: list[Mark], ignored: list[Mark]) -> np.ndarray:
    """For each candidate the index into ROUND_KINDS of its mark, -1 none, -2 not to be judged.

    Of several on one mark the surest by the network counts, and the others are left out.
    """
    labels = np.full(len(found.xy), -1)
    for listed, value in ((ignored, -2), (marks, 0)):
        for mark in (m for m in listed if isinstance(m, RoundMark)):
            near = np.linalg.norm(found.xy - mark.xy, axis=1) < max(REACH, mark.radius)
            if value == 0 and near.any():
                best = np.flatnonzero(near)[found.evidence[near, 1].argmax()]
                labels[near] = -2
                labels[best] = ROUND_KINDS.index(mark.kind)
            elif value < 0:
                labels[near] = -2
    return labels


def label_wrinkles(
    found: WrinkleCandidates, marks: list[Mark], ignored: list[Mark]
) -> tuple[np.ndarray, np.ndarray]:
    """The share of each path that lies on a wrinkle, and its length that is to be judged."""
    shares, lengths = [], []
    true, maybe = (
        np.concatenate(
            [np.zeros((0, 2)), *(_dense(m.polyline) for m in ms if isinstance(m, Wrinkle))]
        )
        for ms in (marks, ignored)
    )
    for ridge in found.ridges:
        points = found.crop.to_picture(ridge.points[::4])
        on, perhaps = (_near(points, line) for line in (true, maybe))
        counted = on | ~perhaps
        shares.append(on[counted].mean() if counted.any() else 0.0)
        lengths.append(4.0 * counted.sum())
    return np.array(shares), np.array(lengths)


def _dense(line: np.ndarray) -> np.ndarray:
    steps = [np.linspace(a, b, 5)[:-1] for a, b in pairwise(line)]
    return np.concatenate([*steps, line[-1:]])


def _near(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    if not len(line):
        return np.zeros(len(points), bool)
    return np.linalg.norm(points[:, None] - line[None], axis=2).min(1) < LINE_REACH


def fit_logistic(
    inputs: np.ndarray, wanted: np.ndarray, ridge: float, weight: np.ndarray | None = None
) -> torch.Tensor:
    """Logistic regression by LBFGS, with a ridge beside the mean of the losses.

    Parameters
    ----------
    inputs : (n, k)
    wanted : (n,) share 0..1, or (n,) int of classes

    Returns
    -------
    (k,) or (classes, k) float32 tensor
    """
    x, y = torch.tensor(inputs, dtype=torch.float64), torch.tensor(wanted)
    w = torch.ones(len(y)) if weight is None else torch.tensor(weight)
    classes = y.dtype == torch.int64
    mix = torch.zeros((3, x.shape[1]) if classes else x.shape[1], dtype=torch.float64)
    mix.requires_grad_(True)
    optimizer = torch.optim.LBFGS([mix], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        out = x @ mix.mT if classes else x @ mix
        if classes:
            each = F.cross_entropy(out, y, reduction="none")
        else:
            each = F.binary_cross_entropy_with_logits(out, y.double(), reduction="none")
        total = (each * w).sum() / w.sum() + ridge * mix.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return mix.detach().float()


def paint_faces(folder: Path) -> Iterator[tuple[np.ndarray, Face, list[Mark], list[Mark]]]:
    """Pixels, face, marks and ignored marks of held-out people in the held-out manner."""
    rng, faces = np.random.default_rng(11), load_faces(folder, held_out=True)
    for _ in range(FACES):
        sample = paint(rng, faces, HELD_OUT, None)
        yield sample.pixels, make_face(sample.mesh), sample.marks, sample.ignored


def photo_faces(
    folder: Path, held_out: bool
) -> Iterator[tuple[np.ndarray, Face, list[Mark], list[Mark]]]:
    """The same of photo-like faces as they are; of those learned from, the ones with known marks.

    What the finder that ships did not take for a mark is none: mostly bare skin, else every pale
    shade that the new network sees would pass for one.
    """
    for crop in load_faces(folder, held_out).photos:
        own, maybe = (
            [mark_from_json(value) for value in json.loads(str(crop[name]))]
            for name in ("own", "natural")
        )
        if own or held_out:
            yield crop["pixels"], make_face(crop["mesh"]), own, maybe


def read_renders(data: Path) -> Iterator[tuple[np.ndarray, Face, list[Mark], list[Mark]]]:
    """The same of a folder like marked-people, clean twins too."""
    for path, entry in read_truth_to_score(data):
        picture, marks = analyse_picture(path), {True: [], False: []}
        for value in entry["marks"]:
            marks[value["certain"]].append(mark_from_json(value))
        yield picture.pixels, picture.face, marks[True], marks[False]


def main() -> None:
    """Paint, look, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops.py")
    parser.add_argument("--people", type=Path, required=True, help="folder like marked-people")
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kinds-only", action="store_true", help="leave the chances as they are")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    net = read_heatmap(options.net)
    rounds, kinds, lines = [], [], []
    for pixels, face, marks, ignored in chain(
        paint_faces(options.faces),
        photo_faces(options.faces, held_out=True),
        read_renders(options.people),
    ):
        # The mask of a picture in use: without what was painted over the skin.
        blobs, wrinkles = measure_evidence(net, pixels, face, skin_mask(pixels, face))
        labels = label_blobs(blobs, marks, ignored)
        rounds.append((blobs.evidence[labels > -2], (labels[labels > -2] >= 0).astype(float)))
        kinds.append((blobs.kind_evidence[labels >= 0], labels[labels >= 0]))
        lines.append((wrinkles.evidence, *label_wrinkles(wrinkles, marks, ignored)))
    # Of faces that the network learned from, what it says of kinds counts, not how sure it is.
    for pixels, face, marks, ignored in photo_faces(options.faces, held_out=False):
        blobs, _ = measure_evidence(net, pixels, face, skin_mask(pixels, face))
        labels = label_blobs(blobs, marks, ignored)
        kinds.append((blobs.kind_evidence[labels >= 0], labels[labels >= 0]))
    x, y = map(np.concatenate, zip(*rounds, strict=True))
    kx, ky = map(np.concatenate, zip(*kinds, strict=True))
    lx, ly, lw = map(np.concatenate, zip(*lines, strict=True))
    # Marks are few among candidates: their mean loss is small, and so must the ridge be.
    if not options.kinds_only:
        net.mix_round.copy_(fit_logistic(x, y, 1e-5))
        net.mix_line.copy_(fit_logistic(lx, ly, 1e-4, lw))
    # Freckles are most of what photos show: each kind counts alike, or all would be called spots.
    frequency = np.bincount(ky)[ky]
    net.mix_kind.copy_(fit_logistic(kx, ky.astype(np.int64), 1e-2, frequency.min() / frequency))
    right = (kx @ net.mix_kind.numpy().T).argmax(1) == ky
    print(f"{len(y)} candidates, {int(y.sum())} marks, kinds right {right.mean():.2f}")
    for name in ("mix_round", "mix_kind", "mix_line"):
        print(name, json.dumps(np.round(getattr(net, name).numpy(), 3).tolist()))
    save_heatmap(options.out, net, read_about(options.net))


if __name__ == "__main__":
    main()
