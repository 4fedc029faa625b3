"""Decide how often to retry, and how long to wait between attempts."""

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
    """Limits for retries. The wait doubles from ``base_s``; a wait requested by the server is limited to ``cap_s``.

    The count of attempts restarts whenever ``gain_bytes`` more bytes have been received. A connection that breaks every
    few minutes therefore still completes, and one without progress fails soon. If a host was never reached, which
    usually means that there is no network, the download fails after ``unreachable`` attempts.
    """

    attempts: int = 6
    unreachable: int = 3
    base_s: float = 1.0
    cap_s: float = 60.0
    gain_bytes: int = 1 << 20
    spoiled: int = 2
    most_attempts: int = 500


def wait(name: str, reason: str, seconds: float) -> Iterator[Event]:
    """Wait in short intervals, so that the caller can stop between them."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield Waiting(name, reason, round(left, 1))
        time.sleep(min(left, _WAIT_SLICE_S))


class Tries:
    """Count the attempts, and decide whether to try again and how long to wait."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since_gain = self._spoiled = self._all = self._farthest = self._unreachable = 0

    def wait_after(self, hitch: HitchError, size: int, name: str) -> float:
        """Return the number of seconds to wait before the next attempt.

        Raises:
            FinalAnswerError: the content was wrong every time.
            DownloadError: the limits for retries are reached.
        """
        patience = self._patience
        if size >= self._farthest + patience.gain_bytes:
            self._farthest, self._since_gain = size, 0
        self._since_gain += 1
        self._all += 1
        self._spoiled += isinstance(hitch, SpoiledError) and not hitch.resumed
        if self._spoiled >= patience.spoiled:
            raise FinalAnswerError(f"{name} has the wrong content: {hitch}; it was not installed; {OTHER_WAYS}.")
        self._unreachable += isinstance(hitch, UnreachableError)
        never = self._unreachable == self._all >= patience.unreachable
        if never or self._since_gain >= patience.attempts or self._all >= patience.most_attempts:
            raise DownloadError(
                f"{name} could not be downloaded: {hitch} ({self._all} attempts). The received bytes are kept; check "
                f"the network and run the same command again to resume, or {OTHER_WAYS}."
            )
        doubled = patience.base_s * 2.0 ** (self._since_gain - 1)
        # Random jitter prevents many computers from retrying at the same moment.
        jittered = doubled * random.uniform(0.5, 1.0)  # noqa: S311
        return min(patience.cap_s, max(jittered, hitch.wait_s or 0.0))
