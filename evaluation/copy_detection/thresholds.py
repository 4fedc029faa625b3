"""Thresholds of suspicion and of copying, derived from a control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from evaluation.intervals import Share

RATE: Final = 0.01
"""Share of images without copies that may be flagged as suspicious, over all spaces; higher with a small control."""
FALSE_COPIES: Final = 0.05
"""Expected number of false copies in a whole set without copies."""
FALSE_SHARES: Final = 0.01
"""A set is reported if its number of suspicious images has at most this probability in a set without copies."""
_TAIL_SHARE: Final = 0.1
_TAIL_LEAST: Final = 10
_SMALLEST_SCALE: Final = 1e-3
_HIGHEST: Final = 15.0  # upper bound of a threshold: exact copies are found even if the control has duplicates


@dataclass(frozen=True)
class Threshold:
    """Thresholds of one space.

    Attributes:
        space: feature space, or ``pixels``.
        suspicious: exceeded by a share ``rate`` of images that are not copies.
        copy: in a whole set without copies, exceeded with a probability of this space's part of ``FALSE_COPIES``.
        scale: scale of the control's tail.
        rate: this space's part of ``RATE``; higher if the control is too small for it.
    """

    space: str
    suspicious: float
    copy: float
    scale: float
    rate: float


def threshold_of(space: str, control: np.ndarray, set_size: int, spaces: int) -> Threshold:
    """Compute the thresholds from the nearness of a control (N,).

    The threshold of suspicion is conformal: a share of at most ``rate`` of images exchangeable with the control exceeds
    it. The copy threshold extrapolates the control's tail as an exponential (J. Pickands, Ann. Statist. 3, 1975). Its
    scale comes from the median, so that unlabelled duplicates among the real images do not move it. An image above it
    is also suspicious, however the duplicates shift the ranks. The tail's predictive distribution allows for the error
    of the scale; half of the tail's values are counted, because the median has about half the information of the mean.
    """
    ordered = np.sort(control)[::-1]
    rank = max(1, math.floor(RATE / spaces * (len(ordered) + 1)))
    tail = ordered[: min(len(ordered), max(_TAIL_LEAST, round(_TAIL_SHARE * len(ordered))))]
    scale = max(float(np.median(tail - tail[-1])) / math.log(2), _SMALLEST_SCALE)
    chance = FALSE_COPIES / (set_size * spaces) * len(ordered) / len(tail)
    known = len(tail) / 2
    copy = min(_HIGHEST, float(tail[-1]) + scale * known * (max(1.0, 1 / chance) ** (1 / known) - 1))
    suspicious = min(copy, float(ordered[rank - 1]))
    return Threshold(space, suspicious, copy, scale, rank / (len(ordered) + 1))


def chance_of(suspicious: Share, control: int, rate: float) -> float:
    """Probability of at least this many suspicious images in a set exchangeable with the control.

    Each threshold cuts off a fixed number of the control's blocks. The rest is a tolerance region (J. W. Tukey, Ann.
    Math. Statist. 18, 1947): the share outside it follows a beta distribution, however the spaces depend on each other.
    The distribution is wide if the control is small; a plain comparison with ``rate`` would ignore that.

    Args:
        suspicious: images of the set above a threshold in at least one space.
        control: number of images in the control.
        rate: sum of the rates of the thresholds.
    """
    cut_off = round(rate * (control + 1))
    if cut_off > control:
        return 1.0
    return float(stats.betabinom.sf(suspicious.hits - 1, suspicious.cases, cut_off, control + 1 - cut_off))
