"""The settings of a training run, checked before any file is read or written."""

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
"""How often rare classes are drawn: between natural and equal shares, with equal shares, with natural shares."""


@dataclass(frozen=True)
class TrainingJob:
    """Settings of a training run.

    Attributes:
        data: a HAM10000 folder, or the output of ``prepare``.
        output: folder for the state, the best weights, the split and the curve.
        backbone, task, contrast: see ``classification.tasks``.
        sizes: image sizes in order; the classifier is used at the last one.
        epochs: epochs at each size.
        split: file of the split of HAM10000; it is written if it does not exist.
        test_unseen_by_generator: test only on lesions that the generator never saw.
        start: classifier to start from (fine-tuning); it determines backbone and task.
        synthetic: generated images to add to the training part.
        teacher: classifier of the same task whose predictions are learnt too.
        imagenet: start from ImageNet weights if they are available.
        reweigh: draw images so that the label does not depend on this group (``classification.data.groups``).
        workers: processes that augment images; None for a number that suits the device.
        gpus: number of GPUs, if the device is a GPU.
        save_every_s: seconds between two saves of the state.
        export: write ``classifier.pth`` to this file at the end.
        cache: folder for decoded images.

    Raises:
        ArgumentError: a value is out of its range.
    """

    data: Path
    output: Path
    backbone: str = "resnet18"
    task: str = "isic7"
    contrast: str = "melanoma"
    sizes: tuple[int, ...] = (224,)
    epochs: tuple[int, ...] = (30,)
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
            raise ArgumentError(f"The backbone {self.backbone!r} does not exist; choose from {', '.join(BACKBONES)}.")
        Task(self.task, self.contrast)
        if self.augmentation not in AUGMENTATIONS:
            names = ", ".join(AUGMENTATIONS)
            raise ArgumentError(f"There is no augmentation {self.augmentation!r}; choose from {names}.")
        if self.sampling not in SAMPLINGS:
            raise ArgumentError(f"The sampling {self.sampling!r} does not exist; choose from {', '.join(SAMPLINGS)}.")
        if not self.sizes or len(self.sizes) != len(self.epochs):
            raise ArgumentError(
                f"There are {len(self.sizes)} sizes and {len(self.epochs)} numbers of epochs; give one number per size."
            )
        if min(self.sizes) < 32 or min(self.epochs) < 1 or max(self.sizes) != self.sizes[-1]:
            raise ArgumentError(
                f"The sizes {self.sizes} or epochs {self.epochs} are not valid; give sizes of 32 px or more with the "
                "largest last, and at least 1 epoch for each."
            )
        if self.workers is not None and not 0 <= self.workers <= 64:
            raise ArgumentError(f"The workers {self.workers} are out of range; choose from 0 to 64.")
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
    """The folder name of a run, from the settings that differ between runs."""
    task = values.get("task", "isic7")
    question = f"_{values.get('contrast', 'melanoma')}" if task == "binary" else ""
    return f"{values.get('backbone', 'resnet18')}_{task}{question}_seed{values.get('seed', 0)}"
