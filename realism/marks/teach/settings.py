"""How a finder is trained: the settings, and those that suit each finder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How a finder is trained.

    The names are hashed into a run's key: a new name would keep an unfinished run from going on.
    """

    steps: int = 2000
    batch: int = 2  # faces a step
    learning_rate: float = 3e-4  # of AdamW
    weight_decay: float = 1e-2
    judge_every: int = 200  # steps from one evaluation to the next
    save_every: int = 50  # steps to a checkpoint; one is written after evaluating, too
    seed: int = 7
    validation: int = 5  # every 5th image is evaluated on, and not learned from


DEFAULT_SETTINGS = {
    "heatmap": TrainingSettings(steps=400, batch=4, learning_rate=1e-4),
    "keypoint-rcnn": TrainingSettings(learning_rate=2e-4),
    "compact": TrainingSettings(steps=4000),
}
