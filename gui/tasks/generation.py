"""Run a generation job on its own thread, and reduce its events to a rate that the window can display."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QImage

from core.generation.control import Control
from core.generation.events import DenoisingStep, Event, ImageFailed, ImageSaved, JobFinished, JobStarted, Warned
from core.generation.job import GenerationJob
from gui.journal import Journal, UnfinishedJob
from gui.pictures import from_pixels, read_picture
from gui.tasks.engine import SharedModels
from gui.tasks.quiet_import import load_core
from gui.tasks.task import Task

if TYPE_CHECKING:
    import torch

_REPORT_EVERY_S: Final = 0.1
_PICTURE_EVERY_S: Final = 0.25


@dataclass(frozen=True)
class StepReport:
    """A denoising step; ``picture`` is the x0 estimate of the first image of the batch, or None."""

    class_name: str
    numbers: tuple[int, ...]
    step: int
    steps: int
    picture: QImage | None


@dataclass(frozen=True)
class ImageReport:
    """An image was saved; ``picture`` is None if images are saved faster than the preview is updated."""

    saved: ImageSaved
    picture: QImage | None


class GenerationTask(Task):
    """Run a job, write its journal and report its events. ``rest_of`` is the journal of the job that it continues.

    Signals:
        reported: ``StepReport``, ``ImageReport`` or another unchanged event of the core; and its time
            (``time.monotonic``).
    """

    reported = pyqtSignal(object, float)

    def __init__(
        self, job: GenerationJob, control: Control, models: SharedModels, journal: Journal, rest_of: Path | None = None
    ) -> None:
        super().__init__()
        self._job, self._control, self._models, self._journal = job, control, models, journal
        self._file, self._rest_of = journal.new_file(), rest_of
        self.live_preview = True
        self._attempted = dict.fromkeys(job.counts, 0)
        self._journal_works = True
        self._last_report = self._last_picture = 0.0

    def work(self) -> None:
        """Generate all images, or stop when ``control`` requests it."""
        load_core()
        from core.generation.runner import run  # noqa: PLC0415 - loads torch

        with contextlib.closing(run(self._job, self._control, self._models.cache())) as events:
            for event in events:
                self._keep_journal(event)
                self._report(event)

    def _report(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, DenoisingStep):
            if event.step == event.steps or now - self._last_report >= _REPORT_EVERY_S:
                self._last_report = now
                picture = self._estimate(event.estimate) if self.live_preview and self._picture_due(now) else None
                report = StepReport(event.class_name, event.numbers, event.step, event.steps, picture)
                self.reported.emit(report, now)
        elif isinstance(event, ImageSaved):
            due = self._picture_due(now) or event.done == event.total
            self.reported.emit(ImageReport(event, _picture(event.path) if due else None), now)
        else:
            self.reported.emit(event, now)

    def _estimate(self, estimate: torch.Tensor) -> QImage:
        from core.generation.denoising import to_pixels  # noqa: PLC0415 - loads torch

        return from_pixels(to_pixels(estimate[:1])[0])

    def _picture_due(self, now: float) -> bool:
        if now - self._last_picture < _PICTURE_EVERY_S:
            return False
        self._last_picture = now
        return True

    def _keep_journal(self, event: Event) -> None:
        """Store the progress before the window receives the event, so that a crash loses no count."""
        if isinstance(event, ImageSaved):
            self._attempted[event.parameters.class_name] += 1
        elif isinstance(event, ImageFailed):
            self._attempted[event.class_name] += 1
        elif not isinstance(event, (JobStarted, JobFinished)):
            return
        unfinished = UnfinishedJob(self._job, dict(self._attempted))
        try:
            if unfinished.left:
                self._journal.write(self._file, unfinished)
            else:
                self._file.unlink(missing_ok=True)
            if isinstance(event, JobStarted) and self._rest_of is not None:
                self._rest_of.unlink(missing_ok=True)  # the new file now holds the same information
        except OSError as error:
            self._journal_fails(error)

    def _journal_fails(self, error: OSError) -> None:
        if self._journal_works:
            self._journal_works = False
            text = f"{self._file} cannot be written ({error.strerror}): this job cannot be continued after a restart."
            self.reported.emit(Warned(text), time.monotonic())


def _picture(path: Path) -> QImage | None:
    picture = read_picture(path)
    return None if picture.isNull() else picture
