"""How long a job still takes: computes, shows nothing, and answers None when it cannot know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ENOUGH_S: Final = 2.0
_ENOUGH_UNITS: Final = 2


@dataclass
class _Work:
    """One kind of work: units in all, units done, and the seconds that the done ones took."""

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
        """As measured, where enough was; else what is assumed, if anything is."""
        if self.measured < _ENOUGH_UNITS or self.seconds < _ENOUGH_S:
            return self.assumed
        return self.seconds / self.measured


class RemainingTime:
    """Time left over several kinds of work, such as denoising steps and explanations.

    What was done without being measured (before a pause was noticed, say) counts as done and not for the speed.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Work] = {}

    def expect(self, kind: str, units: float) -> None:
        """Add work to be done."""
        self._kinds.setdefault(kind, _Work()).total += units

    def leave(self, kind: str, units: float) -> None:
        """So much work of one kind is left, whatever was expected of it; what was measured stays."""
        work = self._kinds.setdefault(kind, _Work())
        work.total = work.done + units

    def assume(self, kind: str, seconds_a_unit: float) -> None:
        """How long a unit takes, until enough was measured."""
        self._kinds.setdefault(kind, _Work()).assumed = seconds_a_unit

    def advance(self, kind: str, units: float, seconds: float | None) -> None:
        """Note work done; ``seconds`` is None where its time says nothing of the speed."""
        work = self._kinds.setdefault(kind, _Work())
        work.done += units
        if seconds is not None and units > 0:
            work.measured += units
            work.seconds += seconds

    def speed(self, kind: str) -> float | None:
        """Seconds a unit; None until enough was measured."""
        work = self._kinds.get(kind)
        return None if work is None else work.seconds_a_unit

    def seconds_left(self) -> float | None:
        """Seconds until everything expected is done; None while any kind of work left has no measured speed."""
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
    """A duration as people say it: ``about 2 min``; coarse, because it is an estimate."""
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
    """A number of bytes as people say it."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "KB") or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
