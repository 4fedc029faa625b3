"""Read the checkpoints of a folder in the background, and check whether they can be used."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal

from core.classes import CLASSES
from core.models.model_lookup import checkpoint_file
from gui.checkpoint_folder import Availability, demo_set_would_fill, first_look
from gui.tasks.quiet_import import load_core
from gui.tasks.task import Task


class CheckpointScan(Task):
    """Open every checkpoint of a folder.

    Signals:
        found: ``dict[str, Availability]`` for all classes.
    """

    found = pyqtSignal(object)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def work(self) -> None:
        """Read the checkpoints. The first call loads torch."""
        if demo_set_would_fill(self._folder):
            self.found.emit(first_look(self._folder))
            return
        load_core()
        found: dict[str, Availability] = {}
        for name in CLASSES:
            if self.isInterruptionRequested():
                return
            found[name] = _read(self._folder, name)
        self.found.emit(found)


def _read(folder: Path, class_name: str) -> Availability:
    from core.errors import CheckpointError, JobFailedError  # noqa: PLC0415
    from core.models.checkpoints import read_checkpoint  # noqa: PLC0415 - loads torch

    file = checkpoint_file(folder, class_name)
    if not file.is_file():
        return first_look(folder)[class_name]
    try:
        checkpoint = read_checkpoint(file)
    except (CheckpointError, JobFailedError) as error:  # damaged or not a checkpoint, or not enough memory
        return Availability(False, str(error))
    size = checkpoint.image_size
    kind = "demonstration weights" if checkpoint.is_demo else f"{checkpoint.parameters / 1e6:.1f} M weights"
    about = f"{file.name}: {size} px, {kind}"
    return Availability(True, about, size, checkpoint.parameters, checkpoint.is_demo)
