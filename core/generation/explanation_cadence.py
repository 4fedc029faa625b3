"""Which images of a job are explained while it runs."""

from __future__ import annotations


def wants_explanation(position: int, count: int, cadence: int) -> bool:
    """Whether the ``position``-th image (from 1) of ``count`` of its class is explained during generation.

    Every ``cadence``-th one; the first where the class has fewer.
    """
    return position == 1 if count < cadence else position % cadence == 0


def explanations_wanted(count: int, cadence: int) -> int:
    """How many of ``count`` images of a class are explained."""
    return 1 if 0 < count < cadence else count // cadence
