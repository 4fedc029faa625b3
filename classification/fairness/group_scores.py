"""Scores per group, and differences between groups.

A group with too few cases of an outcome is marked. It is never left out of a table, and never counts as fair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from classification.evaluation.bootstrap import RESAMPLES, Interval, difference, distribution, mend_shares, percentile
from classification.evaluation.metrics import Scores, Statistic, binary_statistic, plain
from classification.evaluation.prediction import Predictions

MINIMUM: Final = 10
"""Minimum number of lesions of an outcome: of 9 correct cases, 6 to 9 can be correct by chance."""

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "auc": ("positive", "negative"),
    "sensitivity": ("positive",),
    "specificity": ("negative",),
    "balanced_accuracy": ("positive", "negative"),
    "positive_rate": ("any",),
}
"""The outcomes of which a group must have enough lesions, for each score."""


@dataclass(frozen=True)
class Audited:
    """The evaluated images of one classifier with its decisions.

    Attributes:
        part: images and probabilities.
        decided: bool (N,), whether an image is classified as positive.
        groups: group of each image.
        names: all groups in their order, even without an image.
    """

    part: Predictions
    decided: np.ndarray
    groups: Sequence[str]
    names: Sequence[str]

    def members(self, group: str) -> np.ndarray:
        """Whether an image belongs to a group, bool (N,)."""
        return np.asarray(self.groups) == group

    def lesions(self, group: str, outcome: str = "any") -> int:
        """Number of lesions of a group, with one outcome or any."""
        mask = self.members(group)
        if outcome != "any":
            mask = mask & (self.part.positive == (outcome == "positive"))
        return len(set(np.asarray(self.part.lesions)[mask]))

    def is_judged(self, group: str, score: str, minimum: int) -> bool:
        """Whether a group has enough lesions for a score."""
        return all(self.lesions(group, outcome) >= minimum for outcome in NEEDS[score])

    def statistic(self, group: str) -> Statistic:
        """The scores of a group, for a bootstrap over its lesions."""
        mask = self.members(group)
        return binary_statistic(self.part.positive[mask], self.part.scores[mask], self.decided[mask])

    def resamples(self, group: str, resamples: int, seed: int) -> dict[str, np.ndarray]:
        """The scores of a group in every resample; the resamples are the same for all classifiers of these images."""
        lesions = list(np.asarray(self.part.lesions)[self.members(group)])
        return distribution(self.statistic(group), lesions, resamples, [seed, self.names.index(group)])


@dataclass(frozen=True)
class Cell:
    """One group: its numbers of images and lesions, and its scores; None for a score with too few lesions."""

    group: str
    images: int
    lesions: int
    positives: int
    negatives: int
    scores: Mapping[str, Interval | None]

    def to_json(self) -> dict[str, Any]:
        """The cell as plain JSON values; a score with too few lesions is the text ``too few``."""
        counts = {name: getattr(self, name) for name in ("group", "images", "lesions", "positives", "negatives")}
        return {**counts, **{name: score.to_json() if score else "too few" for name, score in self.scores.items()}}


def group_cells(audited: Audited, minimum: int = MINIMUM, resamples: int = RESAMPLES, seed: int = 0) -> list[Cell]:
    """All groups in order, followed by images of unknown group, if there are any."""
    others = sorted(set(audited.groups) - set(audited.names))
    named = [*audited.names, *others]
    everyone = Audited(audited.part, audited.decided, audited.groups, named)
    return [_cell(everyone, group, minimum, resamples, seed) for group in named]


def _cell(audited: Audited, group: str, minimum: int, resamples: int, seed: int) -> Cell:
    mask = audited.members(group)
    positives = int(audited.part.positive[mask].sum())
    scores: dict[str, Interval | None] = dict.fromkeys(NEEDS)
    judged = [name for name in NEEDS if audited.is_judged(group, name, minimum)]
    if judged:
        values, drawn = plain(audited.statistic(group), int(mask.sum())), audited.resamples(group, resamples, seed)
        found = {name: percentile(values[name], drawn[name]) for name in NEEDS}
        found = mend_shares(found, audited.lesions(group, "positive"), audited.lesions(group, "negative"))
        scores |= {name: found[name] for name in judged}
    return Cell(group, int(mask.sum()), audited.lesions(group), positives, int(mask.sum()) - positives, scores)


def differences(audited: Audited, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Scores of each group minus those of the largest group; a negative value is a disadvantage.

    Args:
        audited: the evaluated images.
        cells: their groups, from ``group_cells``.
    """
    scores = {cell.group: cell.scores for cell in cells}
    reference = max(audited.names, key=audited.lesions)
    found = []
    for group in audited.names:
        row = {name: _less(scores[group][name], scores[reference][name]) for name in NEEDS}
        if group != reference:
            found.append({"group": group, "reference": reference, **row})
    return found


def _less(one: Interval | None, other: Interval | None) -> object:
    return difference(one, other).to_json() if one and other else "too few"


def changes(
    before: Audited, after: Audited, minimum: int = MINIMUM, resamples: int = RESAMPLES, seed: int = 0
) -> list[dict[str, Any]]:
    """Change of each group's scores from one classifier or rule to another, on the same images.

    Raises:
        ValueError: the images differ.
    """
    if [i.image_id for i in before.part.images] != [i.image_id for i in after.part.images]:
        raise ValueError("the two were evaluated on different images")
    found = []
    for group in before.names:
        row: dict[str, Any] = {"group": group, **dict.fromkeys(NEEDS, "too few")}
        judged = [score for score in NEEDS if before.is_judged(group, score, minimum)]
        if judged:
            own, base = after.resamples(group, resamples, seed), before.resamples(group, resamples, seed)
            row |= _compared(_values(after, group), _values(before, group), own, base, judged)
        found.append(row)
    return found


def _values(audited: Audited, group: str) -> Mapping[str, float]:
    return plain(audited.statistic(group), int(audited.members(group).sum()))


def _compared(
    own: Mapping[str, float], base: Mapping[str, float], drawn: Scores, drawn_base: Scores, names: Sequence[str]
) -> dict[str, Any]:
    return {name: percentile(own[name] - base[name], drawn[name] - drawn_base[name]).to_json() for name in names}
