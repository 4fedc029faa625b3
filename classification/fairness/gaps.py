"""Gaps between groups, and the gaps that arise by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from classification.evaluation.bootstrap import Interval, difference
from classification.fairness.group_scores import Audited, Cell

GAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "equal opportunity": ("sensitivity",),
    "equalised odds": ("sensitivity", "specificity"),
    "demographic parity": ("positive_rate",),
}
"""The scores of each criterion; the gap is their largest difference between two groups (arXiv 1610.02413)."""

_SHUFFLES: Final = 1000


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups.

    Attributes:
        criterion: one of ``GAPS``.
        size: the difference with its interval; None if fewer than two groups have enough lesions.
        by_chance: 95th percentile of the difference when groups are shuffled.
        score: the score with the largest difference.
        lowest, highest: the two groups with the lowest and the highest value of that score.
        judged, too_few: groups that were compared, and groups with too few lesions.
    """

    criterion: str
    size: Interval | None
    by_chance: float | None
    score: str
    lowest: str
    highest: str
    judged: tuple[str, ...]
    too_few: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The gap as plain JSON values."""
        texts = {name: getattr(self, name) for name in ("criterion", "by_chance", "score", "lowest", "highest")}
        size = self.size.to_json() if self.size else "too few"
        return {**texts, "size": size, "judged": list(self.judged), "too_few": list(self.too_few)}


def gaps(audited: Audited, cells: Sequence[Cell], seed: int = 0) -> list[Gap]:
    """The gaps between the groups with enough lesions, with intervals and the gaps by chance.

    The interval is that of the difference between the lowest and the highest group. Groups differ even if the
    classifier serves them equally, so compare the gap with ``by_chance``: groups are shuffled among lesions of the same
    outcome.

    Args:
        audited: the evaluated images.
        cells: their groups, from ``group_cells``.
        seed: seed of the shuffling.
    """
    by_group = {cell.group: cell for cell in cells}
    return [_gap(audited, by_group, criterion, seed) for criterion in GAPS]


def _gap(audited: Audited, cells: Mapping[str, Cell], criterion: str, seed: int) -> Gap:
    scores = GAPS[criterion]
    judged = tuple(group for group in audited.names if all(cells[group].scores[score] for score in scores))
    too_few = tuple(group for group in audited.names if group not in judged)
    if len(judged) < 2:
        return Gap(criterion, None, None, "", "", "", judged, too_few)
    size, score, low, high = max(
        (_largest(cells, judged, name) for name in scores), key=lambda found: found[0].value or 0
    )
    return Gap(criterion, size, _by_chance(audited, judged, scores, seed), score, low, high, judged, too_few)


def _largest(cells: Mapping[str, Cell], judged: Sequence[str], score: str) -> tuple[Interval, str, str, str]:
    """Difference of the highest and the lowest group, the score, and the two groups; no groups if all are equal."""
    found = {group: interval for group in judged if (interval := cells[group].scores[score])}
    order = sorted(found, key=lambda group: found[group].value or 0)
    size = difference(found[order[-1]], found[order[0]])
    return (size, score, order[0], order[-1]) if size.value else (size, score, "", "")


def _by_chance(audited: Audited, judged: Sequence[str], scores: Sequence[str], seed: int) -> float:
    """95th percentile of the gap when groups are shuffled among lesions of the outcome that the score uses."""
    rng = np.random.default_rng(seed)
    there = np.isin(audited.groups, judged)
    found = np.zeros(_SHUFFLES)
    for score in scores:
        outcome = {"sensitivity": audited.part.positive, "specificity": ~audited.part.positive}.get(score)
        mask = there if outcome is None else there & outcome
        right = ~audited.decided[mask] if score == "specificity" else audited.decided[mask]
        lesions, which = np.unique(np.asarray(audited.part.lesions)[mask], return_inverse=True)
        group_of = np.array([list(judged).index(group) for group in np.asarray(audited.groups)[mask]])
        first = np.zeros(len(lesions), int)
        first[which] = group_of
        spread = [_spread(right, rng.permutation(first)[which], len(judged)) for _ in range(_SHUFFLES)]
        found = np.maximum(found, spread)
    return float(np.quantile(found, 0.95))


def _spread(right: np.ndarray, groups: np.ndarray, count: int) -> float:
    shares = np.bincount(groups, right, count) / np.maximum(np.bincount(groups, minlength=count), 1)
    return float(np.ptp(shares))
