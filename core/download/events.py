"""Events of a download, as immutable values. They extend the events of ``core.generation.events``."""

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
    """The files to be downloaded; ``bytes`` is None if the source does not give the sizes."""

    source: str
    folder: Path
    names: tuple[str, ...]
    bytes: int | None


@dataclass(frozen=True)
class Progress(Event):
    """Progress of one file in bytes. ``total``, ``bytes_per_s`` and ``seconds_left`` are None while unknown."""

    name: str
    stage: Stage
    done: int
    total: int | None
    bytes_per_s: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class DownloadResumed(Event):
    """The download of a file resumes after the bytes received earlier."""

    name: str
    done: int


@dataclass(frozen=True)
class Waiting(Event):
    """An attempt failed; the next one starts in ``seconds``. Repeated while waiting, so that the caller can stop."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Installed(Event):
    """A file was checked and installed."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Kept(Event):
    """An existing file was not changed."""

    name: str
    reason: str


@dataclass(frozen=True)
class Skipped(Event):
    """A file of the source was ignored because it is neither a model nor a document."""

    name: str
    reason: str


@dataclass(frozen=True)
class FileStatus(Event):
    """State of one file of the checkpoints folder, compared with the manifest and, if requested, opened."""

    name: str
    state: State
    bytes: int
    source: str
    reason: str = ""


@dataclass(frozen=True)
class DownloadFinished(Event):
    """All requested files are installed."""

    folder: Path
    installed: int
    kept: int


class Meter:
    """Compute the speed over the last seconds and the remaining time; None until they can be estimated."""

    def __init__(self, name: str, stage: Stage, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._stage, self._total, self._clock = name, stage, total, clock
        self._seen: deque[tuple[float, int]] = deque()

    def progress(self, done: int) -> Progress:
        """Record that ``done`` bytes have been received, and return the progress event."""
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
