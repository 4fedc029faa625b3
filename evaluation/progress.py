"""What an evaluation tells while it works: small values out of plain generators, whose result is what they return."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` are through; ``doing`` in words."""

    doing: str
    done: float
    total: float


@dataclass(frozen=True)
class Warned:
    """Something that a reader of the results must know; it also stands in the report."""

    text: str


Told: TypeAlias = "Progress | Warned"

Work: TypeAlias = "Generator[Progress | Warned, None, T]"
"""A piece of work: yields what it tells, returns its result; composed with ``yield from``."""


class Whole:
    """Turns the progress of parts into progress of the whole, which never goes back.

    Args:
        weights: of the parts, in their order.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = list(weights)
        self._total = sum(weights)
        self._begun = 0.0
        self._told = 0.0

    def part(self, work: Work[T]) -> Work[T]:
        """Run the next part."""
        weight = self._weights.pop(0)

        def of_the_whole(told: Told) -> Told:
            if not isinstance(told, Progress):
                return told
            share = told.done / told.total if told.total else 1.0
            self._told = max(self._told, (self._begun + weight * share) / self._total)
            return Progress(told.doing, self._told, 1.0)

        result = yield from through(work, of_the_whole)
        self._begun += weight
        return result


def through(work: Work[T], change: Callable[[Told], Told | None]) -> Work[T]:
    """The same piece of work, which tells what ``change`` makes of what it tells; nothing where that is None."""
    while True:
        try:
            told = change(next(work))
        except StopIteration as end:
            value: T = end.value
            return value
        if told is not None:
            yield told


def result_of(work: Work[T], tell: Callable[[Told], object] = lambda _: None) -> T:
    """Run a piece of work to its end; ``tell`` gets what it tells."""
    while True:
        try:
            tell(next(work))
        except StopIteration as end:
            value: T = end.value
            return value
