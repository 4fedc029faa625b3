"""The settings of a training run: one immutable value, checked before anything is read or written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from classification.ranges import SEED_RANGE, check_ranges
from classification.tasks import BACKBONES, Task
from core.errors import ArgumentError

# Files of a run, in its output folder.
STATE: Final = "state.ckpt"
BEST: Final = "best.pt"
JOB: Final = "job.json"
RESULT: Final = "result.json"
SPLIT: Final = "split.csv"

AUGMENTATIONS: Final = ("usual", "strong")
"""How far training images are changed: ``classification.training.augmentation``."""

SAMPLINGS: Final = ("sqrt", "balanced", "none")
"""How far rare classes are drawn more often: by the square root of what would make them equal, fully, not at all."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train, on what, into where.

    Attributes:
        data: a HAM10000 folder, or what ``prepare`` wrote.
        output: receives the state, the best weights, the split and the curve.
        backbone, task, contrast: as in ``classification.tasks``.
        sizes: image sizes, in order; the last is the one that the classifier is made for.
        passes: passes over the training images at each size.
        split: the file that holds the split of HAM10000; written where there is none.
        test_unseen_by_generator: the split tests on lesions that the generator never saw, and on no other.
        start: a classifier to begin with (fine-tuning); its backbone and task are taken over.
        synthetic: generated images, added to the training part alone.
        teacher: a classifier of the same task, whose answers are learnt as well.
        imagenet: begin with ImageNet weights where they can be had.
        reweigh: draw so that the label does not depend on this group (``classification.data.groups``).
        workers: processes that augment images; None chooses by the device.
        gpus: how many of them, where the device is one.
        save_every_s: seconds between two saves of the state.
        export: where to write ``classifier.pth`` in the end.
        cache: where decoded images are kept.

    Raises:
        ArgumentError: a value out of its range.
    """

    data: Path
    output: Path
    backbone: str = "resnet18"
    task: str = "isic7"
    contrast: str = "melanoma"
    sizes: tuple[int, ...] = (224,)
    passes: tuple[int, ...] = (30,)
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    label_smoothing: float = 0.1
    mixup: float = 0.2
    average: float = 0.998
    sampling: str = "sqrt"
    augmentation: str = "usual"
    patience: int = 10
    seed: int = 0
    split: Path = Path("runs/classification/split.csv")
    test_unseen_by_generator: bool = False
    start: Path | None = None
    synthetic: Path | None = None
    teacher: Path | None = None
    imagenet: bool = True
    reweigh: str | None = None
    device: str = "auto"
    gpus: int = 1
    precision: str = "auto"
    workers: int | None = None
    save_every_s: float = 60.0
    export: Path | None = None
    cache: Path = Path("runs/cache")

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ArgumentError(f"There is no backbone {self.backbone!r}; choose from {', '.join(BACKBONES)}.")
        Task(self.task, self.contrast)
        if self.augmentation not in AUGMENTATIONS:
            names = ", ".join(AUGMENTATIONS)
            raise ArgumentError(f"There is no augmentation {self.augmentation!r}; choose from {names}.")
        if self.sampling not in SAMPLINGS:
            raise ArgumentError(f"There is no sampling {self.sampling!r}; choose from {', '.join(SAMPLINGS)}.")
        if not self.sizes or len(self.sizes) != len(self.passes):
            raise ArgumentError(f"{len(self.sizes)} sizes and {len(self.passes)} passes: name one for each.")
        if min(self.sizes) < 32 or min(self.passes) < 1 or max(self.sizes) != self.sizes[-1]:
            raise ArgumentError(f"Sizes {self.sizes} and passes {self.passes}: sizes from 32 px on, the largest last.")
        if self.workers is not None and not 0 <= self.workers <= 64:
            raise ArgumentError(f"The workers {self.workers} are not in [0, 64].")
        check_ranges(self, _RANGES)

    def to_json(self) -> dict[str, Any]:
        """The job as plain JSON values."""
        return json.loads(json.dumps(asdict(self), default=str))


_RANGES: Final = (
    ("batch_size", 2, 4096),
    ("learning_rate", 1e-7, 1.0),
    ("weight_decay", 0.0, 10.0),
    ("dropout", 0.0, 0.9),
    ("label_smoothing", 0.0, 0.5),
    ("mixup", 0.0, 2.0),
    ("average", 0.0, 0.99999),
    SEED_RANGE,
    ("patience", 1, 10_000),
    ("gpus", 1, 64),
)


def run_name(values: Mapping[str, Any]) -> str:
    """The folder name of a run, from the settings that differ between the runs of a table."""
    task = values.get("task", "isic7")
    question = f"_{values.get('contrast', 'melanoma')}" if task == "binary" else ""
    return f"{values.get('backbone', 'resnet18')}_{task}{question}_seed{values.get('seed', 0)}"
