"""Exit codes of all commands, and the functions that choose the code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.errors import ArgumentError, CheckpointError, ClassifierError, IsicGuiError
from core.io.plain_text import printable
from core.process.streams import is_ended_pipe, lasting_streams, lost_output
from core.signals import stop_signals_interrupt

if TYPE_CHECKING:
    from core.generation.events import Event

DONE: Final = 0
FAILED: Final = 1  # finished results are kept
WRONG_ARGUMENTS: Final = 2  # nothing was written
INTERRUPTED: Final = 130  # stopped cleanly


def run_command(
    command: Callable[[], int], *, as_json: bool, when_interrupted: str = "", result_is_output: bool = True
) -> int:
    """Run a command and return its exit code. Report an error as one sentence on stderr.

    Ctrl-C, SIGTERM and SIGHUP interrupt it. Streams that cannot be written do not.

    Args:
        command: returns the exit code.
        as_json: also report an error as a line of JSON on stdout.
        when_interrupted: text printed to stderr after an interrupt; empty for none.
        result_is_output: return 1 if the command succeeds but its output is lost, or 130 if the reader has closed the
            pipe. False for a command whose results are files.
    """
    with lasting_streams():
        code = _code_of(command, as_json=as_json, when_interrupted=when_interrupted)
        lost = lost_output() if result_is_output and code == DONE else None
        if lost is None:
            return code
        if is_ended_pipe(lost):
            return INTERRUPTED
        return report(f"The output cannot be written ({lost.strerror}); write it elsewhere.", FAILED, as_json=False)


def _code_of(command: Callable[[], int], *, as_json: bool, when_interrupted: str) -> int:
    try:
        with stop_signals_interrupt():
            return command()
    except KeyboardInterrupt:
        if when_interrupted:
            print(when_interrupted, file=sys.stderr)
        return INTERRUPTED
    except IsicGuiError as error:
        return report(str(error), code_of(error), as_json=as_json)


def report(text: str, code: int, *, as_json: bool) -> int:
    """Print why a command failed; return ``code``."""
    if as_json:
        print(json.dumps({"event": "error", "text": text, "exit_code": code}), flush=True)
    print(f"error: {printable(text)}", file=sys.stderr)
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
