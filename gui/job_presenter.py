"""Show a running job: log lines, preview and progress."""

from __future__ import annotations

import time
from typing import Final

from PyQt5.QtCore import QObject

from core.generation.events import (
    ClassStarted,
    ImageFailed,
    ImageSaved,
    JobFinished,
    JobStarted,
    Notice,
    Paused,
    Resumed,
    Warned,
)
from core.generation.wording import counted_images, reuse_in_words
from gui.job_controller import JobController
from gui.job_state import JobState
from gui.remaining_time import in_words
from gui.tasks.generation import ImageReport, StepReport
from gui.widgets.log_panel import LogPanel
from gui.widgets.preview_panel import PreviewPanel

_LINES_AN_IMAGE: Final = 5
_LINE_EVERY_S: Final = 0.5
_STATES: Final = {
    JobState.IDLE: "",
    JobState.RUNNING: "Generating",
    JobState.PAUSING: "Pausing after this step…",
    JobState.PAUSED: "Paused",
    JobState.STOPPING_AFTER_IMAGE: "Stopping after this image…",
    JobState.STOPPING_NOW: "Stopping…",
    JobState.REPRODUCING: "Reproducing",
}


class JobPresenter(QObject):
    """Displays the reports of a job."""

    def __init__(self, controller: JobController, panel: PreviewPanel, log: LogPanel) -> None:
        super().__init__(panel)
        self._controller, self._panel, self._log = controller, panel, log
        self._last_line = 0.0
        self._last_step = 0
        controller.changed.connect(self._on_state)
        controller.reported.connect(self._on_report)

    def _on_state(self, state: JobState) -> None:
        progress = self._panel.progress
        progress.show_state(_STATES[state])
        if state is JobState.IDLE:
            progress.show_ended()
        elif not self._controller.generating or not self._has_moved:
            progress.show_preparing()

    @property
    def _has_moved(self) -> bool:
        return self._controller.progress is not None and self._controller.progress.position > 0

    def _on_report(self, report: object) -> None:
        if isinstance(report, StepReport):
            self._show_step(report)
        elif isinstance(report, ImageReport):
            self._show_image(report)
        else:
            self._log_report(report)
        if self._controller.progress is not None and isinstance(report, (StepReport, ImageReport, ImageFailed)):
            self._panel.progress.show_progress(self._controller.progress)
            if self._controller.state in (JobState.STOPPING_AFTER_IMAGE, JobState.STOPPING_NOW):
                self._panel.progress.left.clear()  # the remaining time of the whole job no longer applies

    def _show_step(self, report: StepReport) -> None:
        which = f"{report.class_name} {_span(report.numbers)}"
        if report.picture is not None and not self._panel.preview.holds_overlay:
            self._panel.preview.show_picture(report.picture)
            self._panel.progress.caption.setText(f"{which}: estimate at step {report.step} of {report.steps}")
        if self._line_is_due(report):
            progress = self._controller.progress
            overall = f", {progress.done} of {progress.job.total} images done" if progress else ""
            self._log.add("info", f"{which}: step {report.step}/{report.steps}{overall}")

    def _line_is_due(self, report: StepReport) -> bool:
        """Return whether to log a step: a few lines per image, and not more lines than a person can read."""
        stride = max(1, report.steps // _LINES_AN_IMAGE)
        passed = report.step // stride != self._last_step // stride
        self._last_step = report.step
        now = time.monotonic()
        if not passed or now - self._last_line < _LINE_EVERY_S:
            return False
        self._last_line = now
        return True

    def _show_image(self, report: ImageReport) -> None:
        saved: ImageSaved = report.saved
        name = f"{saved.parameters.class_name}/{saved.path.name}"
        if report.picture is not None and not self._panel.preview.holds_overlay:
            self._panel.preview.show_picture(report.picture, saved.path)
            self._panel.progress.caption.setText(name)
        self._log.add("info", f"{name} saved ({saved.done} of {saved.total})")

    def _log_report(self, report: object) -> None:
        if isinstance(report, JobStarted):
            sampler = f"{report.sampler}{reuse_in_words(report.reuse)}"
            seed = f"base seed {report.base_seed}"
            how = f"{report.steps} steps, {sampler}, {seed}, {report.precision} on {report.device}"
            self._log.add("info", f"Generating {counted_images(report.total)} into {report.output}: {how}.")
        elif isinstance(report, ClassStarted):
            self._log.add("info", f"{report.class_name}: {counted_images(report.count)} from {report.checkpoint}.")
        elif isinstance(report, Notice):
            self._log.add("info", report.text)
        elif isinstance(report, Warned):
            self._log.add("warning", report.text)
        elif isinstance(report, ImageFailed):
            self._log.add("error", f"Image {report.isic_number} of {report.class_name} failed: {report.reason}.")
        elif isinstance(report, (Paused, Resumed)):
            self._log.add("info", "Paused." if isinstance(report, Paused) else "Resumed.")
        elif isinstance(report, JobFinished):
            self._summarise(report)

    def _summarise(self, report: JobFinished) -> None:
        how = "Stopped" if report.stopped else "Finished"
        took = f"{report.seconds:.1f} s" if report.seconds < 60 else in_words(report.seconds)
        failed = f", {report.failed} failed" if report.failed else ""
        self._log.add("info", f"{how}: {counted_images(report.saved)} saved{failed} in {took}.")


def _span(numbers: tuple[int, ...]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
