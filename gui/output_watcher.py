"""Watch the browsed folders, so that new files of other processes appear automatically."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt5.QtCore import QFileSystemWatcher, QObject, QTimer, pyqtSignal

from gui.output_listing import OutputListing

_GATHER_MS: Final = 1000


class OutputWatcher(QObject):
    """Reports changes of folders, once for many changes in a row.

    Many network drives report no changes. There, the user must refresh the listing.

    Signals:
        changed: the folders must be listed again.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._watcher = QFileSystemWatcher(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_GATHER_MS)
        self._held = False
        self._watcher.directoryChanged.connect(lambda _: self._gather())
        self._timer.timeout.connect(self._report)

    def follow(self, listing: OutputListing, results: Path) -> None:
        """Watch the existing folders of a listing, and stop watching all others."""
        folders = [listing.output, *(listing.output / name for name in listing.images), results]
        if not listing.output.is_dir():  # it may be created at any time
            folders.append(listing.output.parent)
        wanted = {str(folder) for folder in folders if folder.is_dir()}
        watched = set(self._watcher.directories())
        if gone := watched - wanted:
            self._watcher.removePaths(sorted(gone))
        if new := wanted - watched:
            self._watcher.addPaths(sorted(new))

    def hold(self, held: bool) -> None:
        """Report nothing while a job of this window runs; its images are shown anyway."""
        self._held = held

    def _gather(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _report(self) -> None:
        if not self._held:  # the folders are listed again at the end of the job
            self.changed.emit()
