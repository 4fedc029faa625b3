"""What every attribution method takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from core.errors import ArgumentError
from xai.baselines import BASELINES
from xai.classifier import Classifier

SCORE: Final = "logit"


@dataclass(frozen=True)
class Attribution:
    """Numbers per pixel that say what speaks for a class.

    Attributes:
        values: float32 (224, 224), signed; positive speaks for the target.
        method: its name, as in ``xai.methods.METHODS``.
        target: index of the class.
        details: JSON values that belong to the numbers: convergence delta, standard error, baseline, seconds, ….
    """

    values: np.ndarray = field(repr=False)
    method: str
    target: int
    details: dict[str, Any]


@dataclass(frozen=True)
class AttributionOptions:
    """What decides an attribution beside the image, the classifier and the target.

    Attributes:
        seed: of everything that is drawn.
        ig_steps: points of the path of Integrated Gradients.
        shap_samples: coalitions that SHAP evaluates, besides the empty one.
        shap_regions: superpixels that SHAP removes and puts back.
        baseline: what stands for "nothing there": ``blurred``, ``black`` or ``mean_skin``.
        chunk_size: images that are evaluated together; bounds the memory.

    Raises:
        ArgumentError: a value out of range.
    """

    seed: int = 0
    ig_steps: int = 32
    shap_samples: int = 256
    shap_regions: int = 32
    baseline: str = "blurred"
    chunk_size: int = 16

    def __post_init__(self) -> None:
        for name in ("ig_steps", "shap_samples", "shap_regions", "chunk_size"):
            value = getattr(self, name)
            if value < 1:
                raise ArgumentError(f"{name} is {value}; choose 1 or more.")
        if self.baseline not in BASELINES:
            raise ArgumentError(f"There is no baseline {self.baseline!r}; choose from {', '.join(BASELINES)}.")


Method = Callable[[Classifier, torch.Tensor, int, AttributionOptions], Attribution]
"""``method(classifier, image (1, 3, 224, 224) in [0, 1], target, options)``."""
