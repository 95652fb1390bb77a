"""Train a finder on faces that a person annotated.

The loop yields after every step. Every so many steps the finder is judged on the images that
it does not learn from, and its weights are kept where they are the best so far. Checkpoints are
written on the way, as safetensors and JSON, so that a killed run goes on where it was and ends
with the same weights.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from realism.diffusion.device import choose_device
from realism.disk import whole_file
from realism.errors import InputError
from realism.marks.mark import Mark
from realism.marks.teach.dataset import Annotated, counts
from realism.marks.teach.evaluate import Judged, judge, mean_ap

if TYPE_CHECKING:
    import torch

MODELS = ("heatmap", "resnet50", "compact")
LARGEST = 600.0  # px from ear to ear: what the finders look at
SETTLED = 24  # faces that scores are settled on: each costs as long as finding


@dataclass(frozen=True)
class Training:
    """How a finder is trained."""

    steps: int = 2000
    batch: int = 2  # faces a step
    learning_rate: float = 3e-4  # of AdamW
    weight_decay: float = 1e-2
    judge_every: int = 200  # steps
    save_every: int = 50  # steps to a checkpoint; one is written after judging, too
    seed: int = 7
    validation: int = 5  # every 5th image judges, and is not learned from


RECIPES = {
    "heatmap": Training(steps=400, batch=4, learning_rate=1e-4),
    "resnet50": Training(learning_rate=2e-4),
    "compact": Training(steps=4000),
}


class Learner(Protocol):
    """A finder that learns: `learn_keypoint.py`, `compact.py`, `learn_heatmap.py`.

    network    torch module
    note       where its first weights come from, in words
    taught     whether those know marks already
    """

    network: "torch.nn.Module"
    note: str
    taught: bool

    def optimizer(self, training: Training) -> "torch.optim.Optimizer":
        """The optimiser of its trained parameters."""

    def loss(self, faces: list[Annotated]) -> "torch.Tensor":
        """The loss of a batch."""

    def settle(self, faces: list[Annotated]) -> None:
        """Measure, on faces learned from, what its scores need; before it is judged or saved."""

    def find_all(self, faces: list[Annotated]) -> list[list[Mark]]:
        """Findings, whatever their score."""

    def save(self, path: Path) -> None:
        """Write weights for `find_marks`."""


@dataclass(frozen=True)
class TrainStep:
    """One step of training."""

    number: int
    of: int
    loss: float


@dataclass(frozen=True)
class Score:
    """How the finder does on the validation images; `best` when its weights were kept."""

    number: int
    mean_ap: float
    best: bool


@dataclass(frozen=True, eq=False)
class Trained:
    """The end of training.

    weights    the file to give to `find_marks`
    note       where the first weights came from
    best       step and mean AP of the weights kept
    """

    weights: Path
    note: str
    best: tuple[int, float]


def split(faces: list[Annotated], validation: int) -> tuple[list[Annotated], list[Annotated]]:
    """Faces to learn from and faces to judge on, by image; at least one of each.

    By the name's hash, so that adding images later moves none from one side to the other.
    """
    if len(faces) < 2:
        raise InputError("one_face_to_train_on" if faces else "no_face_to_train_on")
    ordered = sorted(faces, key=lambda face: sha256(face.name.encode()).hexdigest())
    judging = ordered[: max(1, len(ordered) // validation)]
    return ordered[len(judging) :], judging


def train(
    faces: list[Annotated], learner: Learner, out: Path, training: Training, key: str = ""
) -> Iterator[TrainStep | Score | Trained]:
    """Train and keep the best weights in `out` (safetensors); resumes from its checkpoint.

    faces    at least 2
    key      of what else makes this run differ from another, such as the model's name
    Raises InputError for too few faces, or a checkpoint of another run.
    """
    import torch

    learning, judging = split(faces, training.validation)
    device = choose_device()
    network, optimizer = learner.network.to(device.name), learner.optimizer(training)
    checkpoint = checkpoint_of(out)
    key = _run_key(faces, training, key)
    done, best = _resume(checkpoint, network, optimizer, key)
    if learner.taught and best is None:
        # Few annotations may teach nothing new: then what was known is kept, settled or not.
        best = (0, mean_ap(judge_learner(learner, judging)))
        learner.save(out)
        yield Score(*best, True)
        network.eval()
        learner.settle(learning[:SETTLED])
        near = mean_ap(judge_learner(learner, judging))
        better = near > best[1]
        if better:
            best = (0, near)
            learner.save(out)
        yield Score(0, near, better)
    for number in range(done + 1, training.steps + 1):
        # Its own generator a step: a resumed run sees the same faces in the same order.
        rng = np.random.default_rng([training.seed, number])
        picked = rng.integers(len(learning), size=training.batch)
        torch.manual_seed(training.seed + 7919 * number)  # R-CNNs sample boxes at random
        network.train()
        with device.training_context():
            loss = learner.loss([varied(learning[i], rng) for i in picked])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield TrainStep(number, training.steps, loss.item())
        judged = number % training.judge_every == 0 or number == training.steps
        if judged:
            network.eval()
            learner.settle(learning[:SETTLED])
            near = mean_ap(judge_learner(learner, judging))
            # On a tie the later weights, unless the first ones knew marks.
            better = best is None or near > best[1] or (near == best[1] and best[0] > 0)
            if better:
                best = (number, near)
                learner.save(out)
        if judged or number % training.save_every == 0:
            _save_checkpoint(checkpoint, network, optimizer, number, best, key)
        if judged:
            yield Score(number, near, better)
    yield Trained(Path(out), learner.note, best)


def judge_learner(learner: Learner, faces: list[Annotated]) -> list[Judged]:
    """What a learner finds on annotated faces, matched."""
    learner.network.eval()
    found = learner.find_all(faces)
    return [judge(face, marks) for face, marks in zip(faces, found, strict=True)]


def varied(face: Annotated, rng: np.random.Generator) -> Annotated:
    """The face in other light, and mirrored or not: for a finder left and right are alike.

    The mesh of a mirrored face keeps the numbers of its points: only its outline can be used.
    """
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.04, 3))
    pixels = np.clip(255 * (face.pixels / 255.0) ** np.exp(rng.normal(0, 0.1)) * gain, 0, 255)
    pixels = np.rint(pixels + rng.normal(0, 1.5, pixels.shape)).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        return replace(face, pixels=pixels)
    last = face.pixels.shape[1] - 1

    def mirrored(points: np.ndarray) -> np.ndarray:
        flipped = points.copy()
        flipped[..., 0] = last - points[..., 0]
        return flipped

    box = face.face.box[[2, 1, 0, 3]] * [-1, 1, -1, 1] + [last, 0, last, 0]
    own = replace(
        face.face,
        box=box.astype(np.float32),
        landmarks=mirrored(face.face.landmarks),
        mesh=mirrored(face.face.mesh),
    )
    clicks = (replace(c, clicked=mirrored(c.clicked), xy=mirrored(c.xy)) for c in face.clicks)
    doubts = (m.mapped(mirrored) for m in face.doubts)
    return replace(
        face,
        pixels=np.ascontiguousarray(pixels[:, ::-1]),
        face=own,
        skin=np.ascontiguousarray(face.skin[:, ::-1]),
        clicks=tuple(clicks),
        doubts=tuple(doubts),
    )


def expected(faces: list[Annotated], model: str) -> str:
    """What may be hoped for from so many images, in words."""
    seen = ", ".join(f"{count} {kind}" for kind, count in counts(faces).items())
    if len(faces) < 50:
        hope = (
            "so few settle the scores of a finder that knows marks already (heatmap, or --from); "
            "from scratch they teach little more than where marks tend to lie"
        )
    elif len(faces) < 200:
        hope = "enough to adjust a network that knows marks; from scratch its finds stay coarse"
    else:
        hope = (
            "as many as the original's authors had (300): enough to adjust a network well, and for "
            "resnet50 from ImageNet's weights; from scratch it remains few"
        )
    return f"{len(faces)} images, {seen}. For {model}: {hope}."


def checkpoint_of(out: Path) -> Path:
    """The checkpoint that belongs to weights."""
    return Path(out).with_suffix(".checkpoint.safetensors")


def _run_key(faces: list[Annotated], training: Training, key: str) -> str:
    """Equal exactly where the same steps lead to the same weights; more steps may be asked for."""
    recipe = {k: v for k, v in asdict(training).items() if k not in ("steps", "save_every")}
    marks = [(f.name, [(c.kind, c.clicked.round(2).tolist()) for c in f.clicks]) for f in faces]
    return sha256(json.dumps([recipe, sorted(marks), key]).encode()).hexdigest()


def _save_checkpoint(
    path: Path, network, optimizer, step: int, best: tuple[int, float] | None, key: str
) -> None:
    from safetensors.torch import save_file

    tensors = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for part, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                tensors[f"optimizer.{part}.{name}"] = value.contiguous()
    about = {"step": str(step), "best": json.dumps(best), "run": key}
    with whole_file(path) as temporary:
        save_file(tensors, str(temporary), metadata=about)


def _resume(path: Path, network, optimizer, key: str) -> tuple[int, tuple[int, float] | None]:
    """Load a checkpoint of the same run; -> steps done and the best, (0, None) without one."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not path.exists():
        return 0, None
    try:
        with safe_open(str(path), "pt") as file:
            about = file.metadata() or {}
        tensors = load_file(str(path))
    except SafetensorError as error:
        raise InputError("run_damaged", path=path, detail=error) from error
    if about.get("run") != key:
        raise InputError("run_of_other_settings", path=path)
    state = {k[8:]: v for k, v in tensors.items() if k.startswith("network.")}
    # A run begun before a buffer was added goes on with what the buffer begins with.
    network.load_state_dict(dict(network.named_buffers()) | state)
    parameters = dict(network.named_parameters())
    for name in (k for k in tensors if k.startswith("optimizer.")):
        _, part, owner = name.split(".", 2)
        # A count of steps is a scalar, which stays on the CPU.
        value, parameter = tensors[name], parameters[owner]
        optimizer.state[parameter][part] = value.to(parameter.device) if value.ndim else value
    best = json.loads(about["best"])
    return int(about["step"]), best and tuple(best)
