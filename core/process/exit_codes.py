"""Exit codes of all commands, and the functions that choose the code."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.errors import ArgumentError, CheckpointError, ClassifierError, IsicGuiError
from core.io.plain_text import printable
from core.process.log_file import log_file
from core.process.streams import is_ended_pipe, lasting_streams, lost_output
from core.signals import stop_signals_interrupt

if TYPE_CHECKING:
    from core.generation.events import Event

DONE: Final = 0
FAILED: Final = 1  # finished results are kept
WRONG_ARGUMENTS: Final = 2  # nothing was written
INTERRUPTED: Final = 130  # stopped cleanly
VERBOSE_HELP: Final = "log every step, and print the log to stderr"
_log = logging.getLogger(__name__)


def run_command(
    command: Callable[[], int],
    *,
    as_json: bool,
    name: str = "command",
    verbose: bool = False,
    when_interrupted: str = "",
    result_is_output: bool = True,
) -> int:
    """Run a command to its exit code; an error becomes one sentence on stderr.

    Ctrl-C, SIGTERM and SIGHUP interrupt it. Streams that cannot be written never do.

    Args:
        command: returns its exit code.
        as_json: report an error as a line of JSON on stdout too.
        name: name of the command in the log.
        verbose: log every step, and print the log to stderr.
        when_interrupted: printed to stderr after an interrupt; nothing if it is empty.
        result_is_output: a command that succeeds but whose output is lost has failed (exit code 1), or was interrupted
            if the reader of a pipe is gone (130). False for a command whose results are files.
    """
    with lasting_streams(), log_file(name, verbose=verbose):
        code = _code_of(command, as_json=as_json, when_interrupted=when_interrupted)
        lost = lost_output() if result_is_output and code == DONE else None
        if lost is not None:
            reason = f"The output cannot be written ({lost.strerror}); write it elsewhere."
            code = INTERRUPTED if is_ended_pipe(lost) else report(reason, FAILED, as_json=False)
        _log.info("%s ended with exit code %d", name, code)
        return code


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
    """Print and log why a command failed; return ``code``."""
    _log.error("%s", text)
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
