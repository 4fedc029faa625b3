"""Watches the folders that are browsed: what another process makes there appears by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt5.QtCore import QFileSystemWatcher, QObject, QTimer, pyqtSignal

from gui.output_listing import OutputListing

_GATHER_MS: Final = 1000


class OutputWatcher(QObject):
    """Says that something has changed, once for many changes in a row.

    Where the system tells nothing, as on many network drives, it stays silent, and reading the folders again by hand
    is left.

    Signals:
        changed: the folders should be listed again.
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
        self._timer.timeout.connect(self._tell)

    def follow(self, listing: OutputListing, results: Path) -> None:
        """Watch the folders of a listing, those that are there, and no others any more."""
        folders = [listing.output, *(listing.output / name for name in listing.images), results]
        if not listing.output.is_dir():  # it may be made at any time
            folders.append(listing.output.parent)
        wanted = {str(folder) for folder in folders if folder.is_dir()}
        watched = set(self._watcher.directories())
        if gone := watched - wanted:
            self._watcher.removePaths(sorted(gone))
        if new := wanted - watched:
            self._watcher.addPaths(sorted(new))

    def hold(self, held: bool) -> None:
        """Stay silent while a job of this window writes there, whose images are shown as they come."""
        self._held = held

    def _gather(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _tell(self) -> None:
        if not self._held:  # at its end a job has the folders listed anyway
            self.changed.emit()
