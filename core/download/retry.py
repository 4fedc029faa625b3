"""How often to try again, and how long to wait in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.download.events import Waiting
from core.download.http import OTHER_WAYS, FinalAnswerError, HitchError, SpoiledError, UnreachableError
from core.errors import DownloadError
from core.generation.events import Event

_WAIT_SLICE_S: Final = 0.25


@dataclass(frozen=True)
class Patience:
    """How often and how long to try. The wait doubles from ``base_s``; a server's own wish is honoured to ``cap_s``.

    Attempts count anew whenever ``gain_bytes`` more have arrived than ever before: a line that breaks off every
    few minutes still gets there, one that gets nowhere does not keep anybody waiting. A host that was never reached at
    all (no network, most often) is given up after ``unreachable`` attempts.
    """

    attempts: int = 6
    unreachable: int = 3
    base_s: float = 1.0
    cap_s: float = 60.0
    gain_bytes: int = 1 << 20
    spoiled: int = 2
    most_attempts: int = 500


def wait(name: str, reason: str, seconds: float) -> Iterator[Event]:
    """Wait in slices, so that whoever reads the events can stop in between."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield Waiting(name, reason, round(left, 1))
        time.sleep(min(left, _WAIT_SLICE_S))


class Tries:
    """Counts attempts and decides how long to wait before the next one, or that there is none."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since_gain = self._spoiled = self._all = self._farthest = self._unreachable = 0

    def wait_after(self, hitch: HitchError, size: int, name: str) -> float:
        """Seconds to wait.

        Raises:
            FinalAnswerError: what comes is never right.
            DownloadError: patience is used up.
        """
        patience = self._patience
        if size >= self._farthest + patience.gain_bytes:
            self._farthest, self._since_gain = size, 0
        self._since_gain += 1
        self._all += 1
        self._spoiled += isinstance(hitch, SpoiledError) and not hitch.resumed
        if self._spoiled >= patience.spoiled:
            raise FinalAnswerError(
                f"{name} is not what it should be: {hitch}; nothing was put in its place; {OTHER_WAYS}."
            )
        self._unreachable += isinstance(hitch, UnreachableError)
        never = self._unreachable == self._all >= patience.unreachable
        if never or self._since_gain >= patience.attempts or self._all >= patience.most_attempts:
            raise DownloadError(
                f"{name} could not be fetched: {hitch} ({self._all} attempts). What has arrived is kept; check the "
                f"network and run the same command again to go on, or {OTHER_WAYS}."
            )
        doubled = patience.base_s * 2.0 ** (self._since_gain - 1)
        # Jitter keeps a class of thirty laptops from coming back all at the same moment.
        jittered = doubled * random.uniform(0.5, 1.0)  # noqa: S311
        return min(patience.cap_s, max(jittered, hitch.wait_s or 0.0))
