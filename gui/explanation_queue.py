"""A queue of explanations, which run one at a time in the headless process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from PyQt5.QtCore import QObject, pyqtSignal

from gui.tasks.headless_process import Ending, HeadlessProcess
from xai.job import ANALYSIS, EVERY_VARIABLE, ExplanationJob

MakeProcess: TypeAlias = Callable[[QObject], HeadlessProcess]


@dataclass(frozen=True)
class ExplanationEnded:
    """A job has ended: how it ended, its duration in seconds, and its ``finished`` message, or None."""

    job: ExplanationJob
    ending: Ending
    seconds: float
    message: dict[str, Any] | None


class ExplanationQueue(QObject):
    """Runs queued jobs one after the other.

    Args:
        make_process: creates the process of one job.
        blocked: returns whether the job of an image must wait; jobs of other images are started first.
        notices: texts that have already been logged; queues that share this set log each text once.

    Signals:
        changed: the queue or the progress of the running job has changed.
        logged: level and text for the log.
        overlay: path of an image, and path of its new overlay.
        ended: ``ExplanationEnded``.
        idle: no job is running or waiting any more.
    """

    changed = pyqtSignal()
    logged = pyqtSignal(str, str)
    overlay = pyqtSignal(object, object)
    ended = pyqtSignal(object)
    idle = pyqtSignal()

    def __init__(
        self,
        parent: QObject,
        make_process: MakeProcess,
        blocked: Callable[[Path], bool] = lambda _: False,
        notices: set[str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_process, self._blocked = make_process, blocked
        self._waiting: deque[ExplanationJob] = deque()
        self._process: HeadlessProcess | None = None
        self._started = 0.0
        self._message: dict[str, Any] | None = None
        self._notices: set[str] = set() if notices is None else notices
        self._over = False
        self.current: ExplanationJob | None = None
        self.fraction: float | None = None
        self.doing = ""

    @property
    def waiting(self) -> int:
        """Return the number of jobs that have not started."""
        return len(self._waiting)

    @property
    def jobs(self) -> tuple[ExplanationJob, ...]:
        """Return the running job and the waiting jobs."""
        return (*((self.current,) if self.current is not None else ()), *self._waiting)

    @property
    def image(self) -> Path | None:
        """Return the image that is being explained."""
        return None if self.current is None else self.current.image

    @property
    def busy(self) -> bool:
        """Return whether a process is running."""
        return self._process is not None

    def add(self, job: ExplanationJob, *, first: bool = False) -> None:
        """Queue a job at the front or at the end. An ended queue ignores it."""
        if not self._over:
            self._waiting.insert(0 if first else len(self._waiting), job)
            self.start_next()

    def remove(self, job: ExplanationJob) -> None:
        """Remove a job that has not started; keep all others."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting is not job)
        self.changed.emit()

    def job_of(self, image: Path) -> ExplanationJob | None:
        """Return the running or waiting job of an image; None if there is none."""
        return next((job for job in self.jobs if job.image == image), None)

    def clear(self) -> None:
        """Remove the jobs that have not started."""
        self._waiting.clear()
        self.changed.emit()

    def cancel(self) -> None:
        """Remove all waiting jobs, and ask the running process to stop."""
        self._waiting.clear()
        if self._process is not None:
            self._process.cancel()
        self.changed.emit()

    def end(self) -> None:
        """Cancel, and ignore later jobs: images finished while the window closes are not explained."""
        self._over = True
        self.cancel()

    def start_next(self) -> None:
        """Start the next job that is not blocked, unless one is running."""
        following = next((job for job in self._waiting if not self._blocked(job.image)), None)
        if self._process is None and following is not None:
            self._waiting.remove(following)
            self.current, self.doing = following, ""
            self.fraction, self._message, self._started = None, None, time.monotonic()
            self._process = self._make_process(self)
            self._process.message_received.connect(self._on_message)
            self._process.ended.connect(self._on_ended)
            try:
                variables = {} if self.current.every is None else {EVERY_VARIABLE: str(self.current.every)}
                self._process.start(self.current.encoded(), variables)
            except OSError as error:
                self._on_ended(Ending(False, f"the job file cannot be written: {error}"))
        self.changed.emit()

    def _on_message(self, message: dict[str, Any]) -> None:
        """Handle progress (done, total), overlay (path), finished, and texts."""
        event, text = message.get("event"), message.get("text")
        done, total, path = message.get("done"), message.get("total"), message.get("path")
        if event == "progress" and isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
            self.fraction, self.doing = min(1.0, max(0.0, done / total)), str(message.get("doing", ""))
            self.changed.emit()
        elif event == "overlay" and isinstance(path, str) and self.current is not None:
            self.overlay.emit(self.current.image, Path(path))
        elif event == "finished":
            self._message = message
        elif isinstance(text, str):
            self._log(str(event), text)

    def _log(self, event: str, text: str) -> None:
        """Log a text. Log a notice only once, because every image would repeat it."""
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
                self.logged.emit("info", f"{name} was {'analysed' if job.kind == ANALYSIS else 'explained'}.")
            elif ending.reason and not ending.refused:  # the object that queued the job reports a refusal
                self.logged.emit("error", f"{name} was not explained: {ending.reason}.")
            self.ended.emit(ExplanationEnded(job, ending, time.monotonic() - self._started, self._message))
        self.start_next()
        if self._process is None:
            self.idle.emit()


def still_queued(jobs: Iterable[ExplanationJob], queued: Iterable[ExplanationJob]) -> list[ExplanationJob]:
    """Those jobs that run or wait. Equal jobs may be queued twice, so identity counts."""
    there = {id(job) for job in queued}
    return [job for job in jobs if id(job) in there]
