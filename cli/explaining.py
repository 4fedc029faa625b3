"""``main.py generate --explain-every N``: explains images while others are made, one process at a time."""

from __future__ import annotations

import contextlib
import queue
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from core.errors import ArgumentError, IsicGuiError, JobFailedError
from core.generation.control import Control, Decision
from core.generation.events import Event, ImageExplained, ImageSaved, JobFinished, Notice, Warned
from core.generation.explanation_cadence import wants_explanation
from core.generation.job import GenerationJob
from core.process.runner import headless_command, headless_environment, run_headless
from xai.job import OVERLAY, ExplanationJob

_POLL_S: Final = 0.2


class BackgroundExplanations:
    """Queues every N-th image of a class for a headless process; what comes of it is told between the job's events.

    The process keeps to one core of the processor and to the background, so the images do not wait for it.
    """

    def __init__(self, job: GenerationJob, every: int, output: Path, control: Control) -> None:
        self._job, self._every, self._output, self._control = job, every, output, control
        self._made: Counter[str] = Counter()
        self._images: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._waiting = 0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explanations")
        self._worker = self._pool.submit(self._work)

    def follow(self, event: Event) -> Iterator[Event]:
        """Take note of an event of the job; yields what there is to tell of explanations since the last one."""
        if isinstance(event, ImageSaved):
            name = event.parameters.class_name
            self._made[name] += 1
            if wants_explanation(self._made[name], self._job.counts[name], self._every):
                self._waiting += 1
                self._images.put(event.path)
        yield from self._news()
        if isinstance(event, JobFinished):
            yield from self._finish()

    def close(self) -> None:
        """Leave nothing running; what is being explained is given up where the job was broken off."""
        if not self._worker.done():
            self._control.stop_now()
            self._images.put(None)
        self._pool.shutdown()

    def _finish(self) -> Iterator[Event]:
        if self._waiting and not self._worker.done() and self._control.decision is Decision.GO_ON:
            yield Notice(f"The images are made; explanations still to come: {self._waiting}.")
        self._images.put(None)
        while not self._worker.done():
            wait([self._worker], _POLL_S)
            yield from self._news()
        yield from self._news()
        if error := self._worker.exception():  # a thread that dies must not look like one that has finished
            raise JobFailedError(
                f"The explanations broke off ({type(error).__name__}: {error}); the images are in place."
            ) from error

    def _news(self) -> Iterator[Event]:
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._told.get_nowait()
                self._waiting -= not isinstance(event, Notice)
                yield event

    def _work(self) -> None:
        """In its own thread: one image after the other, until there are no more or the classifier cannot be used."""
        while (image := self._images.get()) is not None and self._control.decision is not Decision.STOP_NOW:
            try:
                self._explain(image)
            except ArgumentError as error:
                self._told.put(Warned(f"Overlays are off for this job: {error}"))
                return
            except IsicGuiError as error:
                self._told.put(Warned(f"{image.parent.name}/{image.name} is not explained: {error}"))

    def _explain(self, image: Path) -> None:
        job = ExplanationJob(OVERLAY, image.resolve(), self._job.checkpoints.resolve(), self._output.resolve())
        messages = run_headless(
            headless_command("xai"), job.encoded(), environment=headless_environment({}), control=self._control
        )
        for message in messages:
            if message["event"] == "finished":
                likely = {name: float(value) for name, value in message["probabilities"].items()}
                self._told.put(ImageExplained(image, Path(message["main"]), likely))
            elif message["event"] == "warning":
                self._told.put(Notice(str(message["text"])))
