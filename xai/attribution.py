"""The interface of attribution methods: options and result."""

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
    """The attribution of each pixel for a class.

    Attributes:
        values: float32 (224, 224), signed; positive values support the target.
        method: name of the method, as in ``xai.methods.METHODS``.
        target: index of the class.
        details: JSON values about the numbers: convergence delta, standard error, baseline, seconds, and so on.
    """

    values: np.ndarray = field(repr=False)
    method: str
    target: int
    details: dict[str, Any]


@dataclass(frozen=True)
class AttributionOptions:
    """The options of an attribution, in addition to image, classifier and target.

    Attributes:
        seed: seed of all random draws.
        ig_steps: number of points on the path of Integrated Gradients.
        shap_samples: number of coalitions that SHAP evaluates, without the empty one.
        shap_regions: number of superpixels that SHAP removes and restores.
        baseline: image that represents "no information": ``blurred``, ``black`` or ``mean_skin``.
        chunk_size: number of images evaluated together; limits the memory.

    Raises:
        ArgumentError: a value is out of range.
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
