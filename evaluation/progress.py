"""Events of a running evaluation. Work is a generator that yields events and returns its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` is finished; ``doing`` is text for the user."""

    doing: str
    done: float
    total: float


@dataclass(frozen=True)
class Warned:
    """A fact that readers of the results must know; it is also printed in the report."""

    text: str


Event: TypeAlias = "Progress | Warned"

Work: TypeAlias = "Generator[Progress | Warned, None, T]"
"""A piece of work: yields events and returns its result. Combine pieces with ``yield from``."""


class PartsProgress:
    """Combines the progress of several parts into one progress value that never decreases.

    Args:
        weights: relative duration of each part, in their order.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = list(weights)
        self._total = sum(weights)
        self._begun = 0.0
        self._reported = 0.0

    def part(self, work: Work[T]) -> Work[T]:
        """Run the next part."""
        weight = self._weights.pop(0)

        def of_the_whole(event: Event) -> Event:
            if not isinstance(event, Progress):
                return event
            share = event.done / event.total if event.total else 1.0
            self._reported = max(self._reported, (self._begun + weight * share) / self._total)
            return Progress(event.doing, self._reported, 1.0)

        result = yield from map_events(work, of_the_whole)
        self._begun += weight
        return result


def map_events(work: Work[T], change: Callable[[Event], Event | None]) -> Work[T]:
    """The same work with each event replaced by ``change(event)``; events changed to None are dropped."""
    while True:
        try:
            event = change(next(work))
        except StopIteration as end:
            value: T = end.value
            return value
        if event is not None:
            yield event


def result_of(work: Work[T], report: Callable[[Event], object] = lambda _: None) -> T:
    """Run work to its end and return its result; ``report`` receives each event."""
    while True:
        try:
            report(next(work))
        except StopIteration as end:
            value: T = end.value
            return value
