"""Explanations that the user asks for, the lines that show the queues, and overlays in the preview."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from gui.explanation_queue import ExplanationEnded, still_queued
from gui.explanations import Explanations
from gui.job_controller import JobController
from gui.layout import Layout
from gui.pictures import read_picture
from gui.settings import Settings
from xai.job import ANALYSIS, OVERLAY, ExplanationJob


class Explaining(QObject):
    """Connects the window with the queues of explanations.

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
        self._looked_at: Path | None = None
        self._asked: list[ExplanationJob] = []
        queue.changed.connect(self._on_queue)
        queue.ended.connect(self._on_ended)
        queue.overlay.connect(self._on_overlay)
        self._rows = ((layout.queue, queue.overlays), (layout.analyses, queue.analyses))
        for panel, jobs in self._rows:
            panel.clear.connect(jobs.clear)
            panel.cancel.connect(jobs.cancel)

    def begin(self) -> None:
        """A job has started: its images are shown, until the user chooses one."""
        self._looked_at = None

    def look_at(self, image: Path) -> None:
        """Remember the image chosen by the user; after a job, overlays of other images do not replace it."""
        self._looked_at = image

    def explain(self, image: Path) -> None:
        """Queue the overlay and the class probabilities of an image."""
        if any(job.image == image and job.kind == OVERLAY for job in self._asked):
            return
        overlays = self._queue.overlays
        queued = overlays.job_of(image)
        job = queued if queued is not None and queued is overlays.current else self.overlay_job(image)
        self._asked.append(job)
        if queued is not job:
            if queued is not None:  # of XAI Mode, which may withdraw it
                overlays.remove(queued)
            overlays.add(job, first=True)
        self.logged.emit("info", f"{image.parent.name}/{image.name} is queued for explanation.")

    def analyse(self, image: Path) -> None:
        """Queue the full analysis of an image."""
        job = self._job(ANALYSIS, image)
        self._asked.append(job)
        self._queue.add(job, first=True)
        self.logged.emit("info", f"{image.parent.name}/{image.name} is queued for analysis.")

    def overlay_job(self, image: Path) -> ExplanationJob:
        """The job for the overlay of an image."""
        return self._job(OVERLAY, image)

    def _job(self, kind: str, image: Path) -> ExplanationJob:
        settings = self._settings()
        every, device = settings.xai_stride, settings.device
        return ExplanationJob(kind, image, Path(settings.checkpoints), self._results, every, device=device)

    def _on_queue(self) -> None:
        for panel, jobs in self._rows:
            panel.show_queue(jobs.image, jobs.waiting, jobs.fraction, jobs.doing)
        self._asked = still_queued(self._asked, self._queue.jobs)

    def _on_ended(self, ended: ExplanationEnded) -> None:
        if ended.ending.well:
            self.explained.emit(ended.job.image)
        if any(job is ended.job for job in self._asked):
            self._answer(ended)
        if ended.job.kind == ANALYSIS and ended.message is not None and ended.ending.well:
            self.logged.emit("info", f"Report: {ended.message.get('main')}")

    def _answer(self, ended: ExplanationEnded) -> None:
        """Show a refusal of an explanation requested by the user; other results are in the log."""
        if ended.ending.refused:
            image, done = ended.job.image, "analysed" if ended.job.kind == ANALYSIS else "explained"
            self.failed.emit(f"{image.parent.name}/{image.name} was not {done}: {ended.ending.reason}.")

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
