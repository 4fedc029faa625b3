"""Start, Regenerate, Continue: what jobs are made of, and what the buttons and notices say of them."""

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
    """The user's side of jobs.

    Signals:
        refused: a job cannot be made of the settings; the sentence for an error box.
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
        buttons.go_on.connect(controller.go_on)
        buttons.stop_after_image.connect(controller.stop_after_image)
        buttons.stop_now.connect(controller.stop_now)
        notice.add_button("continueButton", "Continue", "Make the images that are left.", self.continue_unfinished)
        notice.add_button("discardButton", "Discard", "Forget what is left; images stay.", self.discard_unfinished)

    def start(self) -> None:
        """Start what the window says, unless a job is under way or nothing is chosen."""
        if self._controller.active:
            return
        if not self._can_start:
            self._layout.buttons.say_nothing_is_chosen()
            return
        self._layout.options.draw_seed()
        try:
            self._begin(self._settings().job())
        except ArgumentError as error:
            self.refused.emit(str(error))

    def regenerate(self) -> None:
        """The last configuration again: numbers go on in the output folder, and with them the seeds."""
        if self._controller.active or not self.last_job:
            return
        try:
            job = GenerationJob.from_json(self.last_job, "The last job")
            self._begin(replace(job, analyse_every=self._settings().analyse_every))
        except ArgumentError as error:
            self.refused.emit(str(error))

    def continue_unfinished(self) -> None:
        """Make the rest of the unfinished job."""
        unfinished = self._controller.unfinished
        if unfinished is not None:
            self.logged.emit("info", f"Going on with the unfinished job: {unfinished}.")
            self._prepare()
            self._controller.continue_unfinished()
            self.begun.emit(unfinished.remainder())

    def discard_unfinished(self) -> None:
        """Forget the rest of the unfinished job."""
        self._controller.forget_unfinished()
        self.offer_unfinished()

    def pause_or_go_on(self) -> None:
        """What the Pause button does."""
        self._layout.buttons.pause_button.click()

    def offer_unfinished(self) -> None:
        """Say that a job was left unfinished; starting it is the user's decision."""
        unfinished = self._controller.unfinished
        if unfinished is None:
            self._layout.unfinished_notice.hide()
        else:
            self._layout.unfinished_notice.say(f"Unfinished job: {unfinished}, into {unfinished.job.output}.")

    def show_state(self) -> None:
        """Enable what can be done now."""
        can_start, can_regenerate = self._can_start, bool(self.last_job)
        self._layout.buttons.show_state(self._controller.state, can_start=can_start, can_regenerate=can_regenerate)
        self._layout.lock(self._controller.generating)

    @property
    def _can_start(self) -> bool:
        return bool(self._layout.classes.chosen) or self._layout.sources.current == METADATA_SOURCE

    def show_forecast(self) -> None:
        """Say what the choice takes, as far as it is known, and whether the disk has room for it."""
        try:
            job = self._settings().job()
        except ArgumentError:
            self._layout.classes.show_forecast(None, None)
        else:
            size = self._forecast.size(job)
            self._layout.classes.show_forecast(self._forecast.seconds(job), size)
            if size is not None and self.free_bytes is not None and size > self.free_bytes:
                text = f"Only {size_in_words(self.free_bytes)} are free where {job.output} lies."
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
        """The settings with what was learnt from jobs."""
        return replace(settings, last_job=self.last_job, speeds=self._forecast.speeds)
