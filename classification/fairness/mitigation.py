"""A threshold of its own for each group, so that a positive is found as often in every one of them (fairlearn).

M. Hardt, E. Price, N. Srebro: Equality of opportunity in supervised learning, arXiv 1610.02413. Where two thresholds
together meet the aim and neither alone does, fairlearn decides some images by lot; the lot is drawn by the seed. The
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
    """A classifier whose probability of yes is its only feature."""

    def fit(self, _features: np.ndarray, labels: np.ndarray) -> _GivenScores:
        """Nothing to learn; scikit-learn asks for it."""
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of no and yes, (N, 2)."""
        return np.stack([1 - features[:, 0], features[:, 0]], axis=1)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Whether yes is more probable."""
        return (features[:, 0] >= 0.5).astype(int)


@dataclass(frozen=True)
class Mitigated:
    """Decisions with a threshold for each group.

    Attributes:
        decided: bool (N,).
        groups: those that have a threshold of their own.
        unchanged: those that had too few validation lesions for one and keep the common threshold.
    """

    decided: np.ndarray
    groups: tuple[str, ...]
    unchanged: tuple[str, ...]


def thresholds_by_group(
    validation: Audited, judged: Audited, minimum: int = MINIMUM, seed: int = 0
) -> Mitigated | None:
    """Choose the thresholds on the validation part and decide the judged part anew; None where too few can be chosen.

    Args:
        validation: chooses; a group needs ``minimum`` lesions of either outcome in it.
        judged: is decided; its own decisions stay where a group has no threshold of its own.
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
