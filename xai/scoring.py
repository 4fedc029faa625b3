"""Score functions for the checks: the logit or the probability of a class for many images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from xai.classifier import Classifier

Score = Callable[[torch.Tensor], torch.Tensor]
"""Maps images (B, 3, S, S) in [0, 1] to one number each, float32 (B,) on the CPU."""


def class_probabilities(classifier: Classifier, images: torch.Tensor, chunk_size: int) -> np.ndarray:
    """Return the probabilities of all classes, float64 (B, 7); evaluate at most ``chunk_size`` images together."""
    parts = [classifier.probabilities(part).cpu() for part in images.split(chunk_size)]
    return torch.cat(parts).double().numpy()


def logit_of(classifier: Classifier, target: int, chunk_size: int) -> Score:
    """Return a score function for the logit of one class. Maps attribute the logit, and it does not saturate."""

    @torch.no_grad()
    def score(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([classifier.logits(part)[:, target].cpu() for part in images.split(chunk_size)])

    return score


def probability_of(classifier: Classifier, target: int, chunk_size: int) -> Score:
    """Return a score function for the probability of one class."""

    def score(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([classifier.probabilities(part)[:, target].cpu() for part in images.split(chunk_size)])

    return score
