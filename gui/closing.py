"""Close the window: ask about running work, stop it cleanly, and wait for it without blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from gui.dialogs import CloseChoice, ask_close, ask_stop_evaluation, ask_stop_explanations, ask_stop_now
from gui.job_state import JobState
from xai.job import ANALYSIS

if TYPE_CHECKING:
    from gui.evaluations import Evaluations
    from gui.explanations import Explanations
    from gui.job_controller import JobController
    from gui.tasks.task import TaskKeeper


class Closing(QObject):
    """Decides when the window may close.

    Signals:
        waiting: the window will close and waits for background work.
    """

    waiting = pyqtSignal()

    def __init__(
        self,
        window: QWidget,
        controller: JobController,
        explanations: Explanations,
        evaluations: Evaluations,
        keeper: TaskKeeper,
    ) -> None:
        super().__init__(window)
        self._window, self._controller = window, controller
        self._explanations, self._evaluations, self._keeper = explanations, evaluations, keeper
        self._closing = self._asking = False
        for worker in (keeper, explanations, evaluations):
            worker.idle.connect(self._try_again)

    def may_close(self) -> bool:
        """Return whether the window can close now. If not yet, it is closed when the background work has ended."""
        if self._asking:  # a dialog runs the event loop, so this can be called again during a question
            return False
        self._asking = True
        if self._closing:
            self._offer_to_stop_now()
        elif self._agreed():
            self._begin()
        self._asking = False
        return self._closing and not self._busy

    def _begin(self) -> None:
        self._closing = True
        self._explanations.end()
        self._evaluations.cancel()
        self._keeper.request_stop()
        if self._busy:
            self.waiting.emit()

    def _offer_to_stop_now(self) -> None:
        """Offer to stop immediately if the user tries to close again; an image may take many minutes."""
        if self._controller.state is JobState.STOPPING_AFTER_IMAGE and ask_stop_now(self._window):
            self._controller.stop_now()

    @property
    def _busy(self) -> bool:
        return self._keeper.busy or self._explanations.busy or self._evaluations.busy

    def _agreed(self) -> bool:
        return (
            self._agreed_to_stop_the_evaluation()
            and self._agreed_to_stop_the_explanations()
            and self._agreed_to_stop_the_job()
        )

    def _agreed_to_stop_the_evaluation(self) -> bool:
        return not self._evaluations.busy or ask_stop_evaluation(self._window)

    def _agreed_to_stop_the_explanations(self) -> bool:
        """Ask about explanations. Overlays of a running job are not counted: the question about the job covers them."""
        jobs = [job for job in self._explanations.jobs if job.kind == ANALYSIS or not self._controller.generating]
        return not jobs or ask_stop_explanations(self._window, len(jobs))

    def _agreed_to_stop_the_job(self) -> bool:
        progress = self._controller.progress
        if not self._controller.generating or progress is None:
            return True
        choice = ask_close(self._window, progress.done, progress.job.total)
        if choice is CloseChoice.STOP_NOW:
            self._controller.stop_now()
        elif choice is CloseChoice.AFTER_IMAGE:
            self._controller.stop_after_image()
        return choice is not CloseChoice.STAY

    def _try_again(self) -> None:
        if self._closing and not self._busy:
            self._window.close()
