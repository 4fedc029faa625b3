"""The base of every thread of the window, and the keeper that holds them until they have ended by themselves."""

from __future__ import annotations

import traceback

from PyQt5.QtCore import QObject, QThread, pyqtSignal

from core.errors import IsicGuiError


class Task(QThread):
    """A piece of work on its own thread. Override ``work``; ask ``isInterruptionRequested`` where it can stop.

    Signals:
        failed: what happened and what to do, in ready-made sentences; then details for the log, often empty.
    """

    failed = pyqtSignal(str, str)

    def work(self) -> None:
        """Do it; runs on the task's own thread and must not touch a widget."""
        raise NotImplementedError

    def run(self) -> None:
        """Called by Qt on the new thread."""
        try:
            self.work()
        except IsicGuiError as error:
            self.failed.emit(str(error), "")
        except Exception as error:  # noqa: BLE001 - a thread's edge: whatever happened must reach the user
            text = f"Something unexpected went wrong ({type(error).__name__}: {error}). The log has the details."
            self.failed.emit(text, traceback.format_exc())


class TaskKeeper(QObject):
    """Holds running tasks: a QThread that is dropped while it runs takes the program with it.

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
        """Whether a task is running."""
        return bool(self._running)

    def start(self, task: Task) -> None:
        """Start a task and hold it until it has ended; none is started any more once all were asked to stop."""
        if self.closing:
            return
        self._running.add(task)
        task.finished.connect(lambda: self._release(task))
        task.start()

    def request_stop(self) -> None:
        """Ask every task to stop at its next opportunity; none is forced."""
        self.closing = True
        for task in self._running:
            task.requestInterruption()

    def _release(self, task: Task) -> None:
        task.wait()  # `finished` comes a moment before the thread has really ended
        self._running.discard(task)
        task.deleteLater()  # its connections hold it, and it holds them: nothing else would ever free it
        if not self._running:
            self.idle.emit()
