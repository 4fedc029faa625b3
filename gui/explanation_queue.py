"""The queue of explanations: one at a time in the headless process, beside whatever else goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PyQt5.QtCore import QObject, pyqtSignal

from core.process.runner import headless_command
from gui.tasks.headless_process import Ending, HeadlessProcess
from xai.job import EVERY_VARIABLE, OVERLAY, ExplanationJob

_TIME_LIMIT_S: Final = 3600.0


@dataclass(frozen=True)
class ExplanationEnded:
    """A job has ended, so or so; ``seconds`` it took, and the ``message`` with which it finished, if it did."""

    job: ExplanationJob
    ending: Ending
    seconds: float
    message: dict[str, Any] | None


class Explanations(QObject):
    """Runs queued jobs one after the other.

    Signals:
        changed: the queue or the running job's progress is another.
        logged: level and text for the log.
        overlay: an image, and the file of the overlay made of it.
        ended: ``ExplanationEnded``.
        idle: nothing runs or waits any more.
    """

    changed = pyqtSignal()
    logged = pyqtSignal(str, str)
    overlay = pyqtSignal(object, object)
    ended = pyqtSignal(object)
    idle = pyqtSignal()

    def __init__(self, parent: QObject, make_process: Callable[[QObject], HeadlessProcess] | None = None) -> None:
        super().__init__(parent)
        self._make_process = make_process or _explaining_process
        self._waiting: deque[ExplanationJob] = deque()
        self._process: HeadlessProcess | None = None
        self._started = 0.0
        self._message: dict[str, Any] | None = None
        self._notices: set[str] = set()
        self._over = False
        self.current: ExplanationJob | None = None
        self.fraction: float | None = None

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._waiting)

    @property
    def jobs(self) -> tuple[ExplanationJob, ...]:
        """The job that runs, and those that wait."""
        return (*((self.current,) if self.current is not None else ()), *self._waiting)

    @property
    def image(self) -> Path | None:
        """The image that is being explained."""
        return None if self.current is None else self.current.image

    @property
    def busy(self) -> bool:
        """Whether a process is running."""
        return self._process is not None

    def add(self, job: ExplanationJob) -> None:
        """Queue a job; it begins at once when nothing else runs. None is taken after ``end``."""
        if not self._over:
            self._waiting.append(job)
            self._next()

    def clear(self, kind: str | None = None) -> None:
        """Forget the jobs that have not begun, or those of one kind."""
        self._waiting = deque(job for job in self._waiting if kind is not None and job.kind != kind)
        self.changed.emit()

    def cancel(self) -> None:
        """Forget all, and ask the running process to end."""
        self._waiting.clear()
        if self._process is not None:
            self._process.cancel()
        self.changed.emit()

    def end(self) -> None:
        """Cancel, and take no more jobs: an image that is finished while the window closes is not explained."""
        self._over = True
        self.cancel()

    def _next(self) -> None:
        if self._process is None and self._waiting:
            self.current = self._waiting.popleft()
            self.fraction, self._message, self._started = None, None, time.monotonic()
            self._process = self._make_process(self)
            self._process.told.connect(self._on_told)
            self._process.ended.connect(self._on_ended)
            try:
                variables = {} if self.current.every is None else {EVERY_VARIABLE: str(self.current.every)}
                self._process.start(self.current.encoded(), variables)
            except OSError as error:
                self._on_ended(Ending(False, f"the job file cannot be written: {error}"))
        self.changed.emit()

    def _on_told(self, message: dict[str, Any]) -> None:
        """Understood are progress (done, total), overlay (path), finished, and texts."""
        event, text = message.get("event"), message.get("text")
        done, total, path = message.get("done"), message.get("total"), message.get("path")
        if event == "progress" and isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
            self.fraction = min(1.0, max(0.0, done / total))
            self.changed.emit()
        elif event == "overlay" and isinstance(path, str) and self.current is not None:
            self.overlay.emit(self.current.image, Path(path))
        elif event == "finished":
            self._message = message
        elif isinstance(text, str):
            self._say(str(event), text)

    def _say(self, event: str, text: str) -> None:
        """Log a text; what every image's explanation would say alike, once."""
        if event == "notice":
            if text in self._notices:
                return
            self._notices.add(text)
        self.logged.emit("warning" if event in ("warning", "notice") else "info", text)

    def _on_ended(self, ending: Ending) -> None:
        process, job = self._process, self.current
        self._process = self.current = None
        if process is not None:
            process.deleteLater()
        if job is not None:
            name = f"{job.image.parent.name}/{job.image.name}"
            if ending.well:
                self.logged.emit("info", f"{name} is explained.")
            elif ending.reason and not (ending.refused and job.kind == OVERLAY):  # that is said for all of them at once
                self.logged.emit("error", f"{name} was not explained: {ending.reason}.")
            self.ended.emit(ExplanationEnded(job, ending, time.monotonic() - self._started, self._message))
        self._next()
        if self._process is None:
            self.idle.emit()


def _explaining_process(parent: QObject) -> HeadlessProcess:
    return HeadlessProcess(parent, headless_command("xai"), _TIME_LIMIT_S)
