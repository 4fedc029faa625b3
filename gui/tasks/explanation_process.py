"""The headless process that explains an image: a job file in, JSON lines out. A crash of it stays a message."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from PyQt5.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from core.paths import PROJECT_ROOT
from gui.explanation_job import ExplanationJob

_TIME_LIMIT_S: Final = 3600.0
_GRACE_MS: Final = 5000
_TAIL: Final = 400
COMMAND: Final = (sys.executable, "-m", "xai")


class ExplanationProcess(QObject):
    """Runs one job.

    Signals:
        told: one line of the process as a dictionary (``{"event": ...}``).
        said: a line that is no JSON; for the log.
        ended: whether it went well, then why not: a sentence, empty when it did or when it was cancelled.
    """

    told = pyqtSignal(object)
    said = pyqtSignal(str)
    ended = pyqtSignal(bool, str)

    def __init__(
        self, parent: QObject, command: tuple[str, ...] = COMMAND, time_limit_s: float = _TIME_LIMIT_S
    ) -> None:
        super().__init__(parent)
        self._command, self._limit = command, time_limit_s
        self._folder: Path | None = None
        self._buffer = b""
        self._errors = b""
        self._reason: str | None = None
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._clock = self._timer(self._on_time_limit)
        self._grace = self._timer(self._process.kill)

    def _timer(self, action: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(action)
        return timer

    def start(self, job: ExplanationJob) -> None:
        """Write the job file and start the process; returns at once."""
        self._folder = Path(tempfile.mkdtemp(prefix="isicgui-xai-"))
        file = self._folder / "job.json"
        file.write_bytes(job.encoded())
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in (
            ("PYTHONIOENCODING", "utf-8"),
            ("PYTHONUTF8", "1"),
            ("MPLBACKEND", "Agg"),
            ("XAI_SAVE_EVERY_N", str(job.stride)),
        ):
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(str(PROJECT_ROOT))
        self._clock.start(round(self._limit * 1000))
        self._process.start(self._command[0], [*self._command[1:], str(file)])

    def cancel(self) -> None:
        """Ask the process to end; one that does not within five seconds is killed, its results so far are kept."""
        self._stop("")

    def _stop(self, reason: str) -> None:
        if self._process.state() != QProcess.NotRunning and self._reason is None:
            self._reason = reason
            self._process.terminate()
            self._grace.start(_GRACE_MS)

    def _on_time_limit(self) -> None:
        self._stop(f"the explanation took longer than {self._limit / 60:.0f} minutes and was stopped")

    def _read(self) -> None:
        self._buffer += bytes(self._process.readAllStandardOutput())
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace").strip())

    def _read_errors(self) -> None:
        self._errors = (self._errors + bytes(self._process.readAllStandardError()))[-_TAIL:]

    def _take(self, line: str) -> None:
        if not line:
            return
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict) and "event" in value:
            self.told.emit(value)
        else:
            self.said.emit(line)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.FailedToStart:  # every other error is followed by `finished`
            self._end(False, f"{self._command[0]} cannot be started: {self._process.errorString()}")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        self._take(self._buffer.decode("utf-8", "replace").strip())
        if self._reason is not None:
            self._end(False, self._reason)
        elif code == 0 and status == QProcess.NormalExit:
            self._end(True, "")
        else:
            how = f"ended with code {code}" if status == QProcess.NormalExit else "crashed"
            last = self._errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
            self._end(False, f"the explanation's process {how}" + (f": {last}" if last else ""))

    def _end(self, well: bool, reason: str) -> None:
        self._clock.stop()
        self._grace.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self.ended.emit(well, reason)
