"""The process side of headless work: send messages as JSON lines, and stop on request.

``core.process.runner`` describes the protocol.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psutil

from core.errors import IsicGuiError
from core.process.exit_codes import INTERRUPTED, WRONG_ARGUMENTS, code_of
from core.process.log_file import log_file
from core.process.runner import STOP_WITH_STDIN
from core.process.streams import lasting_streams
from core.signals import stop_signals

_STDIN: Final = 0
_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING, "progress": logging.DEBUG}
_log = logging.getLogger(__name__)


def tell(event: str, **values: Any) -> None:
    """Print one message as a line of JSON and flush it. It is ASCII, so file names that are not UTF-8 are kept.

    Args:
        event: name of the event.
        **values: plain JSON values.
    """
    _log.log(_LEVELS.get(event, logging.INFO), "%s: %s", event, values)
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def run_job(package: str, arguments: list[str], work: Callable[[Path], int]) -> int:
    """Run the job named on the command line of ``python -m package`` and return the exit code.

    Args:
        package: name of the package that this process runs.
        arguments: arguments of the command line; exactly one job file is expected.
        work: receives the job file, sends messages, and returns the exit code. A request to stop raises
            KeyboardInterrupt in it. An ``IsicGuiError`` is reported and converted into an exit code.
    """
    with lasting_streams(), log_file(package):
        return _run_job(package, arguments, work)


def _run_job(package: str, arguments: list[str], work: Callable[[Path], int]) -> int:
    if len(arguments) != 1:
        tell("error", text=f"Name one job file: python -m {package} JOB.json.")
        return WRONG_ARGUMENTS
    try:
        with stoppable():
            return work(Path(arguments[0]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except IsicGuiError as error:
        tell("error", text=str(error))
        return code_of(error)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread on a stop signal, and when the parent process closes stdin.

    It is raised only once. A parent often sends two requests, such as a closed stdin and SIGTERM. The second one
    would interrupt the clean-up started by the first, so it is ignored.

    The system also closes stdin when the parent process dies, so no orphan keeps running. On Windows, closing stdin
    is the only way to stop a process without a window cleanly. Without ``STOP_WITH_STDIN`` in the environment, stdin
    is ignored, because a process started by a person or a scheduler may have none.
    """

    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    if os.environ.get(STOP_WITH_STDIN):
        threading.Thread(target=_wait_for_closed_stdin, name="stdin", daemon=True).start()
    try:
        yield
    finally:
        if not asked:
            for number, handler in before.items():
                signal.signal(number, handler)


def stay_in_the_background() -> None:
    """Give this process the lowest priority."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        os.nice(19)


def _wait_for_closed_stdin() -> None:
    # Not sys.stdin: the interpreter crashes at exit if another thread holds the lock of sys.stdin.
    with contextlib.suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGTERM)
    else:  # a real signal also wakes up a main thread that is sleeping or waiting
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
