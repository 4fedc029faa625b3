"""Test whether a set helps a classifier of real images: train on real, synthetic or both; test on real images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from sklearn.metrics import roc_auc_score

from core.classes import CLASSES
from evaluation.features.image_set import Side
from evaluation.features.splits import held_out_and_rest
from evaluation.intervals import Mean, percentile_mean
from evaluation.progress import Progress, Warned, Work
from evaluation.utility.probe import STEPS, Head

REAL: Final = "real"
SYNTHETIC: Final = "synthetic"
BOTH: Final = "real + synthetic"
ARMS: Final = (REAL, SYNTHETIC, BOTH)
_RESAMPLES: Final = 1000

Trainer: TypeAlias = "Callable[[np.ndarray, np.ndarray, int, int, np.ndarray], np.ndarray]"
"""(inputs, class indices, number of classes, seed, test inputs) to probabilities for the test inputs (N, C)."""


@dataclass(frozen=True)
class Examples:
    """Inputs of a classifier, (N, ...), and their class indices, (N,)."""

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Usefulness:
    """Scores on held-out real lesions after training on each of ``ARMS``.

    Attributes:
        kind: description of the trained classifier.
        classes: classes that could be tested.
        balanced_accuracy: for each arm, the mean over seeds with a 95% interval over test lesions and seeds.
        recall: for each arm and class, the same.
        auroc: for each arm, mean and standard deviation over seeds of the macro-averaged area under the ROC curve.
        gain: balanced accuracy of real + synthetic minus that of real only, paired by lesion and seed.
        replacement: balanced accuracy of synthetic only minus that of real only.
        gain_of_class: the gain of each class's recall.
        n_real, n_synthetic, n_test, n_test_lesions: number of images, and of lesions, in each part.
        seeds: trainings of each arm.
        by_rule: whether the test part consists of the lesions that this project's trainings leave out.
    """

    kind: str
    classes: tuple[str, ...]
    balanced_accuracy: dict[str, Mean]
    recall: dict[str, dict[str, Mean]]
    auroc: dict[str, tuple[float, float]]
    gain: Mean
    replacement: Mean
    gain_of_class: dict[str, Mean]
    n_real: int
    n_synthetic: int
    n_test: int
    n_test_lesions: int
    seeds: int
    by_rule: bool

    @property
    def verdict(self) -> str:
        """One of: helps, hurts, makes no difference that this test can show."""
        if self.gain.low > 0:
            return "helps"
        return "hurts" if self.gain.high < 0 else "makes no difference that this test can show"

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        plain = {name: value for name, value in vars(self).items() if isinstance(value, (str, int, bool, tuple))}
        return {
            **plain,
            "verdict": self.verdict,
            "balanced_accuracy": {arm: mean.to_json() for arm, mean in self.balanced_accuracy.items()},
            "recall": {arm: {name: mean.to_json() for name, mean in of.items()} for arm, of in self.recall.items()},
            "macro_auroc": {arm: {"mean": mean, "sd": sd} for arm, (mean, sd) in self.auroc.items()},
            "gain": self.gain.to_json(),
            "replacement": self.replacement.to_json(),
            "gain_of_class": {name: mean.to_json() for name, mean in self.gain_of_class.items()},
        }


def train_head(inputs: np.ndarray, labels: np.ndarray, classes: int, seed: int, test: np.ndarray) -> np.ndarray:
    """The ``Trainer`` of a head on frozen features."""
    return Head(inputs, labels, classes, seed).probabilities(test)


def usefulness(
    generated: Side, real: Side, inputs: Callable[[Side], np.ndarray], train: Trainer, kind: str, seeds: int, seed: int
) -> Work[Usefulness | None]:
    """Run the experiment; returns None and warns if fewer than two classes can be tested."""
    tested, rest, by_rule = held_out_and_rest(real.labels, real.lesions, real.named, np.random.default_rng(seed))
    sides = (real.labels[rest], real.labels[tested], generated.labels)
    classes = tuple(name for name in CLASSES if all(name in set(side) for side in sides))
    if len(classes) < 2:
        yield Warned("Usefulness was not tested: it needs at least two classes with images on both sides.")
        return None

    def examples(side: Side, indices: np.ndarray) -> Examples:
        indices = indices[np.isin(side.labels[indices], classes)]
        return Examples(inputs(side)[indices], np.array([classes.index(name) for name in side.labels[indices]]))

    test_lesions = real.lesions[tested[np.isin(real.labels[tested], classes)]]
    parts = (examples(real, rest), examples(generated, np.arange(len(generated))), examples(real, tested))
    return (yield from experiment(*parts, test_lesions, classes, train, kind=kind, seeds=seeds, by_rule=by_rule))


def experiment(
    real: Examples,
    synthetic: Examples,
    test: Examples,
    test_lesions: np.ndarray,
    classes: tuple[str, ...],
    train: Trainer,
    *,
    kind: str = f"a head on frozen features, {STEPS} steps",
    seeds: int = 5,
    by_rule: bool = True,
) -> Work[Usefulness]:
    """Train each arm with each seed, with the same number of steps, and compare on the test images."""
    both = Examples(np.concatenate([real.inputs, synthetic.inputs]), np.concatenate([real.labels, synthetic.labels]))
    found: dict[str, np.ndarray] = {}
    for number, (arm, part) in enumerate(zip(ARMS, (real, synthetic, both), strict=True)):
        trained = []
        for seed in range(seeds):
            yield Progress("Usefulness", number * seeds + seed, len(ARMS) * seeds)
            trained.append(train(part.inputs, part.labels, len(classes), seed, test.inputs))
        found[arm] = np.stack(trained)
    hits = {arm: probabilities.argmax(axis=2) == test.labels for arm, probabilities in found.items()}
    recalls = _recalls(hits, test.labels, test_lesions, len(classes), seeds)
    points = {arm: _recall(hit.mean(axis=0), test.labels, len(classes)) for arm, hit in hits.items()}
    return Usefulness(
        kind=kind,
        classes=classes,
        balanced_accuracy={arm: percentile_mean(points[arm].mean(), recalls[arm].mean(axis=1)) for arm in ARMS},
        recall={arm: _by_class(classes, points[arm], recalls[arm]) for arm in ARMS},
        auroc={arm: _auroc(found[arm], test.labels) for arm in ARMS},
        gain=_difference(points, recalls, BOTH),
        replacement=_difference(points, recalls, SYNTHETIC),
        gain_of_class=_by_class(classes, points[BOTH] - points[REAL], recalls[BOTH] - recalls[REAL]),
        n_real=len(real),
        n_synthetic=len(synthetic),
        n_test=len(test),
        n_test_lesions=len(set(test_lesions.tolist())),
        seeds=seeds,
        by_rule=by_rule,
    )


def _recall(hits: np.ndarray, labels: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Recall of each class, (C,), from hits (N,) and weights (N,); NaN for a class without weight."""
    counts = np.ones(len(labels)) if weights is None else weights
    total = np.bincount(labels, counts, classes)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, np.bincount(labels, counts * hits, classes) / np.maximum(total, 1e-12), np.nan)


def _recalls(
    hits: Mapping[str, np.ndarray], labels: np.ndarray, lesions: np.ndarray, classes: int, seeds: int
) -> dict[str, np.ndarray]:
    """Recalls (R, C) of each arm in resamples of the lesions within each class and of the seed.

    All arms use the same resamples.
    """
    rng = np.random.default_rng(0)
    names, of_image = np.unique(lesions, return_inverse=True)
    label_of = np.zeros(len(names), int)
    label_of[of_image] = labels
    pools = [np.flatnonzero(label_of == label) for label in range(classes)]
    found: dict[str, list[np.ndarray]] = {arm: [] for arm in hits}
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([rng.choice(pool, len(pool)) for pool in pools if len(pool)])
        weights = np.bincount(drawn, minlength=len(names))[of_image]
        seed = int(rng.integers(seeds))
        for arm, hit in hits.items():
            found[arm].append(_recall(hit[seed], labels, classes, weights))
    return {arm: np.stack(rows) for arm, rows in found.items()}


def _by_class(classes: tuple[str, ...], points: np.ndarray, draws: np.ndarray) -> dict[str, Mean]:
    return {name: percentile_mean(points[index], draws[:, index]) for index, name in enumerate(classes)}


def _difference(points: Mapping[str, np.ndarray], recalls: Mapping[str, np.ndarray], arm: str) -> Mean:
    draws = np.nanmean(recalls[arm], axis=1) - np.nanmean(recalls[REAL], axis=1)
    return percentile_mean(points[arm].mean() - points[REAL].mean(), draws)


def _auroc(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation over seeds of the macro-averaged one-against-rest area, for (seeds, N, C)."""
    areas = [
        np.mean([roc_auc_score(labels == label, seed[:, label]) for label in np.unique(labels)])
        for seed in probabilities
    ]
    return float(np.mean(areas)), float(np.std(areas))
