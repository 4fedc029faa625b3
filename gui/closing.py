"""Closing the window: asks about a running job, stops everything cleanly, and waits without blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from gui.dialogs import CloseChoice, ask_close, ask_stop_evaluation

if TYPE_CHECKING:
    from gui.evaluations import Evaluations
    from gui.explanations import Explanations
    from gui.job_controller import JobController
    from gui.main_window import MainWindow
    from gui.tasks.task import TaskKeeper


class Closing(QObject):
    """Decides when the window may close.

    Signals:
        waiting: the window is about to close, and waits for what is still at work.
    """

    waiting = pyqtSignal()

    def __init__(
        self,
        window: MainWindow,
        controller: JobController,
        explanations: Explanations,
        evaluations: Evaluations,
        keeper: TaskKeeper,
    ) -> None:
        super().__init__(window)
        self._window, self._controller = window, controller
        self._explanations, self._evaluations, self._keeper = explanations, evaluations, keeper
        self._under_way = self._asking = False
        for at_work in (keeper, explanations, evaluations):
            at_work.idle.connect(self._try_again)

    def may_close(self) -> bool:
        """Whether the window can close now. If not yet, it is closed again when everything has ended."""
        if not self._under_way:
            if self._asking or not self._agreed():
                return False
            self._under_way = True
            self._explanations.cancel()
            self._evaluations.cancel()
            self._keeper.request_stop()
            if self._busy:
                self.waiting.emit()
        return not self._busy

    @property
    def _busy(self) -> bool:
        return self._keeper.busy or self._explanations.busy or self._evaluations.busy

    def _agreed(self) -> bool:
        self._asking = True  # a dialog runs the event loop, where the window can be closed again
        agreed = self._agreed_to_stop_the_evaluation() and self._agreed_to_stop_the_job()
        self._asking = False
        return agreed

    def _agreed_to_stop_the_evaluation(self) -> bool:
        return not self._evaluations.busy or ask_stop_evaluation(self._window)

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
        if self._under_way and not self._busy:
            self._window.close()
