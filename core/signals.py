"""The signals that ask a program to stop: Ctrl-C, a scheduler's SIGTERM, and the SIGHUP of a terminal that closes."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = "Callable[[int, FrameType | None], None]"


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that this process obeys, SIGINT first.

    SIGHUP is left out on Windows, which has none, and in a process that ``nohup`` started, which must ignore it.
    """
    hang_up = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
    heard = [number for number in hang_up if signal.getsignal(number) is not signal.SIG_IGN]
    return (signal.SIGINT, signal.SIGTERM, *heard)


@contextlib.contextmanager
def handled(numbers: tuple[signal.Signals, ...], handler: Handler) -> Iterator[None]:
    """Handle signals within the block, and restore the handlers before it afterwards. Main thread only."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def stop_signals_interrupt() -> Iterator[None]:
    """Let every stop signal raise KeyboardInterrupt, once.

    Whoever closes a terminal or ends a batch job often sends several signals. A second interrupt would break off the
    cleanup that the first one started. Only a second Ctrl-C does, because a person sends it on purpose.
    """
    asked = False

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if number == signal.SIGINT or not asked:
            asked = True
            raise KeyboardInterrupt

    with handled(stop_signals(), interrupt):
        yield
