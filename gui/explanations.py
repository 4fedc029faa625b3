"""The queue of explanations: one at a time in the headless process, beside whatever else goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from gui.explanation_job import ExplanationJob
from gui.tasks.explanation_process import ExplanationProcess


class Explanations(QObject):
    """Runs queued jobs one after the other.

    Signals:
        changed: the queue or the running job's progress is another.
        logged: level and text for the log.
        overlay: an image, and the file of the overlay made of it.
        explained: a job has ended; its seconds, or None when it did not go well.
        idle: nothing runs or waits any more.
    """

    changed = pyqtSignal()
    logged = pyqtSignal(str, str)
    overlay = pyqtSignal(object, object)
    explained = pyqtSignal(object)
    idle = pyqtSignal()

    def __init__(self, parent: QObject, make_process: Callable[[QObject], ExplanationProcess] | None = None) -> None:
        super().__init__(parent)
        self._make_process = make_process or ExplanationProcess
        self._waiting: deque[ExplanationJob] = deque()
        self._process: ExplanationProcess | None = None
        self._started = 0.0
        self.current: ExplanationJob | None = None
        self.fraction: float | None = None

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a process is running."""
        return self._process is not None

    def add(self, job: ExplanationJob) -> None:
        """Queue a job; it begins at once when nothing else runs."""
        self._waiting.append(job)
        self._next()

    def clear(self) -> None:
        """Forget the jobs that have not begun."""
        self._waiting.clear()
        self.changed.emit()

    def cancel(self) -> None:
        """Forget all, and ask the running process to end."""
        self._waiting.clear()
        if self._process is not None:
            self._process.cancel()
        self.changed.emit()

    def _next(self) -> None:
        if self._process is None and self._waiting:
            self.current = self._waiting.popleft()
            self.fraction, self._started = None, time.monotonic()
            self._process = self._make_process(self)
            self._process.told.connect(self._on_told)
            self._process.said.connect(lambda text: self.logged.emit("info", text))
            self._process.ended.connect(self._on_ended)
            try:
                self._process.start(self.current)
            except OSError as error:
                self._on_ended(False, f"the job file cannot be written: {error}")
        self.changed.emit()

    def _on_told(self, line: dict[str, Any]) -> None:
        """Understood are progress (done, total), overlay (path), and notice, warning and error (text)."""
        event, text = line.get("event"), line.get("text")
        done, total, path = line.get("done"), line.get("total"), line.get("path")
        if event == "progress" and isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
            self.fraction = min(1.0, max(0.0, done / total))
            self.changed.emit()
        elif event == "overlay" and isinstance(path, str) and self.current is not None:
            self.overlay.emit(self.current.image, Path(path))
        elif isinstance(text, str):
            self.logged.emit(event if event in ("warning", "error") else "info", text)

    def _on_ended(self, well: bool, reason: str) -> None:
        process, job = self._process, self.current
        self._process = self.current = None
        if process is not None:
            process.deleteLater()
        if job is not None and well:
            self.logged.emit("info", f"{job.image.parent.name}/{job.image.name} is explained.")
        elif job is not None and reason:
            self.logged.emit("error", f"{job.image.parent.name}/{job.image.name} was not explained: {reason}.")
        self.explained.emit(time.monotonic() - self._started if well else None)
        self._next()
        if self._process is None:
            self.idle.emit()
