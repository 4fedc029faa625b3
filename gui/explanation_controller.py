"""XAI Mode: choose the images of a job to explain, and show the explanations in the preview and remaining time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.generation.explanation_cadence import explanations_wanted, wants_explanation
from core.generation.job import GenerationJob
from gui.explanation_queue import ExplanationEnded, Explanations
from gui.job_controller import JobController
from gui.job_progress import EXPLANATION, STEP, JobProgress
from gui.layout import Layout
from gui.pictures import read_picture
from gui.settings import Settings
from gui.tasks.generation import ImageReport
from xai.job import ANALYSIS, OVERLAY, ExplanationJob

_STATE = "Explaining"


class Explaining(QObject):
    """Connects jobs with the queue of explanations.

    Signals:
        logged: level and text for the log.
        explained: an image has been explained and its results can be read (path).
        failed: an explanation requested by the user failed; a sentence for an error box.
    """

    logged = pyqtSignal(str, str)
    explained = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(
        self,
        queue: Explanations,
        controller: JobController,
        layout: Layout,
        settings: Callable[[], Settings],
        results: Path,
    ) -> None:
        super().__init__(queue)
        self._queue, self._controller, self._layout = queue, controller, layout
        self._settings, self._results = settings, results
        self._made: Counter[str] = Counter()
        self._off = False
        self._to_come = 0
        self._counted: list[ExplanationJob] = []
        self._seconds_each: float | None = None
        self._looked_at: Path | None = None
        self._asked: list[ExplanationJob] = []
        controller.reported.connect(self._on_report)
        controller.ended.connect(self._on_job_ended)
        queue.changed.connect(self._on_queue)
        queue.ended.connect(self._on_ended)
        queue.overlay.connect(self._on_overlay)
        layout.queue.clear.connect(queue.clear)
        layout.queue.cancel.connect(queue.cancel)

    def begin(self, job: GenerationJob) -> None:
        """Add the explanations of a new job to its remaining time."""
        self._made.clear()
        self._counted.clear()
        self._off, self._looked_at, self._to_come = False, None, 0
        settings, progress = self._settings(), self._controller.progress
        if settings.xai_mode and progress is not None:
            self._to_come = sum(explanations_wanted(count, settings.xai_cadence) for count in job.counts.values())
            if self._seconds_each is not None:
                progress.remaining.assume(EXPLANATION, self._seconds_each)
            self._count_remaining(progress)

    def look_at(self, image: Path) -> None:
        """Remember the image chosen by the user; after a job, overlays of other images do not replace it."""
        self._looked_at = image

    def explain(self, image: Path) -> None:
        """Queue the overlay and the class probabilities of an image."""
        if any(job.image == image for job in self._asked):
            return
        job = self._job(OVERLAY, image, self._settings())
        self._asked.append(job)
        self.logged.emit("info", f"{image.parent.name}/{image.name} is queued for explanation.")
        self._queue.add(job)

    def analyse(self, image: Path) -> None:
        """Queue the full analysis of an image."""
        self._queue.add(self._job(ANALYSIS, image, self._settings()))
        self.logged.emit("info", f"{image.parent.name}/{image.name} is queued for analysis.")

    def _job(self, kind: str, image: Path, settings: Settings) -> ExplanationJob:
        every, device = settings.xai_stride, settings.device
        return ExplanationJob(kind, image, Path(settings.checkpoints), self._results, every, device=device)

    def _on_report(self, report: object) -> None:
        progress, settings = self._controller.progress, self._settings()
        if not isinstance(report, ImageReport) or progress is None:
            return
        name = report.saved.parameters.class_name
        self._made[name] += 1
        wanted = wants_explanation(self._made[name], progress.job.counts[name], settings.xai_cadence)
        if wanted and settings.xai_mode and not self._off:
            self._to_come = max(0, self._to_come - 1)
            job = self._job(OVERLAY, report.saved.path, settings)
            self._counted.append(job)
            self._queue.add(job)

    def _on_queue(self) -> None:
        """Show the queue, and stop waiting for jobs that were removed from it."""
        self._layout.queue.show_queue(self._queue.image, self._queue.waiting, self._queue.fraction)
        self._asked = self._still_queued(self._asked)
        self._counted = self._still_queued(self._counted)
        if self._controller.progress is not None:
            self._count_remaining(self._controller.progress)

    def _still_queued(self, jobs: list[ExplanationJob]) -> list[ExplanationJob]:
        queued = {id(job) for job in self._queue.jobs}  # the queue may contain equal jobs
        return [job for job in jobs if id(job) in queued]

    def _count_remaining(self, progress: JobProgress) -> None:
        progress.expect_explanations(len(self._counted) + self._to_come)
        if not self._controller.active:
            self._show_end(progress)

    def _on_job_ended(self) -> None:
        """Remove explanations of images that a stopped job did not generate."""
        self._to_come = 0
        if self._controller.progress is not None:
            self._controller.progress.remaining.leave(STEP, 0)
            self._count_remaining(self._controller.progress)

    def _show_end(self, progress: JobProgress) -> None:
        """Show the progress after the last image, while explanations may still be running."""
        panel = self._layout.centre.progress
        panel.show_state(_STATE if progress.explanations_left else "")
        panel.show_progress(progress)
        if not progress.explanations_left:
            panel.show_ended()

    def _on_ended(self, ended: ExplanationEnded) -> None:
        if ended.ending.well:
            self.explained.emit(ended.job.image)
        if any(job is ended.job for job in self._asked):
            self._answer(ended)
        elif any(job is ended.job for job in self._counted):
            self._count(ended)
        if ended.job.kind == ANALYSIS and ended.message is not None and ended.ending.well:
            self.logged.emit("info", f"Report: {ended.message.get('main')}")

    def _answer(self, ended: ExplanationEnded) -> None:
        """Show a refusal of an explanation requested by the user; other results are in the log."""
        if ended.ending.refused:
            image = ended.job.image
            self.failed.emit(f"{image.parent.name}/{image.name} was not explained: {ended.ending.reason}.")

    def _count(self, ended: ExplanationEnded) -> None:
        if ended.ending.well:
            self._seconds_each = ended.seconds
        if self._controller.progress is not None:
            self._controller.progress.explanation_ended(ended.seconds if ended.ending.well else None)
        if ended.ending.refused and not self._off:
            self._off, self._to_come = True, 0
            self._queue.clear(OVERLAY)
            self.logged.emit("warning", f"Overlays are off for this job: {ended.ending.reason}.")

    def _on_overlay(self, image: Path, overlay: Path) -> None:
        """Show an overlay with its image, unless the user is viewing another image."""
        if not self._controller.active and self._looked_at not in (None, image):
            return
        picture, over = read_picture(image), read_picture(overlay)
        if not picture.isNull() and not over.isNull():
            centre = self._layout.centre
            centre.show_overlay_controls(True)
            centre.preview.show_picture(picture, image)
            centre.preview.show_overlay(over)
            centre.progress.caption.setText(f"{image.parent.name}/{image.name} with its explanation")
