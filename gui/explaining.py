"""XAI Mode: which images of a job are explained, and the explanations' place in the time left and the preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.job import GenerationJob
from gui.cadence import explanations_wanted, wants_explanation
from gui.explanations import ExplanationEnded, Explanations
from gui.job_controller import JobController
from gui.job_progress import EXPLANATION
from gui.layout import Layout
from gui.pictures import read_picture
from gui.settings import Settings
from gui.tasks.generation import ImageReport
from xai.job import ANALYSIS, OVERLAY, ExplanationJob


class Explaining(QObject):
    """Connects jobs with the queue of explanations.

    Signals:
        logged: level and text for the log.
        explained: an image has been explained, and its results can be read.
        failed: what the user asked for cannot be had; a sentence for an error box.
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
        self._looked_at: Path | None = None
        self._asked: list[ExplanationJob] = []
        controller.reported.connect(self._on_report)
        queue.changed.connect(lambda: layout.queue.show_queue(queue))
        queue.ended.connect(self._on_ended)
        queue.overlay.connect(self._on_overlay)
        layout.queue.clear.connect(self._clear)
        layout.queue.cancel.connect(self._cancel)

    def begin(self, job: GenerationJob) -> None:
        """A job has started: what it will have explained counts into its time."""
        self._made.clear()
        self._off, self._looked_at = False, None
        settings = self._settings()
        if settings.xai_mode and self._controller.progress is not None:
            wanted = sum(explanations_wanted(count, settings.xai_cadence) for count in job.counts.values())
            self._controller.progress.remaining.expect(EXPLANATION, wanted)

    def look_at(self, image: Path) -> None:
        """The user has chosen an image: after a job, no other is shown in its place."""
        self._looked_at = image

    def explain(self, image: Path) -> None:
        """Queue the overlay and the class probabilities of an image."""
        if any(job.image == image for job in self._asked):
            return
        job = self._job(OVERLAY, image, self._settings())
        self._asked.append(job)
        self.logged.emit("info", f"{image.parent.name}/{image.name} is going to be explained.")
        self._queue.add(job)

    def analyse(self, image: Path) -> None:
        """Queue the full analysis of an image."""
        settings = self._settings()
        self._queue.add(self._job(ANALYSIS, image, settings))
        self.logged.emit("info", f"{image.parent.name}/{image.name} is going to be analysed.")

    def _clear(self) -> None:
        self._asked = [job for job in self._asked if job is self._queue.current]
        self._queue.clear()

    def _cancel(self) -> None:
        self._asked.clear()
        self._queue.cancel()

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
            self._queue.add(self._job(OVERLAY, report.saved.path, settings))

    def _on_ended(self, ended: ExplanationEnded) -> None:
        if ended.ending.well:
            self.explained.emit(ended.job.image)
        if any(job is ended.job for job in self._asked):
            self._answer(ended)
        elif ended.job.kind == OVERLAY:
            self._count(ended)
        elif ended.message is not None:
            self.logged.emit("info", f"The report is {ended.message.get('main')}.")

    def _answer(self, ended: ExplanationEnded) -> None:
        """What the user asked for is no part of a job; a refusal is theirs to read, everything else is in the log."""
        self._asked = [job for job in self._asked if job is not ended.job]
        if ended.ending.refused:
            image = ended.job.image
            self.failed.emit(f"{image.parent.name}/{image.name} was not explained: {ended.ending.reason}.")

    def _count(self, ended: ExplanationEnded) -> None:
        progress = self._controller.progress
        if ended.ending.refused and not self._off:
            self._off = True
            self._queue.clear(OVERLAY)
            self.logged.emit("warning", f"Overlays are off for this job: {ended.ending.reason}.")
            if progress is not None:
                progress.remaining.drop(EXPLANATION)
        elif progress is not None:
            progress.remaining.advance(EXPLANATION, 1, ended.seconds if ended.ending.well else None)

    def _on_overlay(self, image: Path, overlay: Path) -> None:
        """Show an overlay with the image that it is of, unless the user looks at another."""
        if not self._controller.active and self._looked_at not in (None, image):
            return
        picture, over = read_picture(image), read_picture(overlay)
        if not picture.isNull() and not over.isNull():
            centre = self._layout.centre
            centre.show_overlay_controls(True)
            centre.preview.show_picture(picture, image)
            centre.preview.show_overlay(over)
            centre.progress.caption.setText(f"{image.parent.name}/{image.name} with its explanation")
