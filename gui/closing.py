"""Closing the window: asks about a running job, stops everything cleanly, and waits without blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from gui.dialogs import CloseChoice, ask_close

if TYPE_CHECKING:
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
        self, window: MainWindow, controller: JobController, explanations: Explanations, keeper: TaskKeeper
    ) -> None:
        super().__init__(window)
        self._window, self._controller = window, controller
        self._explanations, self._keeper = explanations, keeper
        self._under_way = self._asking = False
        keeper.idle.connect(self._try_again)
        explanations.idle.connect(self._try_again)

    def may_close(self) -> bool:
        """Whether the window can close now. If not yet, it is closed again when everything has ended."""
        if not self._under_way:
            if self._asking or not self._agreed():
                return False
            self._under_way = True
            self._explanations.cancel()
            self._keeper.request_stop()
            if self._busy:
                self.waiting.emit()
        return not self._busy

    @property
    def _busy(self) -> bool:
        return self._keeper.busy or self._explanations.busy

    def _agreed(self) -> bool:
        progress = self._controller.progress
        if not self._controller.generating or progress is None:
            return True
        self._asking = True  # the dialog runs the event loop, where the window can be closed again
        choice = ask_close(self._window, progress.done, progress.job.total)
        self._asking = False
        if choice is CloseChoice.STOP_NOW:
            self._controller.stop_now()
        elif choice is CloseChoice.AFTER_IMAGE:
            self._controller.stop_after_image()
        return choice is not CloseChoice.STAY

    def _try_again(self) -> None:
        if self._under_way and not self._busy:
            self._window.close()
