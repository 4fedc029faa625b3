"""What happens while models are fetched, as small immutable values beside those of ``core.generation.events``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from core.generation.events import Event

State: TypeAlias = Literal["whole", "damaged", "missing", "unrecorded"]
Stage: TypeAlias = Literal["download", "unpack", "copy"]

_WINDOW_S: Final = 5.0
_SHORTEST_S: Final = 0.2


@dataclass(frozen=True)
class Planned(Event):
    """What will be fetched; ``bytes`` is None where the source does not say."""

    source: str
    folder: Path
    names: tuple[str, ...]
    bytes: int | None


@dataclass(frozen=True)
class Progress(Event):
    """Bytes of one file so far. ``total``, ``bytes_per_s`` and ``seconds_left`` are None while unknown."""

    name: str
    stage: Stage
    done: int
    total: int | None
    bytes_per_s: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class DownloadResumed(Event):
    """A file goes on from the bytes that arrived before."""

    name: str
    done: int


@dataclass(frozen=True)
class Waiting(Event):
    """A hitch; the next attempt follows in ``seconds``. Repeated while waiting, so that a reader can stop."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Installed(Event):
    """A file was checked and took its place."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Kept(Event):
    """A file was there already and stays as it is."""

    name: str
    reason: str


@dataclass(frozen=True)
class Skipped(Event):
    """The source has a file that is no model and no document; it is left out."""

    name: str
    reason: str


@dataclass(frozen=True)
class FileStatus(Event):
    """State of one file of the checkpoints folder: against the manifest, and whether it opens."""

    name: str
    state: State
    bytes: int
    source: str
    reason: str = ""


@dataclass(frozen=True)
class DownloadFinished(Event):
    """Everything asked for is in place."""

    folder: Path
    installed: int
    kept: int


class Meter:
    """Speed over the last seconds and the time left; None where it cannot be known yet."""

    def __init__(self, name: str, stage: Stage, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._stage, self._total, self._clock = name, stage, total, clock
        self._seen: deque[tuple[float, int]] = deque()

    def progress(self, done: int) -> Progress:
        """Note that ``done`` bytes are there, and say so as an event."""
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        speed = self._speed()
        left = (self._total - done) / speed if speed and self._total is not None else None
        return Progress(self._name, self._stage, done, self._total, speed, left)

    def _speed(self) -> float | None:
        (first, start), (last, end) = self._seen[0], self._seen[-1]
        if last - first < _SHORTEST_S or end <= start:
            return None
        return (end - start) / (last - first)
