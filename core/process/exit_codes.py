"""Exit codes of all commands, and the functions that choose the code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.errors import ArgumentError, CheckpointError, ClassifierError, IsicGuiError

if TYPE_CHECKING:
    from core.generation.events import Event

DONE: Final = 0
FAILED: Final = 1  # finished results are kept
WRONG_ARGUMENTS: Final = 2  # nothing was written
INTERRUPTED: Final = 130  # stopped cleanly


def run_command(command: Callable[[], int], *, as_json: bool, when_interrupted: str = "") -> int:
    """Run a command and return its exit code. Report an error as one sentence on stderr.

    Args:
        command: returns the exit code.
        as_json: also report an error as a line of JSON on stdout.
        when_interrupted: text printed after Ctrl-C; empty for none.
    """
    try:
        code = _code_of(command, as_json=as_json, when_interrupted=when_interrupted)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _nobody_reads():
            raise  # a different pipe, for example to a child process
        return INTERRUPTED


def _code_of(command: Callable[[], int], *, as_json: bool, when_interrupted: str) -> int:
    try:
        return command()
    except KeyboardInterrupt:
        if when_interrupted:
            print(when_interrupted, file=sys.stderr)
        return INTERRUPTED
    except IsicGuiError as error:
        return report(str(error), code_of(error), as_json=as_json)


def _nobody_reads() -> bool:
    """Check whether the reader has closed stdout, as ``| head`` does. If so, disable stdout."""
    try:
        print(flush=True)  # only a write can detect this; an empty line before a traceback does no harm
    except BrokenPipeError:
        sys.stdout = None  # otherwise Python flushes it at exit and reports an error
        return True
    return False


def report(text: str, code: int, *, as_json: bool) -> int:
    """Print why a command failed; return ``code``."""
    if as_json:
        print(json.dumps({"event": "error", "text": text, "exit_code": code}), flush=True)
    print(f"error: {text}", file=sys.stderr)
    return code


def code_of(error: IsicGuiError) -> int:
    """Return the exit code for an error. Checkpoints are checked before the first result is written, hence code 2."""
    return WRONG_ARGUMENTS if isinstance(error, (ArgumentError, CheckpointError, ClassifierError)) else FAILED


def code_of_job(last: Event | None) -> int:
    """Return the exit code of a generation job from its last event."""
    from core.generation.events import JobFinished  # imported late: ``--help`` does not need it

    if not isinstance(last, JobFinished):
        return DONE
    if last.stopped:
        return INTERRUPTED
    return FAILED if last.failed else DONE
