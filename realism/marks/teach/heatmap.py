"""Adjust the default finder to what a person annotated: its network, and how its answers weigh.

A click is a point: a round mark's radius is not taught, and a wrinkle is wanted along the fold that
is seen to pass the click, else at its place only. What the untrained finder takes for a faint
mark and nobody clicked is not held against the network: people leave faint marks out. Where no face
has two marks of one kind, each kind was clicked once at most, as the original's authors did: then
no finding at all is held against it.
"""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from realism.marks.find.crop import FACE_SPAN_MM, FaceCrop, crop_face
from realism.marks.find.finders import HEATMAP_WEIGHTS, find_marks
from realism.marks.mark import Mark, Wrinkle, make_mark
from realism.marks.teach.dataset import Annotated
from realism.marks.teach.evaluate import LINE_REACH, REACH, gap_of
from realism.marks.teach.train import Training

CROP = 256  # px of the view; what is learned from at once
FAINT = (0.1, 0.5)  # scores of the untrained finder; below it is skin, above it would be clicked
SMOOTHING = 0.1  # of the kinds: people differ about mole and spot


class HeatmapLearner:
    """See `train.Learner`."""

    def __init__(self, network, note: str, taught: bool) -> None:
        self.network, self.note, self.taught = network, note, taught
        mixes = (network.mix_round, network.mix_kind, network.mix_line)
        self.before = tuple(mix.detach().clone().cpu() for mix in mixes)

    def optimizer(self, training: Training):
        """AdamW, as the network was first trained."""
        import torch

        return torch.optim.AdamW(
            self.network.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )

    def loss(self, faces: list[Annotated]):
        """Loss of a crop of each face, half of them around a mark. Chance is torch's."""
        import torch
        from torch import nn

        from realism.marks.teach.targets import heatmap_loss, stack

        if self.taught:
            # What is usual on faces is known from many more than these.
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        device = next(self.network.parameters()).device
        inputs, wanted = zip(*map(crop_of, faces), strict=True)
        target = stack(list(wanted))
        on_device = type(target)(*(value.to(device) for value in vars(target).values()))
        output = self.network(torch.stack(inputs).to(device))
        return sum(heatmap_loss(output, on_device, SMOOTHING).values())

    def settle(self, faces: list[Annotated]) -> None:
        """Weigh the network's answers and the plain measures anew; see `learn_mix.py`.

        How several photos join (`mix_several`) is kept: the new scores are chances as the old were.
        """
        from realism.marks.teach.calibrate import weighed

        net = copy.deepcopy(self.network).cpu().eval()
        mixes = (self.network.mix_round, self.network.mix_kind, self.network.mix_line)
        for mix, value in zip(mixes, weighed(net, self.before, faces), strict=True):
            mix.copy_(value)

    def find_all(self, faces: list[Annotated]) -> list[list[Mark]]:
        """All findings, whatever their score."""
        from realism.marks.find.heatmap import find_with_heatmap

        net = copy.deepcopy(self.network).cpu().eval()
        return [find_with_heatmap(net, face.pixels, face.face, face.skin) for face in faces]

    def save(self, path: Path) -> None:
        """Weights for `find.find_marks`."""
        from realism.marks.find.network import save_heatmap

        save_heatmap(path, self.network, {"adjusted": self.note})


def crop_of(face: Annotated):
    """What the network sees of a part of a face, (3, CROP, CROP), and what it should answer."""
    import torch

    from realism.marks.find.network import normalise
    from realism.marks.teach.targets import targets

    view = crop_face(face.pixels, face.face, face.skin)
    marks = [
        make_mark(click.kind, click.xy, click.radius, polyline=_course(click, face))
        for click in face.clicks
    ]
    marks, doubts = (_in_view(some, view) for some in (marks, face.doubts))
    height, width = view.skin.shape
    chance = torch.rand(4).numpy()
    middle = chance[:2] * [width, height]
    if marks and chance[2] < 0.5:
        middle = marks[int(chance[3] * len(marks))].xy + (chance[:2] - 0.5) * CROP / 2
    x0, y0 = np.clip(middle - CROP / 2, 0, np.maximum([width - CROP, height - CROP], 0)).astype(int)
    seen = normalise(view.log_light, view.skin)[:, y0 : y0 + CROP, x0 : x0 + CROP]
    rows, columns = seen.shape[1:]
    seen = np.pad(seen, [(0, 0), (0, CROP - rows), (0, CROP - columns)], "edge")
    marks, doubts = (_moved(some, np.float32([-x0, -y0])) for some in (marks, doubts))
    answer = targets(marks, (CROP, CROP), doubts, radii=False)
    return torch.from_numpy(np.ascontiguousarray(seen, np.float32)), answer


def _course(click, face: Annotated) -> np.ndarray:
    """The fold that passes a wrinkle's click, (0, 2) where none is seen."""
    passing = [
        (gap_of(mark, click), i)
        for i, mark in enumerate(face.doubts)
        if click.is_wrinkle and mark.is_traced
    ]
    gap, nearest = min(passing, default=(np.inf, 0))
    if gap > LINE_REACH * face.span / FACE_SPAN_MM:
        return np.zeros((0, 2), np.float32)
    return face.doubts[nearest].points


def _in_view(marks, view: FaceCrop) -> list[Mark]:
    """Marks of the picture in px of a view."""
    by, scale = 0.5 - view.origin.astype(np.float32), np.float32(view.scale)
    return [mark.mapped(lambda points: (points + by) * scale - 0.5, view.scale) for mark in marks]


def _moved(marks, by: np.ndarray) -> list[Mark]:
    return [mark.mapped(lambda points: points + by) for mark in marks]


def with_doubts(faces: list[Annotated]) -> tuple[list[Annotated], str]:
    """The faces with what must not be held against a network, and that in words."""
    once = not any(len({c.kind for c in face.clicks}) < len(face.clicks) for face in faces) and any(
        face.clicks for face in faces
    )
    doubted = [replace(face, doubts=_doubts(face, once)) for face in faces]
    count = sum(len(face.doubts) for face in doubted)
    if once:
        return doubted, (
            "No face has two marks of one kind, so what was not clicked is not taken for bare "
            f"skin: {count} places that may be marks count neither way"
        )
    return doubted, f"{count} faint places that nobody clicked count neither way"


def _doubts(face: Annotated, once: bool) -> tuple[Mark, ...]:
    least, most = FAINT
    found = find_marks(face.pixels, face.face, face.skin, "dog", threshold=least)
    mm = face.span / FACE_SPAN_MM
    kept = []
    for mark in found:
        own = [c for c in face.clicks if c.is_wrinkle == isinstance(mark, Wrinkle)]
        gap = min((gap_of(mark, click) for click in own), default=np.inf)
        clicked = gap <= (LINE_REACH if isinstance(mark, Wrinkle) else REACH) * mm
        # A clicked fold is kept whatever its score: its course is what the click means.
        if once or mark.score < most or (clicked and isinstance(mark, Wrinkle)):
            kept.append(mark)
    return tuple(kept)


def start_heatmap(weights: Path | None = None) -> HeatmapLearner:
    """A learner from `weights`, else from those that come with the program."""
    from realism.marks.find.network import read_heatmap

    given = Path(weights or HEATMAP_WEIGHTS)
    return HeatmapLearner(read_heatmap(given).requires_grad_(True), given.name, True)
