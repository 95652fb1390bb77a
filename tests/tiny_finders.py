"""Faces with clicks, and finders small enough to be trained in a test."""

import numpy as np
import torch

from realism.marks.find.compact_rcnn import CompactSettings, build_compact
from realism.marks.find.keypoint_rcnn import KeypointSettings, build_keypoints
from realism.marks.teach.compact_rcnn import TrainableCompactRcnn
from realism.marks.teach.keypoint_rcnn import TrainableKeypointRcnn
from realism.marks.teach.settings import TrainingSettings
from realism.marks.teach.snap import Click

SMALL = KeypointSettings("scratch", min_size=64)
TINY = CompactSettings(span=100, channels=16)
TRAINING = TrainingSettings(steps=2, batch=1, judge_every=2, learning_rate=1e-3)


def click(kind: str, x: float, y: float) -> Click:
    """A click that is where its mark is."""
    return Click(kind, np.float32([x, y]), np.float32([x, y]), 3.0, False)


def compact_finder() -> TrainableCompactRcnn:
    """A compact R-CNN with random weights."""
    torch.manual_seed(0)
    return TrainableCompactRcnn(TINY, build_compact(TINY), "random weights")


def keypoint_finder() -> TrainableKeypointRcnn:
    """A keypoint R-CNN with random weights."""
    torch.manual_seed(0)
    return TrainableKeypointRcnn(SMALL, build_keypoints(SMALL), "random weights")
