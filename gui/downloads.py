"""Download models from the window: the dialog, its task, and the result."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from gui.tasks.download import DownloadTask
from gui.tasks.task import TaskKeeper
from gui.widgets.download_dialog import DownloadDialog


class Downloads(QObject):
    """One download at a time.

    Signals:
        installed: the folder that has new models.
        logged: level and text for the log.
    """

    installed = pyqtSignal(object)
    logged = pyqtSignal(str, str)

    def __init__(self, window: QWidget, keeper: TaskKeeper) -> None:
        super().__init__(window)
        self._window, self._keeper = window, keeper
        self._task: DownloadTask | None = None
        self.dialog: DownloadDialog | None = None
        self._folder = Path()
        self._cancelled = False

    def show(self, folder: Path) -> None:
        """Open the dialog for a models folder."""
        if self.dialog is not None:
            self.dialog.raise_()
            return
        from core.download import known_sources  # noqa: PLC0415 - loads requests; already loaded together with torch

        self._folder = folder
        self.dialog = DownloadDialog(self._window, known_sources(), folder)
        self.dialog.wanted.connect(self._start)
        self.dialog.cancelled.connect(self._cancel)
        self.dialog.finished.connect(self._on_closed)
        self.dialog.open()

    def _start(self, source: str) -> None:
        if self.dialog is None or self._task is not None:
            return
        self._cancelled = False
        self._task = DownloadTask(source or None, self._folder)
        self._task.progressed.connect(self.dialog.show_progress)
        self._task.logged.connect(self._on_logged)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.finished.connect(self._on_finished)
        self.dialog.show_running(True)
        self.logged.emit("info", f"Downloading models into {self._folder}.")
        self._keeper.start(self._task)

    def _cancel(self) -> None:
        if self._task is not None:
            self._cancelled = True
            self._task.requestInterruption()

    def _on_logged(self, level: str, text: str) -> None:
        self.logged.emit(level, text)
        if self.dialog is not None:
            self.dialog.status.setText(text)

    def _on_done(self, folder: Path, text: str) -> None:
        self.logged.emit("info", text)
        if self.dialog is not None:
            self.dialog.show_done(text)
        self.installed.emit(folder)

    def _on_failed(self, text: str, details: str) -> None:
        self.logged.emit("error", details or text)
        if self.dialog is not None:
            self.dialog.status.setText(text)

    def _on_finished(self) -> None:
        self._task = None
        if self.dialog is None:
            return
        self.dialog.show_running(False)
        if self._cancelled:
            self.dialog.reject()

    def _on_closed(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None
