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
from typing import TYPE_CHECKING

import numpy as np

from realism.marks.find.crop import FACE_SPAN_MM, crop_face
from realism.marks.find.finders import DOG, HEATMAP_WEIGHTS, find_marks
from realism.marks.mark import Mark, Wrinkle, make_mark
from realism.marks.teach.augment import draw_window
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.evaluate import ROUND_REACH, WRINKLE_REACH, distance_to_click
from realism.marks.teach.settings import TrainingSettings
from realism.marks.teach.snap import Click

if TYPE_CHECKING:
    import torch

    from realism.marks.find.network import HeatmapNet
    from realism.marks.teach.targets import Targets

WINDOW = 256  # px of the face's crop; what is learned from at once
FAINT = (0.1, 0.5)  # scores of the untrained finder; below it is skin, above it would be clicked
KIND_SMOOTHING = 0.1  # people differ about mole and spot


class TrainableHeatmap:
    """See `train.TrainableFinder`."""

    def __init__(self, network: "HeatmapNet", initial_weights: str, pretrained: bool) -> None:
        self.network = network
        self.initial_weights, self.pretrained = initial_weights, pretrained
        self.before = tuple(weights.detach().clone().cpu() for weights in self._evidence_weights())

    def _evidence_weights(self) -> tuple["torch.Tensor", ...]:
        return self.network.mix_round, self.network.mix_kind, self.network.mix_line

    def optimizer(self, settings: TrainingSettings) -> "torch.optim.Optimizer":
        """AdamW, as the network was first trained."""
        import torch

        return torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )

    def loss(self, faces: list[AnnotatedFace]) -> "torch.Tensor":
        """Loss of a window of each face, half of them around a mark. Chance is torch's."""
        import torch
        from torch import nn

        from realism.marks.teach.targets import heatmap_loss, stack_targets

        if self.pretrained:
            # What is usual on faces is known from many more than these.
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        device = next(self.network.parameters()).device
        inputs, wanted = zip(*map(training_window, faces), strict=True)
        targets = stack_targets(list(wanted)).to(device)
        output = self.network(torch.stack(inputs).to(device))
        parts = heatmap_loss(output, targets, KIND_SMOOTHING)
        return sum(parts.values(), torch.zeros(()))

    def calibrate(self, faces: list[AnnotatedFace]) -> None:
        """Fit how the network's answers and the plain measures of the light weigh.

        How several photos join (`mix_several`) is kept: the new scores are chances as the old were.
        """
        from realism.marks.teach.calibrate import fit_weights

        net = copy.deepcopy(self.network).cpu().eval()
        fitted = fit_weights(net, self.before, faces)
        for weights, value in zip(self._evidence_weights(), fitted, strict=True):
            weights.copy_(value)

    def find_all(self, faces: list[AnnotatedFace]) -> list[list[Mark]]:
        """All findings, whatever their score."""
        from realism.marks.find.heatmap import find_with_heatmap

        net = copy.deepcopy(self.network).cpu().eval()
        return [find_with_heatmap(net, face.pixels, face.face, face.skin) for face in faces]

    def save(self, path: Path) -> None:
        """Weights for `find_marks`."""
        from realism.marks.find.network import save_heatmap

        save_heatmap(path, self.network, {"adjusted": self.initial_weights})


def training_window(face: AnnotatedFace) -> "tuple[torch.Tensor, Targets]":
    """A window of a face as the network sees it, (3, WINDOW, WINDOW), and what it should answer."""
    import torch

    from realism.marks.find.network import normalise
    from realism.marks.teach.targets import make_targets

    crop = crop_face(face.pixels, face.face, face.skin)
    clicked = [
        make_mark(click.kind, click.xy, click.radius, polyline=_wrinkle_polyline(click, face))
        for click in face.clicks
    ]

    def to_crop(points: np.ndarray) -> np.ndarray:
        return crop.from_picture(points).astype(np.float32)

    in_crop = [mark.mapped(to_crop, crop.scale) for mark in clicked]
    points = np.array([mark.xy for mark in in_crop]).reshape(-1, 2)
    x0, y0 = draw_window(crop.skin.shape, points, WINDOW)
    seen = normalise(crop.log_light, crop.skin)[:, y0 : y0 + WINDOW, x0 : x0 + WINDOW]
    rows, columns = seen.shape[1:]
    seen = np.pad(seen, [(0, 0), (0, WINDOW - rows), (0, WINDOW - columns)], "edge")

    def to_window(points: np.ndarray) -> np.ndarray:
        return to_crop(points) - np.array([x0, y0], np.float32)

    marks, ignored = (
        [mark.mapped(to_window, crop.scale) for mark in some] for some in (clicked, face.ignored)
    )
    wanted = make_targets(marks, (WINDOW, WINDOW), ignored, has_radii=False)
    return torch.from_numpy(np.ascontiguousarray(seen, np.float32)), wanted


def _wrinkle_polyline(click: Click, face: AnnotatedFace) -> np.ndarray:
    """The fold that passes a wrinkle's click, (n, 2) px; (0, 2) where none is seen."""
    passing = [
        (distance_to_click(mark, click), number)
        for number, mark in enumerate(face.ignored)
        if click.is_wrinkle and mark.is_traced
    ]
    distance, nearest = min(passing, default=(np.inf, 0))
    if distance > WRINKLE_REACH * face.span / FACE_SPAN_MM:
        return np.zeros((0, 2), np.float32)
    return face.ignored[nearest].points


def has_one_click_a_kind(faces: list[AnnotatedFace]) -> bool:
    """Whether there are clicks, and no face has two of one kind."""
    kinds = [[click.kind for click in face.clicks] for face in faces]
    return any(kinds) and all(len(set(of_face)) == len(of_face) for of_face in kinds)


def ignore_unclicked(faces: list[AnnotatedFace]) -> list[AnnotatedFace]:
    """The faces with the places that must not be held against a network.

    These are what the finder without training finds faintly; all that it finds where faces
    have one click a kind (`has_one_click_a_kind`).
    """
    every = has_one_click_a_kind(faces)
    return [replace(face, ignored=_find_ignored(face, every)) for face in faces]


def _find_ignored(face: AnnotatedFace, every: bool) -> tuple[Mark, ...]:
    least, most = FAINT
    found = find_marks(face.pixels, face.face, face.skin, DOG.name, threshold=least)
    px_per_mm = face.span / FACE_SPAN_MM
    kept = []
    for mark in found:
        is_wrinkle = isinstance(mark, Wrinkle)
        own = [click for click in face.clicks if click.is_wrinkle == is_wrinkle]
        distance = min((distance_to_click(mark, click) for click in own), default=np.inf)
        is_clicked = distance <= (WRINKLE_REACH if is_wrinkle else ROUND_REACH) * px_per_mm
        # A clicked fold is kept whatever its score: its polyline is what the click means.
        if every or mark.score < most or (is_clicked and is_wrinkle):
            kept.append(mark)
    return tuple(kept)


def load_trainable_heatmap(weights: Path | None = None) -> TrainableHeatmap:
    """The finder with `weights`, else with those that come with the program.

    Raises
    ------
    InputError
        For weights that are not there or of another network.
    """
    from realism.marks.find.network import read_heatmap

    given = Path(weights or HEATMAP_WEIGHTS)
    return TrainableHeatmap(read_heatmap(given).requires_grad_(True), given.name, True)
