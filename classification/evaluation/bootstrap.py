"""Confidence intervals by resampling lesions: images of one lesion are not independent, so they stay together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from classification.evaluation.metrics import Statistic, plain

RESAMPLES: Final = 2000
_CHUNK: Final = 250
_LEVEL: Final = 0.95
_LEAST_VALID: Final = 0.95  # share of the resamples that must have a value
_QUANTILE: Final = 1.959964  # of the normal distribution, for 95%


@dataclass(frozen=True)
class Interval:
    """A score and its 95% interval.

    Attributes:
        value: the score; None if it is not defined.
        low, high: the interval; None if it cannot be determined.
        method: ``bootstrap``; ``wilson`` if all resamples are equal; ``square-and-add`` for a score computed from two.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = "bootstrap"

    def to_json(self) -> dict[str, Any]:
        """The interval as plain JSON values."""
        return asdict(self)


def resampled(lesions: Sequence[str], resamples: int, seed: int | Sequence[int]) -> Iterator[np.ndarray]:
    """Weights of the images, (R, N) in chunks; lesions are drawn with replacement, as many as there are."""
    names, which = np.unique(np.asarray(lesions), return_inverse=True)
    rng, even = np.random.default_rng(seed), np.full(len(names), 1 / len(names))
    for start in range(0, resamples, _CHUNK):
        times = rng.multinomial(len(names), even, size=min(_CHUNK, resamples - start))
        yield times[:, which].astype(float)


def distribution(
    statistic: Statistic, lesions: Sequence[str], resamples: int = RESAMPLES, seed: int | Sequence[int] = 0
) -> dict[str, np.ndarray]:
    """All scores in all resamples, (R,) each. The same lesions and seed give the same resamples."""
    chunks = [statistic(weights) for weights in resampled(lesions, resamples, seed)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def intervals(
    statistic: Statistic, lesions: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """Scores with percentile intervals (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993)."""
    values = plain(statistic, len(lesions))
    found = distribution(statistic, lesions, resamples, seed)
    return {name: percentile(value, found[name]) for name, value in values.items()}


def percentile(value: float, resamples: np.ndarray) -> Interval:
    """The interval of one score; without bounds if too many resamples have no value, or all have the same one."""
    if not math.isfinite(value):
        return Interval(None)
    valid = resamples[np.isfinite(resamples)]
    if len(valid) < _LEAST_VALID * len(resamples) or np.ptp(valid) == 0:
        return Interval(value)
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(valid, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def wilson(share: float, cases: int) -> Interval:
    """Interval of a share that is valid even for 0% and 100% (E. B. Wilson, J. ASA 22, 1927)."""
    centre = share + _QUANTILE**2 / (2 * cases)
    spread = _QUANTILE * math.sqrt(share * (1 - share) / cases + _QUANTILE**2 / (4 * cases**2))
    whole = 1 + _QUANTILE**2 / cases
    low, high = max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)
    return Interval(share, min(low, share), max(high, share), "wilson")


def difference(one: Interval, other: Interval) -> Interval:
    """Difference of two independent scores, from their intervals (G. Y. Zou, A. Donner, Stat. Med. 27, 2008)."""
    if one.value is None or other.value is None:
        return Interval(None)
    value = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Interval(value)
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, low, high, "square-and-add")


def mend_shares(found: Mapping[str, Interval], positives: int, negatives: int) -> dict[str, Interval]:
    """Replace intervals of zero width: 10 of 10 correct does not make a sensitivity of 1.000 [1.000, 1.000].

    Shares get Wilson's interval, and balanced accuracy the square-and-add interval of sensitivity and specificity
    (R. G. Newcombe, Stat. Med. 17, 1998).

    Args:
        found: ``sensitivity``, ``specificity``, ``positive_rate`` and ``balanced_accuracy``, and possibly others.
        positives, negatives: independent cases (lesions) of each outcome.
    """
    mended = dict(found)
    counts = {"sensitivity": positives, "specificity": negatives, "positive_rate": positives + negatives}
    for name, cases in counts.items():
        score = found[name]
        if score.value is not None and score.low is None and cases:
            mended[name] = wilson(score.value, cases)
    if any(mended[name].method == "wilson" for name in ("sensitivity", "specificity")):
        mended["balanced_accuracy"] = _mean_of(mended["sensitivity"], mended["specificity"])
    return mended


def _mean_of(one: Interval, other: Interval) -> Interval:
    ends = (one.value, one.low, one.high, other.value, other.low, other.high)
    if any(end is None for end in ends):
        return Interval(None)
    a, a_low, a_high, b, b_low, b_high = (float(end) for end in ends if end is not None)
    value = (a + b) / 2
    low = value - math.hypot(a - a_low, b - b_low) / 2
    high = value + math.hypot(a_high - a, b_high - b) / 2
    return Interval(value, low, high, "square-and-add")
