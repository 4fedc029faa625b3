"""Show the models folder: available classes, kind of weights, colour statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.classes import CLASSES
from core.errors import CheckpointError
from core.output.color_adjustment import load_color_statistics
from core.paths import CONDITIONED_FILE
from gui.checkpoint_folder import Availability, find_checkpoints, first_look
from gui.tasks.checkpoint_scan import CheckpointScan
from gui.tasks.task import TaskKeeper

_DEMONSTRATION = (
    "These are demonstration weights: small models for trying the program out, not for research. "
    "Download or select other models for real work."
)


class ModelsPresenter(QObject):
    """Inspects one models folder: first by file names, then by reading the files.

    Signals:
        changed: ``classes`` has changed.
        logged: level and text for the log.
        noticed: text of a notice in the window; an empty text removes the notice.
    """

    changed = pyqtSignal()
    logged = pyqtSignal(str, str)
    noticed = pyqtSignal(str)

    def __init__(self, keeper: TaskKeeper, parent: QObject) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self.folder = Path()
        self.classes: Mapping[str, Availability] = {}
        self.color_text = ""
        self._latest: CheckpointScan | None = None

    @property
    def usable(self) -> list[str]:
        """Return the classes that can be generated."""
        return [name for name in CLASSES if name in self.classes and self.classes[name].usable]

    @property
    def conditioned(self) -> bool:
        """Return whether the folder contains a metadata-conditioned model."""
        return (self.folder / CONDITIONED_FILE).is_file()

    @property
    def count_text(self) -> str:
        """Return the text for the status bar, such as ``7 of 7 models (demonstration)``."""
        demonstration = any(self.classes[name].demonstration for name in self.usable)
        return f"{len(self.usable)} of {len(CLASSES)} models{' (demonstration)' if demonstration else ''}"

    def choose(self, chosen: Path) -> bool:
        """Use the checkpoints folder at ``chosen``; return whether there is one."""
        folder = find_checkpoints(chosen)
        if folder is None:
            return False
        self.look_at(folder)
        names = ", ".join(self.usable) or "none"
        self.logged.emit("info", f"Models folder {folder}: {len(self.usable)} of {len(CLASSES)} classes ({names}).")
        return True

    def look_at(self, folder: Path) -> None:
        """Show a folder by its file names."""
        self.folder, self._latest = folder, None  # ignore the results of an earlier scan
        self.color_text = self._colors()
        self._show(first_look(folder))

    def scan(self) -> None:
        """Read the files in the background."""
        task = self._latest = CheckpointScan(self.folder)
        task.found.connect(lambda classes: self._on_found(classes) if task is self._latest else None)
        task.failed.connect(lambda text, _: self.logged.emit("error", text))
        self._keeper.start(task)

    def _on_found(self, classes: Mapping[str, Availability]) -> None:
        for name, found in classes.items():
            if not found.usable and self.classes[name].usable:
                self.logged.emit("warning", f"{name} cannot be generated: {found.reason}")
        self._show(classes)

    def _show(self, classes: Mapping[str, Availability]) -> None:
        self.classes = classes
        usable = [classes[name] for name in self.usable]
        self.noticed.emit(_DEMONSTRATION if any(found.demonstration for found in usable) else "")
        self.changed.emit()

    def _colors(self) -> str:
        try:
            found = load_color_statistics(self.folder)
        except CheckpointError as error:
            self.logged.emit("warning", str(error))
            return "Colours: damaged file"
        return f"Colours of {len(found)} classes" if found else "No colour statistics"
