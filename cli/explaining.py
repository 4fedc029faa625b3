"""``main.py generate --explain-every N``: explain images during generation, one process at a time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.errors import ArgumentError, IsicGuiError
from core.generation.control import Control, Decision
from core.generation.events import Event, ImageExplained, ImageSaved, JobFinished, Notice, Warned
from core.generation.explanation_cadence import wants_explanation
from core.generation.job import GenerationJob
from core.process.runner import headless_command, headless_environment, run_headless
from xai.job import OVERLAY, ExplanationJob

_POLL_S: Final = 0.2


class BackgroundExplanations:
    """Queue every N-th image of a class for a headless process, and report the results among the events of the job.

    The process uses one core of the processor at low priority, so it does not slow down the generation.
    """

    def __init__(self, job: GenerationJob, every: int, output: Path, control: Control) -> None:
        self._job, self._every, self._output, self._control = job, every, output, control
        self._made: Counter[str] = Counter()
        self._images: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._waiting = 0
        self._worker = threading.Thread(target=self._work, name="explanations")
        self._worker.start()

    def follow(self, event: Event) -> Iterator[Event]:
        """Process an event of the job; yield the events of explanations since the last call."""
        if isinstance(event, ImageSaved):
            name = event.parameters.class_name
            self._made[name] += 1
            if wants_explanation(self._made[name], self._job.counts[name], self._every):
                self._waiting += 1
                self._images.put(event.path)
        yield from self._new_events()
        if isinstance(event, JobFinished):
            yield from self._finish()

    def close(self) -> None:
        """Stop the worker; discard a running explanation if the job was interrupted."""
        if self._worker.is_alive():
            self._control.stop_now()
            self._images.put(None)
            self._worker.join()

    def _finish(self) -> Iterator[Event]:
        if self._waiting and self._worker.is_alive() and self._control.decision is Decision.GO_ON:
            yield Notice(f"All images are generated; remaining explanations: {self._waiting}.")
        self._images.put(None)
        while self._worker.is_alive():
            self._worker.join(_POLL_S)
            yield from self._new_events()
        yield from self._new_events()

    def _new_events(self) -> Iterator[Event]:
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                self._waiting -= not isinstance(event, Notice)
                yield event

    def _work(self) -> None:
        """Explain one image after the other on the worker thread, until none is left or the classifier is unusable."""
        while (image := self._images.get()) is not None and self._control.decision is not Decision.STOP_NOW:
            try:
                self._explain(image)
            except ArgumentError as error:
                self._events.put(Warned(f"Overlays are off for this job: {error}"))
                return
            except IsicGuiError as error:
                self._events.put(Warned(f"{image.parent.name}/{image.name} was not explained: {error}"))

    def _explain(self, image: Path) -> None:
        job = ExplanationJob(OVERLAY, image.resolve(), self._job.checkpoints.resolve(), self._output.resolve())
        messages = run_headless(
            headless_command("xai"), job.encoded(), environment=headless_environment({}), control=self._control
        )
        for message in messages:
            if message["event"] == "finished":
                likely = {name: float(value) for name, value in message["probabilities"].items()}
                self._events.put(ImageExplained(image, Path(message["main"]), likely))
            elif message["event"] == "warning":
                self._events.put(Notice(str(message["text"])))
