"""All explanations of the window: a queue of overlays and a queue of full analyses, which run in parallel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt5.QtCore import QObject, pyqtSignal

from core.process.runner import headless_command
from gui.explanation_queue import ExplanationQueue, MakeProcess
from gui.tasks.headless_process import HeadlessProcess
from xai.job import ANALYSIS, OVERLAY, ExplanationJob

# During a job on the processor, a process of the lowest priority takes many times as long as on an idle computer.
_TIME_LIMITS_S: Final = {OVERLAY: 3600.0, ANALYSIS: 6 * 3600.0}


class Explanations(QObject):
    """One overlay and one full analysis run at a time, so that an overlay never waits for an analysis.

    An analysis waits for the overlay of the same image: both write into one folder, and the analysis must come last.

    Signals:
        changed: the queues or the progress of a running job have changed.
        logged: level and text for the log.
        overlay: path of an image, and path of its overlay.
        ended: ``ExplanationEnded``.
        idle: no explanation is running or waiting any more.
    """

    changed = pyqtSignal()
    logged = pyqtSignal(str, str)
    overlay = pyqtSignal(object, object)
    ended = pyqtSignal(object)
    idle = pyqtSignal()

    def __init__(self, parent: QObject, make_process: MakeProcess | None = None) -> None:
        super().__init__(parent)
        notices: set[str] = set()
        self.overlays = ExplanationQueue(self, make_process or _maker(OVERLAY), notices=notices)
        self.analyses = ExplanationQueue(self, make_process or _maker(ANALYSIS), self._has_overlay_to_come, notices)
        for queue in (self.overlays, self.analyses):
            queue.changed.connect(self.changed)
            queue.logged.connect(self.logged)
            queue.overlay.connect(self.overlay)
            queue.ended.connect(self.ended)
            queue.idle.connect(self._on_idle)
        self.overlays.changed.connect(self.analyses.start_next)

    @property
    def jobs(self) -> tuple[ExplanationJob, ...]:
        """Return the running and the waiting jobs."""
        return (*self.overlays.jobs, *self.analyses.jobs)

    @property
    def busy(self) -> bool:
        """Return whether a process is running."""
        return self.overlays.busy or self.analyses.busy

    def add(self, job: ExplanationJob, *, first: bool = False) -> None:
        """Queue a job, in front of those of its kind or behind them."""
        (self.overlays if job.kind == OVERLAY else self.analyses).add(job, first=first)

    def cancel(self) -> None:
        """Remove all waiting jobs, and ask the running processes to stop."""
        self.analyses.cancel()
        self.overlays.cancel()

    def end(self) -> None:
        """Cancel, and ignore later jobs: images finished while the window closes are not explained."""
        self.analyses.end()
        self.overlays.end()

    def _has_overlay_to_come(self, image: Path) -> bool:
        return self.overlays.job_of(image) is not None

    def _on_idle(self) -> None:
        if not self.busy:
            self.idle.emit()


def _maker(kind: str) -> MakeProcess:
    return lambda parent: HeadlessProcess(parent, headless_command("xai"), _TIME_LIMITS_S[kind])
