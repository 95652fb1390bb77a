"""Train a finder on faces that a person annotated.

The loop yields after every step. Every so many steps the finder is evaluated on the images that
it does not learn from, and its weights are kept where they are the best so far. Checkpoints are
written on the way, as safetensors and JSON, so that a killed run goes on where it was and ends
with the same weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from realism.diffusion.device import choose_device
from realism.errors import InputError
from realism.marks.mark import Mark
from realism.marks.teach.augment import augment
from realism.marks.teach.checkpoint import checkpoint_path, resume, run_key, save_checkpoint
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.evaluate import FaceEvaluation, evaluate_face, mean_ap
from realism.marks.teach.settings import TrainingSettings

if TYPE_CHECKING:
    import torch

CALIBRATION_FACES = 24  # that scores are calibrated on: each costs as long as finding
MAX_GRADIENT_NORM = 10.0


class TrainableFinder(Protocol):
    """A finder that can be trained: of `heatmap.py`, `keypoint_rcnn.py` or `compact_rcnn.py`.

    Attributes
    ----------
    initial_weights : str
        Where its first weights come from, in words.
    pretrained : bool
        Whether those know marks already.
    """

    initial_weights: str
    pretrained: bool

    @property
    def network(self) -> "torch.nn.Module":
        """What is trained."""
        ...

    def optimizer(self, settings: TrainingSettings) -> "torch.optim.Optimizer":
        """The optimiser of its trained parameters."""
        ...

    def loss(self, faces: list[AnnotatedFace]) -> "torch.Tensor":
        """The loss of a batch."""
        ...

    def calibrate(self, faces: list[AnnotatedFace]) -> None:
        """Fit, on faces learned from, what its scores need; before it is evaluated or saved."""
        ...

    def find_all(self, faces: list[AnnotatedFace]) -> list[list[Mark]]:
        """Findings, whatever their score."""
        ...

    def save(self, path: Path) -> None:
        """Write weights for `find_marks`."""
        ...


@dataclass(frozen=True)
class TrainStep:
    """One step of training is done.

    Attributes
    ----------
    number, of : int
        Which of how many, from 1.
    loss : float
        Of its batch.
    """

    number: int
    of: int
    loss: float


@dataclass(frozen=True)
class ValidationScore:
    """How the finder does on the validation images.

    Attributes
    ----------
    step : int
        After which it was evaluated.
    mean_ap : float, 0..1
    is_best : bool
        Whether its weights were kept.
    """

    step: int
    mean_ap: float
    is_best: bool


@dataclass(frozen=True, eq=False)
class TrainingEnd:
    """The end of training.

    Attributes
    ----------
    weights : Path
        The file to give to `find_marks`.
    initial_weights : str
        Where the first weights came from.
    best : (int, float)
        Step and mean AP of the weights kept.
    """

    weights: Path
    initial_weights: str
    best: tuple[int, float]


def split_faces(
    faces: list[AnnotatedFace], validation: int
) -> tuple[list[AnnotatedFace], list[AnnotatedFace]]:
    """Faces to learn from and faces to evaluate on, by image; at least one of each.

    By the name's hash, so that adding images later moves none from one side to the other.

    Parameters
    ----------
    faces : list of AnnotatedFace
    validation : int
        One in so many is evaluated on.

    Raises
    ------
    InputError
        For fewer than two faces.
    """
    if len(faces) < 2:
        raise InputError("one_face_to_train_on" if faces else "no_face_to_train_on")
    ordered = sorted(faces, key=lambda face: sha256(face.name.encode()).hexdigest())
    held_out = ordered[: max(1, len(ordered) // validation)]
    return ordered[len(held_out) :], held_out


def train(
    faces: list[AnnotatedFace],
    finder: TrainableFinder,
    out: Path,
    settings: TrainingSettings,
    key: str = "",
) -> Iterator[TrainStep | ValidationScore | TrainingEnd]:
    """Train and keep the best weights in `out`; resumes from its checkpoint.

    Parameters
    ----------
    faces : list of AnnotatedFace
        At least 2.
    finder : TrainableFinder
    out : Path
        The safetensors file to write.
    settings : TrainingSettings
    key : str
        Of what else makes this run differ from another, such as the model's name.

    Raises
    ------
    InputError
        For too few faces, or a checkpoint of another run.
    """
    import torch

    learned_from, held_out = split_faces(faces, settings.validation)
    device = choose_device()
    network, optimizer = finder.network.to(device.name), finder.optimizer(settings)
    checkpoint = checkpoint_path(out)
    key = run_key(faces, settings, key)
    done, best = resume(checkpoint, network, optimizer, key)
    if finder.pretrained and best is None:
        # Few annotations may teach nothing new: then what was known is kept, calibrated or not.
        best = (0, mean_ap(evaluate_finder(finder, held_out)))
        finder.save(out)
        yield ValidationScore(*best, True)
        score = _calibrated_score(finder, learned_from, held_out)
        is_best = score > best[1]
        if is_best:
            best = (0, score)
            finder.save(out)
        yield ValidationScore(0, score, is_best)
    for number in range(done + 1, settings.steps + 1):
        # Its own generator a step: a resumed run sees the same faces in the same order.
        rng = np.random.default_rng([settings.seed, number])
        picked = rng.integers(len(learned_from), size=settings.batch)
        torch.manual_seed(settings.seed + 7919 * number)  # R-CNNs sample boxes at random
        network.train()
        with device.training_context():
            loss = finder.loss([augment(learned_from[i], rng) for i in picked])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield TrainStep(number, settings.steps, loss.item())
        score = None
        if number % settings.judge_every == 0 or number == settings.steps:
            score = _calibrated_score(finder, learned_from, held_out)
            # On a tie the later weights, unless the first ones knew marks.
            is_best = best is None or score > best[1] or (score == best[1] and best[0] > 0)
            if is_best:
                best = (number, score)
                finder.save(out)
        if score is not None or number % settings.save_every == 0:
            save_checkpoint(checkpoint, network, optimizer, number, best, key)
        if score is not None:
            yield ValidationScore(number, score, is_best)
    if best is None:
        # Fewer steps are asked for than were done, and none was evaluated.
        best = (done, _calibrated_score(finder, learned_from, held_out))
        finder.save(out)
    yield TrainingEnd(Path(out), finder.initial_weights, best)


def _calibrated_score(
    finder: TrainableFinder, learned_from: list[AnnotatedFace], held_out: list[AnnotatedFace]
) -> float:
    """Mean AP on faces held out, after calibrating on some of the others."""
    finder.network.eval()
    finder.calibrate(learned_from[:CALIBRATION_FACES])
    return mean_ap(evaluate_finder(finder, held_out))


def evaluate_finder(finder: TrainableFinder, faces: list[AnnotatedFace]) -> list[FaceEvaluation]:
    """What a finder finds on annotated faces, matched."""
    finder.network.eval()
    found = finder.find_all(faces)
    return [evaluate_face(face, marks) for face, marks in zip(faces, found, strict=True)]
