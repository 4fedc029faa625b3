"""From how near a control comes to what is nearer than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from evaluation.intervals import Share

RATE: Final = 0.01
"""Share of unsuspicious images that may be called suspicious, over all spaces together; more with a small control."""
FALSE_COPIES: Final = 0.05
"""False accusations of copying to be expected of a whole set without copies."""
FALSE_SHARES: Final = 0.01
"""Probability that so many images of a whole set without copies are suspicious that they accuse it."""
_TAIL_SHARE: Final = 0.1
_TAIL_LEAST: Final = 10
_SMALLEST_SCALE: Final = 1e-3
_HIGHEST: Final = 15.0  # of a threshold: an exact copy is one even where the real images hold unmarked duplicates


@dataclass(frozen=True)
class Threshold:
    """Of one space. Nearness above it says that an image is nearer than the control allows.

    Attributes:
        space: feature space, or ``pixels``.
        suspicious: exceeded by a share ``rate`` of images that are no copies.
        copy: in the whole set, an image that is no copy exceeds it with a probability shared out of ``FALSE_COPIES``.
        scale: of the control's tail.
        rate: what share the control can vouch for: the space's part of ``RATE``, more with a small control.
    """

    space: str
    suspicious: float
    copy: float
    scale: float
    rate: float


def threshold_of(space: str, control: np.ndarray, set_size: int, spaces: int) -> Threshold:
    """Thresholds from the nearness of a control (N,).

    Suspicion is conformal: of images exchangeable with the control a share of at most ``rate`` exceeds it. That of
    copying follows the control's tail, taken as exponential (J. Pickands, Ann. Statist. 3, 1975), with its scale from
    the median: unmarked duplicates among the real images do not move it, and what exceeds it is suspicious whatever
    they do to the rank. That the scale is an estimate is allowed for by the tail's predictive distribution, with half
    of its values counted because the median tells half of what the mean would.
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
    """How probable at least so many suspicious images are in a set exchangeable with the control.

    Each threshold cuts off as many of the control's blocks as its rank says, and what they all leave is a tolerance
    region (J. W. Tukey, Ann. Math. Statist. 18, 1947): the share outside follows a beta law, whatever the spaces have
    to do with one another. That law is wide where the control is small, which a bare comparison with ``rate`` forgets.

    Args:
        suspicious: images of the set beyond a threshold in at least one space.
        control: images in the control.
        rate: sum of the rates of the thresholds.
    """
    cut_off = round(rate * (control + 1))
    if cut_off > control:
        return 1.0
    return float(stats.betabinom.sf(suspicious.hits - 1, suspicious.cases, cut_off, control + 1 - cut_off))
