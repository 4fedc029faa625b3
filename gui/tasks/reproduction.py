"""Reproduce one image in the background and compare it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import pyqtSignal

from gui.tasks.engine import SharedModels
from gui.tasks.quiet_import import load_core
from gui.tasks.task import Task

if TYPE_CHECKING:
    from core.generation.reproduction import Reproduction


class ReproductionTask(Task):
    """Reproduce an image. A requested interruption stops it after the current step, without a result.

    Signals:
        compared: whether the images are equal, and the result as a sentence.
        stopped: the reproduction was interrupted; a sentence for the log.
    """

    compared = pyqtSignal(bool, str)
    stopped = pyqtSignal(str)

    def __init__(self, image: Path, checkpoints: Path, models: SharedModels) -> None:
        super().__init__()
        self._image, self._checkpoints, self._models = image, checkpoints, models

    def work(self) -> None:
        """Generate the image again and compare it with the file."""
        load_core()
        from core.generation.reproduction import prepare_repetition  # noqa: PLC0415 - loads torch

        repetition = prepare_repetition(self._image, self._checkpoints, self._models.cache())
        for step in repetition.steps():
            if self.isInterruptionRequested():  # a closing window must not wait for all steps
                self.stopped.emit(f"{_name_of(self._image)} was not compared: its reproduction was stopped.")
                return
            images = step.images
        result = repetition.compare(images)
        self.compared.emit(result.equal, _in_words(result))


def _in_words(result: Reproduction) -> str:
    name = _name_of(result.image)
    difference = f"the largest difference is {result.maximum_difference} of 255 grey levels"
    if result.equal:
        return f"{name} was reproduced on {result.device}: it is the same image ({difference})."
    return f"{name} differs when reproduced on {result.device}: {difference}; at most {result.tolerance} is expected."


def _name_of(image: Path) -> str:
    return f"{image.parent.name}/{image.name}"
