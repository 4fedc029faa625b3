"""Run a job in a separate headless process: job file in, JSON lines out. A crash becomes an error message.

The protocol for every package with headless jobs (``core.process.worker`` implements the process side):

- The process is started as ``python -m PACKAGE JOB.json``, with UTF-8, matplotlib without a display, and an open stdin.
- stdout has one JSON object per line, ``{"event": NAME, ...}``: ``progress`` (done, total), ``notice`` and ``warning``
  (text), and events of the package. Any other line becomes ``{"event": "log", "text": ...}``.
- The process stops when its stdin is closed or on SIGTERM. It keeps the results so far. If it does not stop within
  ``GRACE_S``, it is killed.
- Exit codes are those of the command line. Before any code other than 0 and 130, the process sends an ``error`` (text).
  This text is not returned as a message; it becomes the text of the exception.

The command line (``run_headless``) and the window (QProcess) use the same parser, ``core.process.protocol``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from core.errors import ArgumentError, JobFailedError
from core.generation.control import Control, Decision
from core.io.leftovers import new_job_folder
from core.paths import PROJECT_ROOT
from core.process.exit_codes import WRONG_ARGUMENTS
from core.process.protocol import Message, Messages, over_time, why_it_ended

__all__ = ["ERROR_TAIL", "GRACE_S", "Message", "headless_command", "headless_environment", "run_headless"]

GRACE_S: Final = 5.0
ERROR_TAIL: Final = 400
STOP_WITH_STDIN: Final = "ISICGUI_STOP_WITH_STDIN"
_CHUNK: Final = 1 << 16
_STOPS: Final = (Decision.STOP_NOW, Decision.STOP_AFTER_IMAGE)
_POLL_S: Final = 0.1
_log = logging.getLogger(__name__)


def headless_command(package: str) -> tuple[str, ...]:
    """Return the command that starts a package. Append the path of the job file as the last argument."""
    return (sys.executable, "-m", package)


def headless_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a headless process: that of this process, UTF-8, no display, and ``extra``."""
    fixed = {"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1", "MPLBACKEND": "Agg", STOP_WITH_STDIN: "1"}
    return {**os.environ, **fixed, **extra}


def run_headless(
    command: tuple[str, ...],
    job: bytes,
    *,
    environment: Mapping[str, str],
    time_limit_s: float | None = None,
    control: Control | None = None,
) -> Iterator[Message]:
    """Run one job and yield its messages.

    The process blocks while the caller does not take its output, so the output needs no unbounded buffer. Closing the
    iterator stops the process. A stop requested through ``control`` also stops it; the iterator then ends without an
    error.

    Args:
        command: command from ``headless_command``.
        job: content of the job file.
        environment: environment of the process, see ``headless_environment``.
        time_limit_s: time limit in seconds; None for no limit.
        control: polled ten times a second.

    Raises:
        ArgumentError: the process refused the job (exit code 2).
        JobFailedError: the job file could not be written, or the process could not be started, failed, or exceeded
            the time limit.
    """
    _log.info("Starting %s", " ".join(command[1:]))
    with _job_file(job) as file:
        try:
            process = subprocess.Popen(
                [*command, str(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=PROJECT_ROOT,
                env=dict(environment),
            )
        except OSError as error:
            raise JobFailedError(f"{command[0]} cannot be started: {error.strerror}.") from error
        run = _Run(process, time_limit_s, control or Control())
        try:
            yield from run.messages()
        finally:
            run.end()


@contextlib.contextmanager
def _job_file(job: bytes) -> Iterator[Path]:
    """Write the job into a file in a temporary folder, which is deleted afterwards."""
    with contextlib.ExitStack() as opened:  # the caller's block runs outside the `try`, which must not catch its errors
        try:
            folder = new_job_folder()
            opened.callback(shutil.rmtree, folder, ignore_errors=True)
            file = folder / "job.json"
            file.write_bytes(job)
        except OSError as error:
            parent = tempfile.tempdir or "a temporary folder"  # None if Python has found no usable folder
            raise JobFailedError(
                f"The job file cannot be written into {parent} ({error.strerror}); "
                "free some space there, or name another folder with TMPDIR."
            ) from error
        yield file


class _Run:
    """A running process, the two threads that read its output, and its time limit."""

    def __init__(self, process: subprocess.Popen[bytes], limit_s: float | None, control: Control) -> None:
        self._process, self._limit, self._control = process, limit_s, control
        self._started = time.monotonic()
        self._kill_at: float | None = None
        self._reason: str | None = None
        self._errors = b""
        self._chunks: queue.Queue[bytes] = queue.Queue(maxsize=8)  # when it is full, the reader and the process wait
        self._read_errors: list[OSError] = []
        self._readers = [self._start(process.stdout, self._chunks.put), self._start(process.stderr, self._keep_tail)]

    def messages(self) -> Iterator[Message]:
        parser = Messages()
        while chunk := self._next_chunk():
            if self._kill_at is None:
                for message in parser.feed(chunk):
                    _log.debug("%s", message)
                    yield message
        if self._read_errors:
            self._reason = f"its output could not be read ({self._read_errors[0].strerror})"
            self._ask_to_end()
        self._wait()
        if self._kill_at is None:
            yield from parser.end()
            if self._process.returncode != 0:
                self._reason = why_it_ended(self._process.returncode, parser, self._errors)
        if self._reason is not None and self._control.decision not in _STOPS:
            kind = ArgumentError if self._process.returncode == WRONG_ARGUMENTS else JobFailedError
            raise kind(f"{self._reason[0].upper()}{self._reason[1:]}.")

    def end(self) -> None:
        """Stop the process, wait for it, and close its pipes."""
        self._ask_to_end()
        while self._next_chunk():
            pass
        self._wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _wait(self) -> None:
        """Wait until the process has ended; it may still be running after it has closed its output."""
        while self._process.poll() is None:
            self._watch()
            time.sleep(_POLL_S / 10)
        for reader in self._readers:
            reader.join()

    def _next_chunk(self) -> bytes:
        """Return the next chunk of output; empty when the process has closed stdout."""
        while True:
            self._watch()
            try:
                return self._chunks.get(timeout=_POLL_S)
            except queue.Empty:
                if not self._readers[0].is_alive() and self._chunks.empty():
                    return b""

    def _watch(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._process.kill()
        elif self._control.decision in _STOPS:
            self._ask_to_end()
        elif self._limit is not None and now - self._started >= self._limit:
            self._reason = over_time(self._limit)
            self._ask_to_end()

    def _ask_to_end(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + GRACE_S
            if self._process.stdin is not None:
                self._process.stdin.close()
            if os.name != "nt":  # on Windows, terminate would kill at once; there the closed stdin is the request
                self._process.terminate()

    def _start(self, pipe: IO[bytes] | None, take: Callable[[bytes], None]) -> threading.Thread:
        def read() -> None:
            try:
                while pipe is not None and (data := os.read(pipe.fileno(), _CHUNK)):
                    take(data)
            except OSError as error:  # an error that ends this thread must not look like the end of the output
                self._read_errors.append(error)

        thread = threading.Thread(target=read, name="headless-output", daemon=True)
        thread.start()
        return thread

    def _keep_tail(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-ERROR_TAIL:]
