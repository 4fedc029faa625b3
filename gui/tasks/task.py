"""The base class of all threads of the window, and the keeper that holds them until they have ended."""

from __future__ import annotations

import traceback

from PyQt5.QtCore import QObject, QThread, pyqtSignal

from core.errors import IsicGuiError


class Task(QThread):
    """A task on its own thread. Override ``work``, and check ``isInterruptionRequested`` in it regularly.

    Signals:
        failed: an error message for the user, and details for the log, which may be empty.
    """

    failed = pyqtSignal(str, str)

    def work(self) -> None:
        """Run the task. Called on the thread of the task; must not use widgets."""
        raise NotImplementedError

    def run(self) -> None:
        """Run ``work`` and report its errors. Called by Qt on the new thread."""
        try:
            self.work()
        except IsicGuiError as error:
            self.failed.emit(str(error), "")
        except Exception as error:  # noqa: BLE001 - the outermost level of a thread: the user must see every error
            text = f"An unexpected error occurred ({type(error).__name__}: {error}). The log has the details."
            self.failed.emit(text, traceback.format_exc())


class TaskKeeper(QObject):
    """Holds references to running tasks, because Qt aborts the program if a running QThread is deleted.

    Signals:
        idle: the last task has ended.
    """

    idle = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: set[Task] = set()
        self.closing = False

    @property
    def busy(self) -> bool:
        """Return whether a task is running."""
        return bool(self._running)

    def start(self, task: Task) -> None:
        """Start a task and hold it until it has ended. Ignored after ``request_stop``."""
        if self.closing:
            return
        self._running.add(task)
        task.finished.connect(lambda: self._release(task))
        task.start()

    def request_stop(self) -> None:
        """Ask every task to stop when it next checks for an interruption; no task is terminated by force."""
        self.closing = True
        for task in self._running:
            task.requestInterruption()

    def _release(self, task: Task) -> None:
        task.wait()  # `finished` is emitted shortly before the thread has ended
        self._running.discard(task)
        task.deleteLater()  # the task and its connections refer to each other, so nothing else would free it
        if not self._running:
            self.idle.emit()
