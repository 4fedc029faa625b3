"""Actions for a finished image: show it in the preview, reproduce it, use its settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from core.output.image_file import ImageFileError, ImageParameters, read_parameters
from gui.dialogs import show_information
from gui.settings import CLASS_SOURCE, METADATA_SOURCE
from gui.tasks.browsing import ImageFacts
from gui.tasks.engine import SharedModels
from gui.tasks.reproduction import ReproductionTask

if TYPE_CHECKING:
    from gui.job_controller import JobController
    from gui.layout import Layout
    from gui.models_presenter import ModelsPresenter
    from gui.tasks.task import TaskKeeper


class ImageActions(QObject):
    """Runs actions of the context menu of the browser.

    Signals:
        failed: a sentence for an error box.
        logged: level and text for the log.
    """

    failed = pyqtSignal(str)
    logged = pyqtSignal(str, str)

    def __init__(
        self,
        window: QWidget,
        parts: Layout,
        models: ModelsPresenter,
        keeper: TaskKeeper,
        shared: SharedModels,
        controller: JobController,
    ) -> None:
        super().__init__(window)
        self._window, self._parts, self._models = window, parts, models
        self._keeper, self._shared, self._controller = keeper, shared, controller

    def show(self, facts: ImageFacts) -> None:
        """Show the chosen image in the preview, unless a job is using the preview."""
        if self._controller.active or facts.picture.isNull():
            return
        centre = self._parts.centre
        # Without XAI Mode, an overlay is visible only if the user requested it; keep it visible then.
        requested = centre.preview.file == facts.path and centre.preview.overlay is not None
        centre.preview.show_picture(facts.picture, facts.path)
        if not facts.overlay.isNull() and (requested or self._parts.top.xai_button.isChecked()):
            centre.preview.show_overlay(facts.overlay)
        centre.progress.caption.setText(f"{facts.path.parent.name}/{facts.path.name}")

    def reproduce(self, image: Path) -> None:
        """Reproduce an image and compare it. Not during a job, because both use the same models in memory."""
        if self._controller.active:
            self.failed.emit("A job is running; reproduce the image when it has finished.")
            return
        task = ReproductionTask(image, self._models.folder, self._shared)
        self._controller.reserve(task.requestInterruption)
        task.compared.connect(self._on_compared)
        task.stopped.connect(self._on_stopped)
        task.failed.connect(self._on_failed)
        task.finished.connect(self._controller.release)
        self.logged.emit("info", f"Reproducing {image.parent.name}/{image.name}…")
        self._keeper.start(task)

    def use_settings(self, image: Path) -> None:
        """Set the window to the settings of an image: class, steps, sampler, reuse, base seed, precision, colours."""
        try:
            made = read_parameters(image)
        except ImageFileError as error:
            self.failed.emit(str(error))
            return
        parts = self._parts
        parts.options.steps.setValue(made.steps)
        parts.options.reuse.setValue(made.reuse)
        parts.options.random_seed.setChecked(False)
        parts.options.seed.setValue(made.base_seed)
        parts.options.choose(parts.options.sampler, made.sampler)
        parts.options.choose(parts.options.precision, made.precision)
        parts.options.color.setChecked(made.color_adjustment is not None)
        parts.top.choose_device(made.device)
        self._take_source(made)
        parts.top.options_button.setChecked(True)
        self.logged.emit("info", f"The window now uses the settings of {made.class_name}/{made.filename}.")

    def _take_source(self, made: ImageParameters) -> None:
        parts = self._parts
        if made.condition is None:
            parts.sources.choose(CLASS_SOURCE)
            parts.classes.tick([made.class_name])
        else:
            parts.sources.choose(METADATA_SOURCE)
            parts.conditions.fill(made.condition, 1.0 if made.guidance is None else made.guidance)

    def _on_compared(self, equal: bool, text: str) -> None:
        self.logged.emit("info" if equal else "warning", text)
        show_information(self._window, "Reproduced" if equal else "Not reproduced", text)

    def _on_stopped(self, text: str) -> None:
        self.logged.emit("info", text)

    def _on_failed(self, text: str, details: str) -> None:
        if details:
            self.logged.emit("error", details)
        self.failed.emit(text)
