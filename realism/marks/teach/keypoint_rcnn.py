"""Train the original's keypoint R-CNN: one box a face, four points, (0, 0) for what is absent.

It starts from ImageNet's ResNet-50 as the original did, where torchvision has that or can fetch
it; else from random weights, and says so.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realism.marks.find.keypoint_rcnn import (
    FaceView,
    KeypointFinder,
    KeypointSettings,
    build_keypoints,
    four_points,
    marks_from_points,
    read_keypoints,
    save_keypoints,
    view_face,
)
from realism.marks.mark import KINDS, Mark
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.settings import TrainingSettings

if TYPE_CHECKING:
    import torch

# Boxes that a face's crop teaches by; 512 are for pictures of many things, and cost the most.
BOXES = 64
MIN_SIZE = 640  # px, of a crop's shorter side
PROBE_TIMEOUT = 5  # s to wait for the server of ImageNet's weights


class TrainableKeypointRcnn:
    """See `train.TrainableFinder`."""

    def __init__(
        self,
        settings: KeypointSettings,
        network: Any,  # torchvision's KeypointRCNN
        initial_weights: str,
        pretrained: bool = False,
    ) -> None:
        self.settings, self.network = settings, network
        self.initial_weights, self.pretrained = initial_weights, pretrained
        network.roi_heads.fg_bg_sampler.batch_size_per_image = BOXES

    def optimizer(self, settings: TrainingSettings) -> "torch.optim.Optimizer":
        """AdamW: by SGD at torchvision's rate, random weights had learned no point in 300 steps."""
        import torch

        trained = [p for p in self.network.parameters() if p.requires_grad]
        return torch.optim.AdamW(
            trained, settings.learning_rate, weight_decay=settings.weight_decay
        )

    def loss(self, faces: list[AnnotatedFace]) -> "torch.Tensor":
        """Sum of the R-CNN's five losses."""
        import torch

        device = next(self.network.parameters()).device
        views = [self._view(face) for face in faces]
        images = [view.image.to(device) for view in views]
        targets = [
            {name: value.to(device) for name, value in keypoint_target(face, view).items()}
            for face, view in zip(faces, views, strict=True)
        ]
        return sum(self.network(images, targets).values(), torch.zeros(()))

    def calibrate(self, faces: list[AnnotatedFace]) -> None:
        """Measure from which height of its heat map each kind counts as there."""
        answers = [four_points(self.network, self._view(face).image) for face in faces]
        there = [[any(c.kind == kind for c in f.clicks) for kind in KINDS] for f in faces]
        peaks = [peaks for _, peaks in answers]
        seen = [points is not None for points, _ in answers]
        self.settings = replace(self.settings, levels=choose_levels(peaks, there, seen))

    def find_all(self, faces: list[AnnotatedFace]) -> list[list[Mark]]:
        """The four points of each face, scored against the levels."""
        found = []
        for face in faces:
            view = self._view(face)
            points, peaks = four_points(self.network, view.image)
            found.append(marks_from_points(points, peaks, self.settings, view, face.face))
        return found

    def _view(self, face: AnnotatedFace) -> FaceView:
        return view_face(self.settings, face.pixels, face.face, face.skin)

    def save(self, path: Path) -> None:
        """Weights with the levels measured last."""
        save_keypoints(path, KeypointFinder(self.network, self.settings))


def load_trainable_keypoints(
    min_size: int = MIN_SIZE, weights: Path | None = None, backbone: str | None = None
) -> TrainableKeypointRcnn:
    """The finder with `weights`, else with ImageNet's backbone where it can be had.

    Parameters
    ----------
    min_size : int, px
        A crop's shorter side is brought to it; with `weights`, theirs counts.
    weights : Path, optional
    backbone : str, optional
        "scratch" does not look for ImageNet's.

    Raises
    ------
    InputError
        For weights that are not there or of another network.
    """
    if weights is not None:
        finder = read_keypoints(Path(weights))
        return TrainableKeypointRcnn(finder.settings, finder.network, Path(weights).name, True)
    given, why_not = (None, "as asked") if backbone == "scratch" else load_imagenet_backbone()
    settings = KeypointSettings("scratch" if given is None else "imagenet", min_size)
    network: Any = build_keypoints(settings)
    if given is None:
        return TrainableKeypointRcnn(settings, network, f"random weights ({why_not})")
    network.backbone.body.load_state_dict(given, strict=True)
    return TrainableKeypointRcnn(settings, network, "ImageNet's ResNet-50, of torchvision")


def load_imagenet_backbone() -> tuple[dict | None, str]:
    """torchvision's ResNet-50 from its cache or by download, or None and why not."""
    import urllib.error
    import urllib.request

    import torch
    from torchvision.models import ResNet50_Weights

    url = ResNet50_Weights.IMAGENET1K_V1.url
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    try:
        if not cached.exists():
            with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT):
                pass  # is the server there at all? torch's own download has no time limit
        weights = torch.hub.load_state_dict_from_url(url, progress=False, weights_only=True)
    except (urllib.error.URLError, OSError) as error:
        return None, f"ImageNet's cannot be had: {error}"
    # fc.* is the classifier: the detector has none.
    return {k: v for k, v in weights.items() if not k.startswith("fc.")}, ""


def keypoint_target(face: AnnotatedFace, view: FaceView) -> "dict[str, torch.Tensor]":
    """One box and four points of a face; of each kind the first click counts, as the original.

    Parameters
    ----------
    face : AnnotatedFace
    view : FaceView
        Of it.

    Returns
    -------
    dict of str to tensor
        "boxes" (1, 4) px, "labels" (1,) and "keypoints" (1, 4, 3): x, y px of the view and 1, in
        the order of KINDS; 0, 0, 0 where absent.
    """
    import torch

    points = np.zeros((len(KINDS), 3), np.float32)
    for click in reversed(face.clicks):
        points[KINDS.index(click.kind)] = [*view.from_picture(click.xy), 1]
    return {
        "boxes": torch.from_numpy(view.box)[None],
        "labels": torch.ones(1, dtype=torch.int64),
        "keypoints": torch.from_numpy(points)[None],
    }


def choose_levels(
    peaks: list[np.ndarray], there: list[list[bool]], seen: list[bool]
) -> tuple[float, ...]:
    """Peak level of each kind that best parts faces with it from faces without.

    Parameters
    ----------
    peaks : list of (4,) ndarray
        A face's heights of the heat maps, in the order of KINDS.
    there : list of list of bool
        Whether the face has the kind.
    seen : list of bool
        Whether the network found the face at all.
    """
    if not any(seen):
        return (0.0,) * len(KINDS)
    heights = np.array([p for p, s in zip(peaks, seen, strict=True) if s], float)
    present = np.array([t for t, s in zip(there, seen, strict=True) if s], bool)
    found = []
    for kind in range(len(KINDS)):
        with_it, without = heights[present[:, kind], kind], heights[~present[:, kind], kind]
        if not len(with_it) or not len(without):
            # Nothing to part: all that was seen is on one side of the level.
            found.append(with_it.min() - 1.0 if len(with_it) else without.max() + 1.0)
            continue
        tried = np.sort(heights[:, kind])
        right = [(with_it >= t).sum() + (without < t).sum() for t in tried]
        found.append(tried[int(np.argmax(right))])
    return tuple(float(level) for level in found)
