"""Teach the compact R-CNN: an object for each mark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.marks.find.crop import FACE_SPAN_MM, FaceCrop, crop_face
from realism.marks.mark import KINDS, Mark
from realism.marks.teach.dataset import Annotated
from realism.marks.teach.train import Training

if TYPE_CHECKING:
    pass
from realism.marks.find.compact_rcnn import (
    AROUND,
    CompactFinder,
    CompactSettings,
    build_compact,
    find_with_compact,
    network_input,
    read_compact,
    save_compact,
)

LEAST_HALF = 2.5  # px


WRINKLE_HALF = 3.0  # mm; a click on a wrinkle has no size


CROP = 320  # px of the view; what is learned from at once


class CompactLearner:
    """See `train.Learner`."""

    def __init__(self, settings: CompactSettings, network, note: str, taught: bool = False) -> None:
        self.settings, self.network, self.note, self.taught = settings, network, note, taught

    def optimizer(self, training: Training):
        """AdamW: from random weights SGD needs a warm-up and many more steps."""
        import torch

        return torch.optim.AdamW(
            self.network.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )

    def loss(self, faces: list[Annotated]):
        """Sum of the R-CNN's five losses on a crop of each face, half of them around a mark."""
        device = next(self.network.parameters()).device
        images, targets = zip(*map(self._crop, faces), strict=True)
        targets = [{k: v.to(device) for k, v in target.items()} for target in targets]
        return sum(self.network([image.to(device) for image in images], list(targets)).values())

    def _crop(self, face: Annotated):
        """Part of a face's view, and what is there. Chance comes from torch's generator."""
        import torch

        view = crop_face(face.pixels, face.face, face.skin, self.settings.span)
        boxes, points, labels = boxes_of(face, view)
        image = network_input(view)
        rows, columns = image.shape[1:]
        around = torch.rand(4).numpy()
        middle = around[:2] * [columns, rows]
        if len(points) and around[2] < 0.5:
            middle = points[int(around[3] * len(points))] + (around[:2] - 0.5) * CROP / 2
        high = np.maximum([columns - CROP, rows - CROP], 0)
        x0, y0 = np.clip(middle - CROP / 2, 0, high).astype(int)
        image = image[:, y0 : y0 + CROP, x0 : x0 + CROP]
        end = [x0 + image.shape[2], y0 + image.shape[1]]
        inside = ((points > [x0, y0]) & (points < end)).all(1)
        keypoints = np.concatenate([points - [x0, y0], np.ones((len(points), 1))], 1)
        return image, {
            "boxes": torch.from_numpy((boxes - [x0, y0, x0, y0])[inside].astype(np.float32)),
            "labels": torch.from_numpy(labels[inside]),
            "keypoints": torch.from_numpy(keypoints[inside, None].astype(np.float32)),
        }

    def settle(self, faces: list[Annotated]) -> None:
        """Nothing: its scores are chances as they are."""

    def find_all(self, faces: list[Annotated]) -> list[list[Mark]]:
        """All findings, whatever their score."""
        finder = CompactFinder(self.network, self.settings)
        return [find_with_compact(finder, f.pixels, f.face, f.skin) for f in faces]

    def save(self, path: Path) -> None:
        """Weights for `find_with_compact`."""
        save_compact(path, CompactFinder(self.network, self.settings))


def boxes_of(face: Annotated, view: FaceCrop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (n, 4) and centres (n, 2) of the marks in px of a view, and labels (n,) from 1."""
    # torchvision's pixels reach from 0 to 1, ours lie around their centres.
    points = [(click.xy - view.origin + 0.5) * view.scale for click in face.clicks]
    halves = [
        WRINKLE_HALF * view.scale * face.span / FACE_SPAN_MM
        if click.is_wrinkle
        else max(LEAST_HALF, AROUND * click.radius * view.scale)
        for click in face.clicks
    ]
    labels = [KINDS.index(click.kind) + 1 for click in face.clicks]
    at, half = np.reshape(points, (-1, 2)), np.reshape(halves, (-1, 1))
    return np.concatenate([at - half, at + half], 1), at, np.array(labels, np.int64)


def start_compact(span: int = 600, weights: Path | None = None) -> CompactLearner:
    """A learner from `weights`, else from random ones."""
    if weights is not None:
        finder = read_compact(Path(weights))
        return CompactLearner(finder.settings, finder.network, Path(weights).name, True)
    settings = CompactSettings(span)
    return CompactLearner(settings, build_compact(settings), "random weights")
