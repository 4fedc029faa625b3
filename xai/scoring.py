"""What the checks ask of a classifier: the score or the probability of a class, of many images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from xai.classifier import Classifier

Score = Callable[[torch.Tensor], torch.Tensor]
"""Images (B, 3, S, S) in [0, 1] to one number each, float32 (B,) on the CPU."""


def class_probabilities(classifier: Classifier, images: torch.Tensor, chunk_size: int) -> np.ndarray:
    """Probabilities of all classes, float64 (B, 7); at most ``chunk_size`` images are evaluated together."""
    parts = [classifier.probabilities(part).cpu() for part in images.split(chunk_size)]
    return torch.cat(parts).double().numpy()


def logit_of(classifier: Classifier, target: int, chunk_size: int) -> Score:
    """The logit of one class as a score: what the maps divide over the pixels, and what does not saturate."""

    @torch.no_grad()
    def score(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([classifier.logits(part)[:, target].cpu() for part in images.split(chunk_size)])

    return score


def probability_of(classifier: Classifier, target: int, chunk_size: int) -> Score:
    """The probability of one class as a score."""

    def score(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([classifier.probabilities(part)[:, target].cpu() for part in images.split(chunk_size)])

    return score
