"""Train the compact R-CNN: an object for each mark."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
from realism.marks.find.crop import FACE_SPAN_MM, SPAN, FaceCrop, crop_face
from realism.marks.mark import KINDS, Mark
from realism.marks.teach.augment import draw_window
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.settings import TrainingSettings

if TYPE_CHECKING:
    import torch

LEAST_HALF = 2.5  # px, of a box's side
WRINKLE_HALF = 3.0  # mm; a click on a wrinkle has no size
WINDOW = 320  # px of the face's crop; what is learned from at once


class TrainableCompactRcnn:
    """See `train.TrainableFinder`."""

    def __init__(
        self,
        settings: CompactSettings,
        network: "torch.nn.Module",
        initial_weights: str,
        pretrained: bool = False,
    ) -> None:
        self.settings, self.network = settings, network
        self.initial_weights, self.pretrained = initial_weights, pretrained

    def optimizer(self, settings: TrainingSettings) -> "torch.optim.Optimizer":
        """AdamW: from random weights SGD needs a warm-up and many more steps."""
        import torch

        return torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )

    def loss(self, faces: list[AnnotatedFace]) -> "torch.Tensor":
        """Sum of the R-CNN's five losses on a window of each face, half of them around a mark."""
        import torch

        device = next(self.network.parameters()).device
        images, targets = zip(*map(self._training_window, faces), strict=True)
        targets = [{k: v.to(device) for k, v in target.items()} for target in targets]
        parts = self.network([image.to(device) for image in images], targets)
        return sum(parts.values(), torch.zeros(()))

    def _training_window(
        self, face: AnnotatedFace
    ) -> tuple["torch.Tensor", dict[str, "torch.Tensor"]]:
        """A window of a face as the network sees it, and what is there, as torchvision has it."""
        import torch

        crop = crop_face(face.pixels, face.face, face.skin, self.settings.span)
        boxes, points, labels = mark_boxes(face, crop)
        image = network_input(crop)
        x0, y0 = draw_window((image.shape[1], image.shape[2]), points, WINDOW)
        image = image[:, y0 : y0 + WINDOW, x0 : x0 + WINDOW]
        end = [x0 + image.shape[2], y0 + image.shape[1]]
        inside = ((points > [x0, y0]) & (points < end)).all(1)
        keypoints = np.concatenate([points - [x0, y0], np.ones((len(points), 1))], 1)
        return image, {
            "boxes": torch.from_numpy((boxes - [x0, y0, x0, y0])[inside].astype(np.float32)),
            "labels": torch.from_numpy(labels[inside]),
            "keypoints": torch.from_numpy(keypoints[inside, None].astype(np.float32)),
        }

    def calibrate(self, faces: list[AnnotatedFace]) -> None:
        """Nothing: its scores are probabilities as they are."""

    def find_all(self, faces: list[AnnotatedFace]) -> list[list[Mark]]:
        """All findings, whatever their score."""
        finder = CompactFinder(self.network, self.settings)
        return [find_with_compact(finder, face.pixels, face.face, face.skin) for face in faces]

    def save(self, path: Path) -> None:
        """Weights for `find_with_compact`."""
        save_compact(path, CompactFinder(self.network, self.settings))


def mark_boxes(face: AnnotatedFace, crop: FaceCrop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the network should find.

    Returns
    -------
    boxes : (n, 4) ndarray, px of the crop
    centres : (n, 2) ndarray, px of the crop
    labels : (n,) int64 ndarray
        From 1, in the order of KINDS.
    """
    # torchvision's pixels reach from 0 to 1, ours lie around their centres.
    centres = [(click.xy - crop.origin + 0.5) * crop.scale for click in face.clicks]
    halves = [
        WRINKLE_HALF * crop.scale * face.span / FACE_SPAN_MM
        if click.is_wrinkle
        else max(LEAST_HALF, AROUND * click.radius * crop.scale)
        for click in face.clicks
    ]
    labels = [KINDS.index(click.kind) + 1 for click in face.clicks]
    at, half = np.reshape(centres, (-1, 2)), np.reshape(halves, (-1, 1))
    return np.concatenate([at - half, at + half], 1), at, np.array(labels, np.int64)


def load_trainable_compact(span: int = SPAN, weights: Path | None = None) -> TrainableCompactRcnn:
    """The finder with `weights`, else with random ones.

    Parameters
    ----------
    span : int, px
        From ear to ear, at which faces are seen; with `weights`, theirs counts.
    weights : Path, optional

    Raises
    ------
    InputError
        For weights that are not there or of another network.
    """
    if weights is not None:
        finder = read_compact(Path(weights))
        return TrainableCompactRcnn(finder.settings, finder.network, Path(weights).name, True)
    settings = CompactSettings(span)
    return TrainableCompactRcnn(settings, build_compact(settings), "random weights")
