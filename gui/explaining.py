"""XAI Mode: which images of a job are explained, and the explanations' place in the time left and the preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.job import GenerationJob
from gui.explanation_job import (
    NOT_HERE,
    ExplanationJob,
    explanations_available,
    explanations_wanted,
    wants_explanation,
)
from gui.explanations import Explanations
from gui.job_controller import JobController
from gui.job_progress import EXPLANATION
from gui.layout import Layout
from gui.pictures import read_picture
from gui.settings import Settings
from gui.tasks.generation import ImageReport


class Explaining(QObject):
    """Connects jobs with the queue of explanations.

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
        results: Path,
    ) -> None:
        super().__init__(queue)
        self._queue, self._controller, self._layout = queue, controller, layout
        self._settings, self._results = settings, results
        self._made: Counter[str] = Counter()
        controller.reported.connect(self._on_report)
        queue.changed.connect(lambda: layout.queue.show_queue(queue))
        queue.explained.connect(self._on_explained)
        queue.overlay.connect(self._on_overlay)
        layout.queue.clear.connect(queue.clear)
        layout.queue.cancel.connect(queue.cancel)

    def begin(self, job: GenerationJob) -> None:
        """A job has started: what it will have explained counts into its time."""
        self._made.clear()
        settings = self._settings()
        if not settings.xai_mode:
            return
        if not explanations_available():
            self.logged.emit("warning", f"{NOT_HERE} The images are generated without them.")
        elif self._controller.progress is not None:
            wanted = sum(explanations_wanted(count, settings.xai_cadence) for count in job.counts.values())
            self._controller.progress.remaining.expect(EXPLANATION, wanted)

    def explain(self, image: Path) -> None:
        """Queue an image."""
        if not explanations_available():
            self.logged.emit("warning", NOT_HERE)
            return
        settings = self._settings()
        checkpoints = Path(settings.checkpoints)
        self._queue.add(ExplanationJob(image, checkpoints, self._results, settings.xai_stride, settings.device))

    def _on_report(self, report: object) -> None:
        progress, settings = self._controller.progress, self._settings()
        if not isinstance(report, ImageReport) or progress is None:
            return
        name = report.saved.parameters.class_name
        self._made[name] += 1
        wanted = wants_explanation(self._made[name], progress.job.counts[name], settings.xai_cadence)
        if wanted and settings.xai_mode and explanations_available():
            self.explain(report.saved.path)

    def _on_explained(self, seconds: float | None) -> None:
        if self._controller.progress is not None:
            self._controller.progress.remaining.advance(EXPLANATION, 1, seconds)

    def _on_overlay(self, image: Path, overlay: Path) -> None:
        """Show an overlay with the image that it is of; a picture that cannot be read is left out."""
        picture, over = read_picture(image), read_picture(overlay)
        if not picture.isNull() and not over.isNull():
            self._layout.centre.preview.show_picture(picture, image)
            self._layout.centre.preview.show_overlay(over)
