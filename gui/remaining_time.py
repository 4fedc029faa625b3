"""Compute the remaining time of a job; None while it is unknown. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ENOUGH_S: Final = 2.0
_ENOUGH_UNITS: Final = 2


@dataclass
class _Work:
    """One kind of work: total units, finished units, and the measured units with their duration."""

    total: float = 0
    done: float = 0
    measured: float = 0
    seconds: float = 0.0
    assumed: float | None = None

    @property
    def left(self) -> float:
        return max(0.0, self.total - self.done)

    @property
    def seconds_a_unit(self) -> float | None:
        """Return the measured value if enough units were measured, otherwise the assumed value or None."""
        if self.measured < _ENOUGH_UNITS or self.seconds < _ENOUGH_S:
            return self.assumed
        return self.seconds / self.measured


class RemainingTime:
    """Remaining time of several kinds of work, such as denoising steps and explanations.

    Work without a measured duration, for example around a pause, counts as finished but not for the speed.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Work] = {}

    def expect(self, kind: str, units: float) -> None:
        """Add remaining work."""
        self._kinds.setdefault(kind, _Work()).total += units

    def leave(self, kind: str, units: float) -> None:
        """Set the remaining work of one kind; the measured speed is kept."""
        work = self._kinds.setdefault(kind, _Work())
        work.total = work.done + units

    def assume(self, kind: str, seconds_a_unit: float) -> None:
        """Set the assumed duration of a unit, used until enough units are measured."""
        self._kinds.setdefault(kind, _Work()).assumed = seconds_a_unit

    def advance(self, kind: str, units: float, seconds: float | None) -> None:
        """Record finished work; ``seconds`` is None if its duration is not typical."""
        work = self._kinds.setdefault(kind, _Work())
        work.done += units
        if seconds is not None and units > 0:
            work.measured += units
            work.seconds += seconds

    def speed(self, kind: str) -> float | None:
        """Return the seconds per unit; None until enough units are measured."""
        work = self._kinds.get(kind)
        return None if work is None else work.seconds_a_unit

    def seconds_left(self) -> float | None:
        """Return the seconds until all work is finished; None while a kind of remaining work has no measured speed."""
        left = 0.0
        for kind, work in self._kinds.items():
            if not work.left:
                continue
            speed = self.speed(kind)
            if speed is None:
                return None
            left += work.left * speed
        return left


def in_words(seconds: float) -> str:
    """Return a duration as text, such as ``about 2 min``. It is coarse, because it is an estimate."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {max(1, minutes)} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 10:
        return f"about {hours} h {minutes:02d} min"
    return f"about {round(seconds / 3600)} h"


def size_in_words(size: float) -> str:
    """Return a number of bytes as text, such as ``1.2 GB``."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "KB") or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
