"""Scores of a classifier, computed for many weightings of the images at once, as a bootstrap needs them.

``weights`` is (R, N): how often each of N images counts in each of R resamples; one row of ones gives the plain score.
Every function returns (R,), NaN for a resample without the outcomes that the score needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np

Scores: TypeAlias = dict[str, np.ndarray]
Statistic: TypeAlias = Callable[[np.ndarray], Scores]
"""Function from weights (R, N) to named scores, (R,) each."""

BINS: Final = 15
"""Bins of the calibration error, as in C. Guo et al., On calibration of modern neural networks, arXiv 1706.04599."""


def once(images: int) -> np.ndarray:
    """Weights that count every image once, (1, N)."""
    return np.ones((1, images))


def roc_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a positive has a higher score than a negative; ties count half.

    Args:
        positive: bool (N,).
        scores: (N,), a higher value means positive.
        weights: (R, N).
    """
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], positive[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counted = weights[:, order]
    of_positives = np.add.reduceat(counted * truth, starts, axis=1)
    of_negatives = np.add.reduceat(counted * ~truth, starts, axis=1)
    below = of_negatives.cumsum(axis=1) - of_negatives / 2
    pairs = of_positives.sum(axis=1) * of_negatives.sum(axis=1)
    return _ratio((of_positives * below).sum(axis=1), pairs)


def decisions(positive: np.ndarray, decided: np.ndarray, weights: np.ndarray) -> Scores:
    """Sensitivity, specificity, their mean, and the share classified as positive.

    Args:
        positive, decided: bool (N,), the truth and the decision of the classifier.
        weights: (R, N).
    """
    right = weights @ (positive & decided), weights @ (~positive & ~decided)
    sensitivity = _ratio(right[0], weights @ positive)
    specificity = _ratio(right[1], weights @ ~positive)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "positive_rate": _ratio(weights @ decided, weights.sum(axis=1)),
    }


def binary_statistic(positive: np.ndarray, scores: np.ndarray, decided: np.ndarray) -> Statistic:
    """AUC, sensitivity, specificity, balanced accuracy and positive rate of one question."""

    def statistic(weights: np.ndarray) -> Scores:
        return {"auc": roc_auc(positive, scores, weights), **decisions(positive, decided, weights)}

    return statistic


def recalls(truth: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """Share of each class's images that are classified correctly, (R, classes)."""
    right = truth == predicted
    return np.stack([_ratio(weights @ (right & (truth == k)), weights @ (truth == k)) for k in range(classes)], axis=1)


def multiclass_statistic(truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
    """Accuracy, balanced accuracy (mean recall), macro AUC (each class against the rest) and calibration error.

    Args:
        truth: class indices, (N,).
        probabilities: (N, C).
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    classes = probabilities.shape[1]

    def statistic(weights: np.ndarray) -> Scores:
        areas = [roc_auc(truth == k, probabilities[:, k], weights) for k in range(classes)]
        return {
            "accuracy": _ratio(weights @ (truth == predicted), weights.sum(axis=1)),
            "balanced_accuracy": recalls(truth, predicted, classes, weights).mean(axis=1),
            "macro_auc": np.mean(areas, axis=0),
            "calibration_error": calibration_error(confidence, truth == predicted, weights),
        }

    return statistic


def calibration_error(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins, weighted by their size.

    Args:
        confidence: probabilities in [0, 1], (N,).
        right: bool (N,), whether the predicted event occurred.
        weights: (R, N).
    """
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    member = np.eye(BINS)[which]  # (N, BINS)
    gap = weights @ (member * (confidence - right)[:, None])
    return _ratio(np.abs(gap).sum(axis=1), weights.sum(axis=1))


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and number of images of each bin that has images."""
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[which == k].mean()), float(right[which == k].mean()), int((which == k).sum()))
        for k in range(BINS)
        if (which == k).any()
    ]


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int (classes, classes): rows are the true class, columns the predicted class."""
    table = np.zeros((classes, classes), int)
    np.add.at(table, (truth, predicted), 1)
    return table


def plain(statistic: Statistic, images: int) -> Mapping[str, float]:
    """The scores with each image counted once."""
    return {name: float(values[0]) for name, values in statistic(once(images)).items()}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
