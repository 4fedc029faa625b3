"""XAI Mode during a job: the images that get overlays and full analyses, and the share of the overlays in its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.generation.events import JobStarted
from core.generation.explanation_cadence import explanations_wanted, wants_explanation, without_explanation
from core.generation.job import GenerationJob
from core.generation.wording import none_explained
from gui.explanation_queue import ExplanationEnded, still_queued
from gui.explanations import Explanations
from gui.job_controller import JobController
from gui.job_progress import EXPLANATION, STEP, JobProgress
from gui.layout import Layout
from gui.settings import Settings
from gui.tasks.generation import ImageReport
from xai.job import ExplanationJob, background_analysis

_STATE = "Explaining"
_NO_ANALYSES = (
    "Full analyses are off, because each takes minutes on a processor. Set 'Analyse' to run them in the background."
)


class JobExplanations(QObject):
    """Queues overlays and full analyses of new images.

    Signals:
        logged: level and text for the log.
    """

    logged = pyqtSignal(str, str)

    def __init__(
        self,
        queue: Explanations,
        controller: JobController,
        layout: Layout,
        settings: Callable[[], Settings],
        overlay_job: Callable[[Path], ExplanationJob],
    ) -> None:
        super().__init__(queue)
        self._queue, self._controller, self._layout = queue, controller, layout
        self._settings, self._overlay_job = settings, overlay_job
        self._overlays: list[ExplanationJob] = []
        self._analyses: list[ExplanationJob] = []
        self._overlays_off = self._analyses_off = False
        self._reminded = False
        self._to_come = 0
        self._seconds_each: float | None = None
        controller.reported.connect(self._on_report)
        controller.ended.connect(self._on_job_ended)
        queue.changed.connect(self._on_queue)
        queue.ended.connect(self._on_ended)

    def begin(self, _job: GenerationJob) -> None:
        """Prepare for a new job; its overlays are counted when it reports its first numbers."""
        self._overlays, self._analyses = [], []
        self._overlays_off = self._analyses_off = False
        self._to_come = 0
        settings = self._settings()
        if settings.xai_mode and not (settings.analysis_interval or settings.analysis_chosen or self._reminded):
            self._reminded = True
            self.logged.emit("info", _NO_ANALYSES)

    def _on_report(self, report: object) -> None:
        progress = self._controller.progress
        if progress is None or not self._settings().xai_mode:
            return
        if isinstance(report, JobStarted):
            self._expect(report, progress)
        elif isinstance(report, ImageReport):
            self._explain(report, progress.job)

    def _expect(self, started: JobStarted, progress: JobProgress) -> None:
        """Count the expected overlays, and log the classes without one."""
        first, counts, cadence = started.first_numbers, progress.job.counts, self._settings().xai_cadence
        self._to_come = sum(explanations_wanted(first[name], counts[name], cadence) for name in counts)
        if self._seconds_each is not None:
            progress.remaining.assume(EXPLANATION, self._seconds_each)
        self._count_remaining(progress)
        for every, done in ((cadence, "explained"), (progress.job.analyse_every, "analysed")):
            for name, number in without_explanation(first, counts, every).items() if every else ():
                self.logged.emit("info", none_explained(name, number, done))

    def _explain(self, report: ImageReport, job: GenerationJob) -> None:
        settings, made, image = self._settings(), report.saved.parameters, report.saved.path
        number, count = made.isic_number, job.counts[made.class_name]
        if not self._overlays_off and wants_explanation(number, count, settings.xai_cadence):
            self._to_come = max(0, self._to_come - 1)
            self._add(self._overlay_job(image), self._overlays)
        if job.analyse_every and not self._analyses_off and wants_explanation(number, count, job.analyse_every):
            overlay = self._overlay_job(image)
            self._add(background_analysis(image, overlay.checkpoints, overlay.output, overlay.every), self._analyses)

    def _add(self, job: ExplanationJob, jobs: list[ExplanationJob]) -> None:
        jobs.append(job)
        self._queue.add(job)

    def _on_queue(self) -> None:
        """Stop waiting for jobs that were removed from the queue."""
        self._overlays = still_queued(self._overlays, self._queue.jobs)
        self._analyses = still_queued(self._analyses, self._queue.jobs)
        if self._controller.progress is not None:
            self._count_remaining(self._controller.progress)

    def _count_remaining(self, progress: JobProgress) -> None:
        progress.expect_explanations(len(self._overlays) + self._to_come)
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
        if any(job is ended.job for job in self._overlays):
            self._note_overlay(ended)
        elif any(job is ended.job for job in self._analyses):
            self._note_analysis(ended)

    def _note_overlay(self, ended: ExplanationEnded) -> None:
        if ended.ending.well:
            self._seconds_each = ended.seconds
        if self._controller.progress is not None:
            self._controller.progress.explanation_ended(ended.seconds if ended.ending.well else None)
        if ended.ending.refused and not self._overlays_off:
            self._overlays_off, self._to_come = True, 0
            self._queue.overlays.clear()
            self.logged.emit("warning", f"Overlays are off for this job: {ended.ending.reason}.")

    def _note_analysis(self, ended: ExplanationEnded) -> None:
        """Cancel all analyses of the job if one is refused, because the others would be refused too."""
        if ended.ending.refused and not self._analyses_off:
            self._analyses_off = True
            for job in self._analyses:
                self._queue.analyses.remove(job)
            self.logged.emit("warning", f"Full analyses are off for this job: {ended.ending.reason}.")
