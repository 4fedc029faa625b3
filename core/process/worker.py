"""The inner side of headless work: JSON lines to whoever started this process, and an ear for its wish to stop.

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
    """Print one line for whoever reads along, and flush it. It is ASCII, so names of files that are not UTF-8 arrive.

    Args:
        event: its name.
        **values: plain JSON values.
    """
    _log.log(_LEVELS.get(event, logging.INFO), "%s: %s", event, values)
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def run_job(package: str, arguments: list[str], work: Callable[[Path], int]) -> int:
    """Do the job whose file is the one argument of ``python -m package``; returns the exit code.

    Args:
        package: what this process was started as.
        arguments: of its command line.
        work: takes the job file, tells what it does, returns the exit code. It is interrupted when the process is
            asked to stop; an error of this program is told and becomes its code.
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
    """Raise KeyboardInterrupt in the main thread at a stop signal, and when the starter of this process closes stdin.

    Once: whoever asks often asks twice (a closed stdin and SIGTERM, Ctrl-C and SIGTERM), and the second time would
    otherwise interrupt the tidying up that the first one set going. A process that was asked stays deaf to its end.

    The latter also happens when that program dies, so that nothing goes on for nobody; and it is the only gentle
    way to stop a process without a window on Windows. Without ``STOP_WITH_STDIN`` in the environment stdin is left
    alone: a process that a person or a scheduler starts may have none.
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
    """Let every other program go first."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        os.nice(19)


def _wait_for_closed_stdin() -> None:
    # Not sys.stdin: a thread that holds its lock while the interpreter ends would bring that down.
    with contextlib.suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGTERM)
    else:  # a real signal also wakes a main thread that sleeps or waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
