"""A separate threshold for each group, so that sensitivity is equal in all groups (fairlearn).

M. Hardt, E. Price, N. Srebro: Equality of opportunity in supervised learning, arXiv 1610.02413. If only a mixture of
two thresholds reaches equal sensitivity, fairlearn decides some images at random; the seed fixes these decisions. The
other mitigation, reweighting, is part of training: ``finetune --reweigh``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin

from classification.fairness.group_scores import MINIMUM, Audited

CONSTRAINT: Final = "true_positive_rate_parity"
_OBJECTIVE: Final = "balanced_accuracy_score"


class _GivenScores(ClassifierMixin, BaseEstimator):
    """A classifier whose only feature is the probability of yes."""

    def fit(self, _features: np.ndarray, labels: np.ndarray) -> _GivenScores:
        """Required by scikit-learn; there is nothing to learn."""
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of no and yes, (N, 2)."""
        return np.stack([1 - features[:, 0], features[:, 0]], axis=1)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Whether yes is more probable than no."""
        return (features[:, 0] >= 0.5).astype(int)


@dataclass(frozen=True)
class Mitigated:
    """Decisions with a threshold for each group.

    Attributes:
        decided: bool (N,).
        groups: groups with their own threshold.
        unchanged: groups with too few validation lesions, which keep the common threshold.
    """

    decided: np.ndarray
    groups: tuple[str, ...]
    unchanged: tuple[str, ...]


def thresholds_by_group(
    validation: Audited, judged: Audited, minimum: int = MINIMUM, seed: int = 0
) -> Mitigated | None:
    """Choose thresholds on the validation part and apply them to the evaluated part.

    Args:
        validation: used to choose; a group needs ``minimum`` lesions of each outcome.
        judged: the evaluated part; groups without their own threshold keep their decisions.
        minimum: see ``validation``.
        seed: seed of the random decisions.

    Returns:
        The new decisions; None if fewer than two groups have enough lesions.
    """
    able = [g for g in validation.names if validation.is_judged(g, "balanced_accuracy", minimum)]
    if len(able) < 2:
        return None
    mine, theirs = np.isin(validation.groups, able), np.isin(judged.groups, able)
    features, labels = validation.part.scores[mine, None], validation.part.positive[mine].astype(int)
    optimizer = ThresholdOptimizer(
        estimator=_GivenScores().fit(features, labels),
        constraints=CONSTRAINT,
        objective=_OBJECTIVE,
        prefit=True,
        predict_method="predict_proba",
    )
    optimizer.fit(features, labels, sensitive_features=_taken(validation.groups, mine))
    decided = judged.decided.copy()
    if theirs.any():
        answers = optimizer.predict(
            judged.part.scores[theirs, None], sensitive_features=_taken(judged.groups, theirs), random_state=seed
        )
        decided[theirs] = np.asarray(answers).astype(bool)
    others = tuple(group for group in judged.names if group not in able)
    return Mitigated(decided, tuple(able), others)


def _taken(groups: Sequence[str], mask: np.ndarray) -> np.ndarray:
    return np.asarray(groups)[mask]
