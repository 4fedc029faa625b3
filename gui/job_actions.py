"""Start, Regenerate and Continue: create jobs from the settings, and update the buttons and notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, pyqtSignal

from core.errors import ArgumentError
from core.generation.job import GenerationJob
from gui.forecast import Forecast
from gui.job_controller import JobController
from gui.remaining_time import size_in_words
from gui.settings import METADATA_SOURCE

if TYPE_CHECKING:
    from gui.layout import Layout
    from gui.settings import Settings


class JobActions(QObject):
    """The actions of the user that start jobs.

    Signals:
        refused: the settings are not a valid job; a sentence for an error box.
        begun: the job that has been started.
        logged: level and text for the log.
    """

    refused = pyqtSignal(str)
    begun = pyqtSignal(object)
    logged = pyqtSignal(str, str)

    def __init__(
        self,
        controller: JobController,
        layout: Layout,
        forecast: Forecast,
        settings: Callable[[], Settings],
        last_job: dict[str, Any],
    ) -> None:
        super().__init__(controller)
        self._controller, self._layout, self._forecast, self._settings = controller, layout, forecast, settings
        self.last_job = dict(last_job)
        self.free_bytes: int | None = None
        controller.changed.connect(lambda _: self.show_state())
        controller.ended.connect(self._on_ended)
        self._connect_buttons()

    def _connect_buttons(self) -> None:
        buttons, controller, notice = self._layout.buttons, self._controller, self._layout.unfinished_notice
        buttons.start.connect(self.start)
        buttons.regenerate.connect(self.regenerate)
        buttons.pause.connect(controller.pause)
        buttons.resume.connect(controller.resume)
        buttons.stop_after_image.connect(controller.stop_after_image)
        buttons.stop_now.connect(controller.stop_now)
        notice.add_button("continueButton", "Continue", "Generate the remaining images.", self.continue_unfinished)
        notice.add_button(
            "discardButton",
            "Discard",
            "Discard the remaining images. Finished images are kept.",
            self.discard_unfinished,
        )

    def start(self) -> None:
        """Start a job with the current settings, unless a job is running or no class is chosen."""
        if self._controller.active:
            return
        if not self._can_start:
            self._layout.buttons.show_nothing_is_chosen()
            return
        self._layout.options.draw_seed()
        try:
            self._begin(self._settings().job())
        except ArgumentError as error:
            self.refused.emit(str(error))

    def regenerate(self) -> None:
        """Run the last configuration again. Numbers and seeds continue after those in the output folder."""
        if self._controller.active or not self.last_job:
            return
        try:
            job = GenerationJob.from_json(self.last_job, "The last job")
            self._begin(replace(job, analyse_every=self._settings().analyse_every))
        except ArgumentError as error:
            self.refused.emit(str(error))

    def continue_unfinished(self) -> None:
        """Generate the remaining images of the unfinished job."""
        unfinished = self._controller.unfinished
        if unfinished is not None:
            self.logged.emit("info", f"Continuing the unfinished job: {unfinished}.")
            self._prepare()
            self._controller.continue_unfinished()
            self.begun.emit(unfinished.remainder())

    def discard_unfinished(self) -> None:
        """Discard the remaining images of the unfinished job."""
        self._controller.forget_unfinished()
        self.offer_unfinished()

    def pause_or_resume(self) -> None:
        """Act like the Pause button."""
        self._layout.buttons.pause_button.click()

    def offer_unfinished(self) -> None:
        """Show a notice about the unfinished job; it starts only if the user decides so."""
        unfinished = self._controller.unfinished
        if unfinished is None:
            self._layout.unfinished_notice.hide()
        else:
            self._layout.unfinished_notice.show_text(f"Unfinished job: {unfinished}, into {unfinished.job.output}.")

    def show_state(self) -> None:
        """Enable the buttons that can be used now."""
        can_start, can_regenerate = self._can_start, bool(self.last_job)
        self._layout.buttons.show_state(self._controller.state, can_start=can_start, can_regenerate=can_regenerate)
        self._layout.lock(self._controller.generating)

    @property
    def _can_start(self) -> bool:
        return bool(self._layout.classes.chosen) or self._layout.sources.current == METADATA_SOURCE

    def show_forecast(self) -> None:
        """Show the expected duration and disk space, if known, and warn if the disk space is not sufficient."""
        try:
            job = self._settings().job()
        except ArgumentError:
            self._layout.classes.show_forecast(None, None)
        else:
            size = self._forecast.size(job)
            self._layout.classes.show_forecast(self._forecast.seconds(job), size)
            if size is not None and self.free_bytes is not None and size > self.free_bytes:
                text = f"Only {size_in_words(self.free_bytes)} are free on the disk of {job.output}."
                self._layout.classes.estimate_label.setText(text)
        self.show_state()

    def _begin(self, job: GenerationJob) -> None:
        self.last_job = job.to_json()
        self._prepare()
        self._controller.start(job)
        self.begun.emit(job)

    def _prepare(self) -> None:
        self._layout.unfinished_notice.hide()
        self._layout.centre.preview.clear_picture()
        self._layout.centre.progress.caption.clear()

    def _on_ended(self) -> None:
        progress = self._controller.progress
        if progress is not None and progress.seconds_a_step is not None:
            speed, reuse = progress.seconds_a_step, progress.job.reuse
            for name in progress.job.counts:
                self._forecast.note(name, progress.device, progress.precision, speed, reuse)
        self.show_forecast()
        self.offer_unfinished()

    def remembered(self, settings: Settings) -> Settings:
        """Return the settings with the last job and the measured speeds."""
        return replace(settings, last_job=self.last_job, speeds=self._forecast.speeds)
