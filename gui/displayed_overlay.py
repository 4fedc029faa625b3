"""XAI Mode: an image that is displayed without an overlay gets one, computed in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from gui.explanation_queue import ExplanationEnded
from gui.explanations import Explanations
from gui.job_controller import JobController
from gui.layout import Layout
from gui.tasks.browsing import ImageFacts
from xai.job import ExplanationJob


class DisplayedOverlay(QObject):
    """Queues the overlay of the displayed image in front of all others.

    Signals:
        logged: level and text for the log.
        displayed: the image in the preview, whose facts have to be read first.
    """

    logged = pyqtSignal(str, str)
    displayed = pyqtSignal(object)

    def __init__(
        self,
        queue: Explanations,
        controller: JobController,
        layout: Layout,
        overlay_job: Callable[[Path], ExplanationJob],
    ) -> None:
        super().__init__(queue)
        self._queue, self._controller, self._layout = queue, controller, layout
        self._overlay_job = overlay_job
        self._image: Path | None = None
        self._job: ExplanationJob | None = None
        self._refused: Path | None = None
        layout.top.xai_button.toggled.connect(self._on_toggled)
        controller.ended.connect(self._look_at_preview)
        queue.ended.connect(self._on_ended)

    def show(self, facts: ImageFacts) -> None:
        """Queue an overlay for a newly displayed image; ignore an image that was only read again."""
        if facts.path != self._image:
            self._image = facts.path
            self._withdraw()
            if self._layout.top.xai_button.isChecked() and facts.overlay.isNull() and not facts.picture.isNull():
                self._compute(facts.path)

    def _compute(self, image: Path) -> None:
        job = self._overlay_job(image)
        if job.checkpoints != self._refused and self._queue.overlays.job_of(image) is None:
            self._job = job
            self._queue.add(job, first=True)

    def _withdraw(self) -> None:
        """Somebody who looks through many images waits for the last one only."""
        if self._job is not None:
            self._queue.overlays.remove(self._job)

    def _on_toggled(self, on: bool) -> None:
        self._refused = None
        if on:
            self._look_at_preview()
        else:
            self._withdraw()

    def _look_at_preview(self) -> None:
        """The last image of a job, or one that was chosen before XAI Mode was switched on."""
        preview = self._layout.centre.preview
        wanted = self._layout.top.xai_button.isChecked() and preview.overlay is None and not self._queue.overlays.busy
        if wanted and preview.file is not None and not self._controller.active:
            self._image = None
            self.displayed.emit(preview.file)

    def _on_ended(self, ended: ExplanationEnded) -> None:
        if ended.job is not self._job:
            return
        self._job = None
        if ended.ending.refused:
            self._refused = ended.job.checkpoints  # every other image would be refused as well
            name = f"{ended.job.image.parent.name}/{ended.job.image.name}"
            self.logged.emit("warning", f"{name} has no overlay: {ended.ending.reason}.")
