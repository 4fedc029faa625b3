"""Confidence intervals of shares and means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

_NORMAL_95: Final = 1.959964


@dataclass(frozen=True)
class Share:
    """A number of hits out of a number of cases, with the 95% interval of E. B. Wilson (J. ASA 22, 1927)."""

    hits: int
    cases: int

    @property
    def value(self) -> float:
        """The share; NaN if there are no cases."""
        return self.hits / self.cases if self.cases else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; 0 and 1 if there are no cases."""
        if not self.cases:
            return 0.0, 1.0
        square = _NORMAL_95**2
        middle = (self.hits + square / 2) / (self.cases + square)
        half = _NORMAL_95 * math.sqrt(self.hits * (self.cases - self.hits) / self.cases + square / 4)
        half /= self.cases + square
        return max(0.0, middle - half), min(1.0, middle + half)

    def to_json(self) -> dict[str, Any]:
        """The share as plain JSON values."""
        low, high = self.interval
        return {**asdict(self), "share": self.value if self.cases else None, "low": low, "high": high}


@dataclass(frozen=True)
class Mean:
    """A mean and the bounds of its 95% interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """The mean as plain JSON values."""
        return asdict(self)


def percentile_mean(value: float, draws: Sequence[float] | np.ndarray) -> Mean:
    """A value with the percentile interval of its bootstrap resamples (B. Efron, R. Tibshirani, 1993)."""
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Mean(float(value), float(low), float(high))
