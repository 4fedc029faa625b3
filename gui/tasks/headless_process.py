"""Run a headless process with Qt, for explanations and evaluations, by the protocol of ``core.process.runner``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from core.io.leftovers import new_job_folder
from core.paths import PROJECT_ROOT
from core.process.exit_codes import WRONG_ARGUMENTS
from core.process.protocol import Messages, over_time, why_it_ended
from core.process.runner import ERROR_TAIL, GRACE_S, headless_environment


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Attributes:
        well: whether the process succeeded.
        reason: why it failed, as the end of a sentence; empty after success and after a cancellation.
        refused: whether it refused the job (exit code 2), for example without a usable classifier or device.
    """

    well: bool
    reason: str = ""
    refused: bool = False


class HeadlessProcess(QObject):
    """Runs one job.

    Args:
        command: command from ``core.process.runner.headless_command``.
        time_limit_s: time limit in seconds; None for no limit.

    Signals:
        message_received: one message of the process (``{"event": ...}``).
        ended: an ``Ending``.
    """

    message_received = pyqtSignal(object)
    ended = pyqtSignal(object)

    def __init__(self, parent: QObject, command: tuple[str, ...], time_limit_s: float | None = None) -> None:
        super().__init__(parent)
        self._command, self._limit = command, time_limit_s
        self._folder: Path | None = None
        self._messages = Messages()
        self._errors = b""
        self._reason: str | None = None
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._clock = self._timer(self._on_time_limit)
        self._grace = self._timer(self._process.kill)

    def _timer(self, action: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(action)
        return timer

    def start(self, job: bytes, variables: Mapping[str, str]) -> None:
        """Write the job file and start the process. Does not wait for it.

        Args:
            job: content of the job file.
            variables: additional environment variables of the process.

        Raises:
            OSError: the job file cannot be written.
        """
        self._folder = new_job_folder()
        file = self._folder / "job.json"
        file.write_bytes(job)
        environment = QProcessEnvironment()
        for name, value in headless_environment(variables).items():
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(str(PROJECT_ROOT))
        if self._limit is not None:
            self._clock.start(round(self._limit * 1000))
        self._process.start(self._command[0], [*self._command[1:], str(file)])

    def cancel(self) -> None:
        """Ask the process to stop, and kill it after five seconds if necessary. Results so far are kept."""
        self._stop("")

    def _stop(self, reason: str) -> None:
        if self._process.state() != QProcess.NotRunning and self._reason is None:
            self._reason = reason
            self._process.closeWriteChannel()
            if os.name != "nt":
                self._process.terminate()
            self._grace.start(round(GRACE_S * 1000))

    def _on_time_limit(self) -> None:
        self._stop(over_time(self._clock.interval() / 1000))

    def _read(self) -> None:
        for message in self._messages.feed(bytes(self._process.readAllStandardOutput())):
            self.message_received.emit(message)

    def _read_errors(self) -> None:
        self._errors = (self._errors + bytes(self._process.readAllStandardError()))[-ERROR_TAIL:]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.FailedToStart:  # all other errors are followed by `finished`
            self._end(Ending(False, f"{self._command[0]} cannot be started: {self._process.errorString()}"))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        for message in self._messages.end():
            self.message_received.emit(message)
        if self._reason is not None:
            self._end(Ending(False, self._reason))
        elif code == 0 and status == QProcess.NormalExit:
            self._end(Ending(True))
        else:
            exit_code = code if status == QProcess.NormalExit else None
            reason = why_it_ended(exit_code, self._messages, self._errors)
            self._end(Ending(False, reason, exit_code == WRONG_ARGUMENTS))

    def _end(self, ending: Ending) -> None:
        self._clock.stop()
        self._grace.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self.ended.emit(ending)
