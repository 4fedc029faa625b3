"""Download models on a separate thread, and convert the events of ``core.download`` into messages."""

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
    """Download models into a folder. A requested interruption stops it at the next event; received bytes are kept.

    Signals:
        progressed: ``core.download.events.Progress``, a few per second.
        logged: level and text for the log.
        done: the folder, and the result as a sentence.
    """

    progressed = pyqtSignal(object)
    logged = pyqtSignal(str, str)
    done = pyqtSignal(object, str)

    def __init__(self, source: str | None, folder: Path) -> None:
        super().__init__()
        self._source, self._folder = source, folder
        self._last = 0.0

    def work(self) -> None:
        """Download the models."""
        from core.download import DownloadJob, fetch_models, parse_source  # noqa: PLC0415 - loads requests

        try:
            job = DownloadJob(parse_source(self._source), self._folder)
            with contextlib.closing(fetch_models(job)) as events:
                for event in events:
                    if self.isInterruptionRequested():
                        return
                    self._report(event)
        except OSError as error:
            raise DownloadError(f"{self._folder} cannot be written: {error}; the received bytes are kept.") from error

    def _report(self, event: Event) -> None:
        from core.download.events import DownloadFinished, Installed, Kept, Progress, Waiting  # noqa: PLC0415

        if isinstance(event, Progress):
            now = time.monotonic()
            if now - self._last >= _REPORT_EVERY_S or event.done == event.total:
                self._last = now
                self.progressed.emit(event)
        elif isinstance(event, DownloadFinished):
            self.done.emit(event.folder, f"{event.installed} files downloaded, {event.kept} kept unchanged.")
        elif isinstance(event, Installed):
            self.logged.emit("info", f"{event.name} was installed.")
        elif isinstance(event, Kept):
            self.logged.emit("info", f"{event.name} was kept: {event.reason}.")
        elif isinstance(event, Waiting):
            again = f"trying again in {event.seconds:.0f} s"
            self.logged.emit("warning", f"{event.name}: {event.reason}; {again}.")
        elif isinstance(event, Notice):
            self.logged.emit("info", event.text)
