"""Ranges of settings that several jobs share, and the check of a job against its ranges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.errors import ArgumentError

SEED_RANGE: Final = ("seed", 0, 2**31 - 1)
RESAMPLES_RANGE: Final = ("resamples", 1, 1_000_000)
BOOTSTRAP_RANGES: Final = (RESAMPLES_RANGE, SEED_RANGE)
"""Ranges of all jobs that resample lesions."""
SPLIT_RANGES: Final = (("validation", 0.0, 1.0), ("test", 0.0, 1.0), SEED_RANGE)
"""Ranges of all jobs that draw a split."""


def check_ranges(job: object, ranges: Iterable[tuple[str, float, float]]) -> None:
    """Refuse a job with a value out of its range; each range is a name with the lowest and the highest value.

    Raises:
        ArgumentError: a value is out of its range; the message names the first one.
    """
    for name, low, high in ranges:
        value = getattr(job, name)
        if not low <= value <= high:
            raise ArgumentError(f"The {name.replace('_', ' ')} {value} is out of range; choose from {low} to {high}.")
