"""``main.py generate --explain-every N --analyse-every M``: overlays and full analyses while images are generated."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import ArgumentError, IsicGuiError, JobFailedError
from core.generation.control import Control, Decision
from core.generation.events import (
    AnalysisProgress,
    Event,
    ImageAnalysed,
    ImageExplained,
    ImageSaved,
    JobFinished,
    JobStarted,
    Notice,
    Warned,
)
from core.generation.explanation_cadence import wants_explanation, without_explanation
from core.generation.job import GenerationJob
from core.generation.wording import none_explained
from core.process.protocol import Message
from core.process.runner import headless_command, headless_environment, run_headless
from xai.job import ANALYSIS, OVERLAY, ExplanationJob, background_analysis

_POLL_S: Final = 0.2
_NAMES: Final = {OVERLAY: "Overlays", ANALYSIS: "Full analyses"}
_DONE: Final = {OVERLAY: "explained", ANALYSIS: "analysed"}


@dataclass(frozen=True)
class Intervals:
    """Intervals of the ISIC numbers of a class; None for no explanation of that kind."""

    overlays: int | None = None
    analyses: int | None = None

    def of(self, kind: str) -> int | None:
        """The interval of a kind of explanation."""
        return self.overlays if kind == OVERLAY else self.analyses


class BackgroundExplanations:
    """Explains and analyses images of a job in headless processes, one image of each kind at a time.

    The processes use one processor core at the lowest priority and no GPU, so they do not slow down the generation.
    Their reports are yielded among the events of the job.
    """

    def __init__(self, job: GenerationJob, every: Intervals, output: Path, control: Control) -> None:
        self._job, self._every, self._control = job, every, control
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        folders = (job.checkpoints.resolve(), output.resolve())
        self._analyses = _Lane(ANALYSIS, folders, control, self._events.put)
        self._overlays = _Lane(OVERLAY, folders, control, self._events.put, self._after_overlay)

    def follow(self, event: Event) -> Iterator[Event]:
        """Process an event of the job; yield the reports of the processes since the last call."""
        if isinstance(event, JobStarted):
            yield from self._announce(event)
        elif isinstance(event, ImageSaved):
            self._queue(event)
        yield from self._new_events()
        if isinstance(event, JobFinished):
            yield from self._finish()

    @property
    def given_up(self) -> int:
        """Return the number of explanations that are missing because the job was stopped."""
        stopped = self._control.decision is Decision.STOP_NOW
        return self._overlays.waiting + self._analyses.waiting if stopped else 0

    def close(self) -> None:
        """Stop the processes; discard a running explanation if the job was interrupted."""
        if self._overlays.alive or self._analyses.alive:
            self._control.stop_now()
        for lane in (self._overlays, self._analyses):
            lane.end()

    def _announce(self, started: JobStarted) -> Iterator[Event]:
        """Name the classes without an explained image, which would otherwise look like a failure."""
        for kind in (OVERLAY, ANALYSIS):
            if every := self._every.of(kind):
                without = without_explanation(started.first_numbers, self._job.counts, every)
                yield from (Notice(none_explained(name, number, _DONE[kind])) for name, number in without.items())

    def _queue(self, saved: ImageSaved) -> None:
        """The overlay of an image comes before its analysis: both write into one folder."""
        if self._wants(OVERLAY, saved.path):
            self._overlays.put(saved.path)
        elif self._wants(ANALYSIS, saved.path):
            self._analyses.put(saved.path)

    def _after_overlay(self, image: Path) -> None:
        if self._wants(ANALYSIS, image):
            self._analyses.put(image)

    def _wants(self, kind: str, image: Path) -> bool:
        every, number = self._every.of(kind), int(image.stem.rpartition("_")[2])
        return every is not None and wants_explanation(number, self._job.counts[image.parent.name], every)

    def _finish(self) -> Iterator[Event]:
        waiting = self._overlays.waiting + self._analyses.waiting
        if waiting and self._control.decision is Decision.GO_ON:
            yield Notice(f"All images are generated; explanations left: {waiting}.")
        for lane in (self._overlays, self._analyses):  # the first may still hand images to the second
            lane.close()
            while lane.alive:
                lane.wait(_POLL_S)
                yield from self._new_events()
        yield from self._new_events()
        if error := self._overlays.error or self._analyses.error:  # a dead thread must not look like one that is done
            raise JobFailedError(
                f"The explanations failed ({type(error).__name__}: {error}); the images are saved."
            ) from error
        if self.given_up:
            yield Notice(f"Stopped; explanations that are missing: {self.given_up}.")

    def _new_events(self) -> Iterator[Event]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._events.get_nowait()


class _Lane:
    """A thread that explains its images one after the other."""

    def __init__(
        self,
        kind: str,
        places: tuple[Path, Path],
        control: Control,
        report: Callable[[Event], None],
        done: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._kind, self._places, self._control = kind, places, control
        self._report, self._done = report, done
        self._images: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._refused = False
        self._queued = self._ended = 0  # each is written by one thread alone
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=_NAMES[kind])
        self._worker = self._pool.submit(self._work)

    @property
    def alive(self) -> bool:
        return not self._worker.done()

    @property
    def error(self) -> BaseException | None:
        """Return the unexpected error that ended the thread, if there is one."""
        return self._worker.exception() if self._worker.done() else None

    @property
    def waiting(self) -> int:
        """Images that are queued or being explained."""
        return self._queued - self._ended

    def put(self, image: Path) -> None:
        self._queued += 1
        self._images.put(image)

    def close(self) -> None:
        """No more images will come."""
        self._images.put(None)

    def wait(self, seconds: float) -> None:
        wait([self._worker], seconds)

    def end(self) -> None:
        self.close()
        self._pool.shutdown()

    def _work(self) -> None:
        while (image := self._images.get()) is not None and self._control.decision is not Decision.STOP_NOW:
            if not (self._refused or self._try(image)):
                return
            self._ended += 1
            self._done(image)

    def _try(self, image: Path) -> bool:
        """Explain an image, or warn; false if the stop of the job has ended it."""
        try:
            return self._explain(image)
        except ArgumentError as error:
            self._refused = True
            self._report(Warned(f"{_NAMES[self._kind]} are off for this job: {error}"))
        except IsicGuiError as error:
            self._report(Warned(f"{image.parent.name}/{image.name} is not {_DONE[self._kind]}: {error}"))
        return True

    def _explain(self, image: Path) -> bool:
        finished = False
        place = (image.resolve(), *self._places)
        job = ExplanationJob(OVERLAY, *place) if self._kind == OVERLAY else background_analysis(*place)
        environment = headless_environment({})
        for message in run_headless(
            headless_command("xai"), job.encoded(), environment=environment, control=self._control
        ):
            finished = finished or message["event"] == "finished"
            if (event := self._event_of(image, message)) is not None:
                self._report(event)
        return finished or self._control.decision is not Decision.STOP_NOW

    def _event_of(self, image: Path, message: Message) -> Event | None:
        """Return the event for a message; None if the message is not needed."""
        if message["event"] == "finished":
            likely = {name: float(value) for name, value in message["probabilities"].items()}
            kind = ImageExplained if self._kind == OVERLAY else ImageAnalysed
            return kind(image, Path(message["main"]), likely)
        if message["event"] == "warning":
            return Notice(str(message["text"]))
        if message["event"] == "progress" and self._kind == ANALYSIS:
            return AnalysisProgress(image, message["done"] / message["total"], str(message["doing"]))
        return None
