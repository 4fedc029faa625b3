"""Start and control one job at a time. Its state always follows from the reports of the job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.generation.control import Control, Decision
from core.generation.events import JobFinished, Paused, Resumed
from core.generation.job import GenerationJob
from gui.job_progress import JobProgress
from gui.job_state import JobState
from gui.journal import Journal, UnfinishedJob
from gui.tasks.engine import SharedModels
from gui.tasks.generation import GenerationTask
from gui.tasks.task import TaskKeeper


class JobController(QObject):
    """The window's side of ``core.generation.runner``.

    Signals:
        changed: the new ``JobState``.
        reported: every report of the running job, after ``progress`` has been updated.
        failed: the job failed; a sentence for the user, then details for the log.
        ended: the thread of the job has ended, for any reason.
    """

    changed = pyqtSignal(object)
    reported = pyqtSignal(object)
    failed = pyqtSignal(str, str)
    ended = pyqtSignal()

    def __init__(self, keeper: TaskKeeper, models: SharedModels, journal: Journal, parent: QObject) -> None:
        super().__init__(parent)
        self._keeper, self._models, self._journal = keeper, models, journal
        self.state = JobState.IDLE
        self.progress: JobProgress | None = None
        self._control: Control | None = None
        self._stop_reproduction: Callable[[], None] = lambda: None
        self._task: GenerationTask | None = None
        self.live_preview = True

    @property
    def active(self) -> bool:
        """Return whether the models are in use, by a running, paused or stopping job, or by a reproduction."""
        return self.state is not JobState.IDLE

    @property
    def generating(self) -> bool:
        """Return whether a job is running, paused or stopping."""
        return self._task is not None

    @property
    def unfinished(self) -> UnfinishedJob | None:
        """Return the last job with remaining images, from this session or an earlier one."""
        latest = None if self.active else self._journal.latest()
        return latest[1] if latest else None

    def continue_unfinished(self) -> None:
        """Generate the remaining images of the unfinished job, if there is one."""
        latest = None if self.active else self._journal.latest()
        if latest is not None:
            self.start(latest[1].remainder(), latest[0])

    def forget_unfinished(self) -> None:
        """Discard the remaining images of the unfinished job."""
        latest = self._journal.latest()
        if latest is not None:
            latest[0].unlink(missing_ok=True)

    def reserve(self, stop: Callable[[], None]) -> None:
        """Prevent jobs while an image is reproduced; ``stop`` asks the reproduction to stop."""
        self._stop_reproduction = stop
        self._change(JobState.REPRODUCING)

    def release(self) -> None:
        """The reproduction has ended."""
        self._change(JobState.IDLE)

    def start(self, job: GenerationJob, rest_of: Path | None = None) -> None:
        """Start a job; none may be running. ``rest_of`` is the journal file of the job that this one continues."""
        if self.active:
            raise RuntimeError("a job is running")
        self._control = Control()
        self.progress = JobProgress(job)
        self._task = GenerationTask(job, self._control, self._models, self._journal, rest_of)
        self._task.live_preview = self.live_preview
        self._task.reported.connect(self._on_report)
        self._task.failed.connect(self.failed)
        self._task.finished.connect(self._on_finished)
        self._keeper.start(self._task)
        self._change(JobState.RUNNING)

    def show_preview(self, wanted: bool) -> None:
        """Switch the live preview on or off, also for a running job."""
        self.live_preview = wanted
        if self._task is not None:
            self._task.live_preview = wanted

    def pause(self) -> None:
        """Pause the job at its next step."""
        if self._control and self.state is JobState.RUNNING:
            self._change(JobState.PAUSING)
            self._control.pause()

    def resume(self) -> None:
        """Resume a paused job, or cancel a pause that has not begun yet."""
        if self._control and self.state in (JobState.PAUSED, JobState.PAUSING):
            self._control.go_on()
            self._change(JobState.RUNNING)

    def stop_after_image(self) -> None:
        """Finish the images of the current batch, then stop."""
        if self._control and self.state is not JobState.STOPPING_NOW:
            self._control.stop_after_image()
            self._change(JobState.STOPPING_AFTER_IMAGE)

    def stop_now(self) -> None:
        """Discard the images of the current batch and stop at the next step."""
        if self.state is JobState.REPRODUCING:
            self._stop_reproduction()
            self._change(JobState.STOPPING_NOW)
        elif self._control:
            self._control.stop_now()
            self._change(JobState.STOPPING_NOW)

    def _on_report(self, report: object, at: float) -> None:
        if self.progress is None:
            return
        self.progress.note(report, at)
        if isinstance(report, (Paused, Resumed)):
            self._note_pause(paused=isinstance(report, Paused))
        elif isinstance(report, JobFinished):
            self._control = None  # too late to steer
        self.reported.emit(report)

    def _note_pause(self, *, paused: bool) -> None:
        """Update the state. A report describes the past, so a decision made since then takes precedence."""
        wanted = self._control is not None and self._control.decision is Decision.PAUSE
        if self.state in (JobState.RUNNING, JobState.PAUSING, JobState.PAUSED):
            self._change((JobState.PAUSED if paused else JobState.PAUSING) if wanted else JobState.RUNNING)

    def _on_finished(self) -> None:
        self._task = self._control = None
        self._change(JobState.IDLE)
        self.ended.emit()

    def _change(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            self.changed.emit(state)
