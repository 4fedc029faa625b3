"""Fetching models on its own thread: the events of ``core.download``, thinned out and put into words."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PyQt5.QtCore import pyqtSignal

from core.errors import DownloadError
from core.generation.events import Notice
from gui.tasks.task import Task

if TYPE_CHECKING:
    from core.generation.events import Event

_REPORT_EVERY_S: Final = 0.2


class DownloadTask(Task):
    """Fetch models into a folder. A requested interruption ends it at the next event; what arrived is kept.

    Signals:
        progressed: ``core.download.events.Progress``, a few a second.
        told: level and text for the log.
        done: the folder, and what came of it as a sentence.
    """

    progressed = pyqtSignal(object)
    told = pyqtSignal(str, str)
    done = pyqtSignal(object, str)

    def __init__(self, source: str | None, folder: Path) -> None:
        super().__init__()
        self._source, self._folder = source, folder
        self._last = 0.0

    def work(self) -> None:
        """Fetch."""
        from core.download import DownloadJob, fetch_models, parse_source  # noqa: PLC0415 - loads requests

        try:
            job = DownloadJob(parse_source(self._source), self._folder)
            with contextlib.closing(fetch_models(job)) as events:
                for event in events:
                    if self.isInterruptionRequested():
                        return
                    self._tell(event)
        except OSError as error:
            raise DownloadError(f"{self._folder} cannot be written: {error}; what has arrived is kept.") from error

    def _tell(self, event: Event) -> None:
        from core.download.events import DownloadFinished, Installed, Kept, Progress, Waiting  # noqa: PLC0415

        if isinstance(event, Progress):
            now = time.monotonic()
            if now - self._last >= _REPORT_EVERY_S or event.done == event.total:
                self._last = now
                self.progressed.emit(event)
        elif isinstance(event, DownloadFinished):
            self.done.emit(event.folder, f"{event.installed} files fetched, {event.kept} kept as they were.")
        elif isinstance(event, Installed):
            self.told.emit("info", f"{event.name} is in place.")
        elif isinstance(event, Kept):
            self.told.emit("info", f"{event.name} stays as it is: {event.reason}.")
        elif isinstance(event, Waiting):
            again = f"trying again in {event.seconds:.0f} s"
            self.told.emit("warning", f"{event.name}: {event.reason}; {again}.")
        elif isinstance(event, Notice):
            self.told.emit("info", event.text)
