"""Tasks of a classifier: the seven diagnoses, or one group of them against the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np

BACKBONES: Final = ("resnet18", "resnet34", "resnet50", "resnet101", "efficientnet_lite0")
TASKS: Final = ("binary", "isic7")

MALIGNANT: Final = "MALIGNANT"
BENIGN: Final = "BENIGN"


@dataclass(frozen=True)
class Contrast:
    """A yes-or-no question. It does not apply to class names that are in neither set."""

    positive: frozenset[str]
    negative: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """All class names to which the question applies."""
        return self.positive | self.negative


CONTRASTS: Final[Mapping[str, Contrast]] = {
    "melanoma": Contrast(frozenset({"MEL"}), frozenset(CLASSES) - {"MEL"}),
    "malignant": Contrast(
        frozenset({"MEL", "BCC", "AKIEC", MALIGNANT}), frozenset({"NV", "BKL", "DF", "VASC", BENIGN})
    ),
}
"""Melanoma against every other class; malignant (with actinic keratosis and Bowen's disease) against benign.

Prepared data of the contrast melanoma contain only melanoma and nevus.

MALIGNANT and BENIGN are the labels of data without a finer diagnosis.
"""


@dataclass(frozen=True)
class Task:
    """The meaning of a network's outputs.

    Attributes:
        name: ``isic7``, one output per class of HAM10000, or ``binary``, two outputs: no and yes.
        contrast: the yes-or-no question. ``binary`` is trained on it; it is measured for both tasks.

    Raises:
        ArgumentError: the task or the contrast does not exist.
    """

    name: str
    contrast: str = "melanoma"

    def __post_init__(self) -> None:
        if self.name not in TASKS:
            raise ArgumentError(f"The task {self.name!r} does not exist; choose from {', '.join(TASKS)}.")
        if self.contrast not in CONTRASTS:
            raise ArgumentError(f"The contrast {self.contrast!r} does not exist; choose from {', '.join(CONTRASTS)}.")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return CLASSES if self.name == "isic7" else (f"not {self.contrast}", self.contrast)

    def index(self, class_name: str) -> int:
        """The output index of a class of the data.

        Raises:
            ArgumentError: the class does not belong to the task.
        """
        if self.name == "isic7":
            if class_name in CLASSES:
                return CLASSES.index(class_name)
        elif class_name in CONTRASTS[self.contrast].known:
            return int(self.is_positive(class_name))
        cure = "--task binary --contrast malignant" if class_name in (MALIGNANT, BENIGN) else "another --contrast"
        raise ArgumentError(f"The task {self} has no output for the label {class_name!r}; train with {cure}.")

    def is_positive(self, class_name: str) -> bool:
        """Whether the answer to the contrast is yes."""
        return class_name in CONTRASTS[self.contrast].positive

    def positive_probability(self, probabilities: np.ndarray) -> np.ndarray:
        """Probability of yes, (N,), from the probabilities of the outputs, (N, len(classes))."""
        if self.name == "binary":
            return probabilities[:, 1]
        return probabilities[:, [name in CONTRASTS[self.contrast].positive for name in CLASSES]].sum(axis=1)

    def asking(self, contrast: str) -> Task:
        """The same outputs with another contrast.

        Raises:
            ArgumentError: the task is binary with another contrast.
        """
        if self.name == "binary" and contrast != self.contrast:
            raise ArgumentError(
                f"The checkpoint answers {self.contrast!r}, but the question is {contrast!r}; run prepare with "
                f"--contrast {self.contrast}, or use a checkpoint of the task isic7 or one trained with --contrast "
                f"{contrast}."
            )
        return Task(self.name, contrast)

    def to_json(self) -> dict[str, Any]:
        """The task as plain JSON values."""
        return {"name": self.name, "contrast": self.contrast, "classes": list(self.classes)}

    def __str__(self) -> str:
        return self.name if self.name == "isic7" else f"{self.name} ({self.contrast})"
