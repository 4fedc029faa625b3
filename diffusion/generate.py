"""``python -m diffusion generate``: images of a metadata-conditioned model, by the one path that all images take."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import Any

from tqdm import tqdm

from core.generation.control import Control, obey_signals
from core.generation.events import DenoisingStep, Event, ImageFailed, ImageSaved, JobFinished, Warned
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.models.conditions import Condition, parse_condition
from core.paths import CHECKPOINTS, OUTPUT
from core.presets import preset_named
from core.process.exit_codes import code_of_job


def generate(options: argparse.Namespace) -> int:
    """Make the images that the options ask for; returns the exit code.

    Raises:
        ArgumentError: a value out of range, or an output folder that cannot be used; nothing was written.
        CheckpointError: there is no metadata-conditioned model, or it cannot be used.
        JobFailedError: the disk is full or memory does not suffice; what was made is kept.
    """
    job = job_from(options)
    control = Control()
    view = _JsonLines() if options.json else _Bar(job)
    last: Event | None = None
    with obey_signals(control), contextlib.closing(run(job, control)) as events, contextlib.closing(view):
        for last in events:
            view.show(last)
    return code_of_job(last)


def job_from(options: argparse.Namespace) -> GenerationJob:
    """The job of the options; colours are left as the model gives them, which knows no class to draw them towards."""
    condition = parse_condition(options.melanocytic, options.sex, options.age, options.site)
    how = asdict(preset_named(options.preset))
    return GenerationJob(
        counts={condition.label: options.count},
        checkpoints=options.checkpoints or CHECKPOINTS,
        output=options.output or OUTPUT,
        **{name: value if getattr(options, name) is None else getattr(options, name) for name, value in how.items()},
        base_seed=options.seed,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
        color_adjustment=False,
        condition=condition,
        guidance=options.guidance,
    )


class _JsonLines:
    """Every event as one line of JSON on stdout."""

    def show(self, event: Event) -> None:
        print(json.dumps(event.to_json()), flush=True)  # noqa: T201

    def close(self) -> None:
        """Nothing is kept open."""


class _Bar:
    """A bar over all denoising steps on stderr, the summary on stdout."""

    def __init__(self, job: GenerationJob) -> None:
        self._job, self._done, self._total = job, 0, job.total * job.steps
        self._words = in_words(job.condition or Condition())

    @cached_property
    def _bar(self) -> tqdm[Any]:
        """Drawn with the first event: what is refused shows no bar."""
        return tqdm(total=self._total, unit="step", desc=self._words, dynamic_ncols=True)

    def show(self, event: Event) -> None:
        if isinstance(event, DenoisingStep):
            # From what is done, so that a batch that has to be repeated does not count twice.
            position = self._done * self._job.steps + len(event.numbers) * event.step
            self._bar.update(max(0, min(position, self._total) - self._bar.n))
        elif isinstance(event, (ImageSaved, ImageFailed)):
            self._done = event.done
        elif isinstance(event, Warned):
            self._bar.write(event.text, file=self._bar.fp)
        elif isinstance(event, JobFinished):
            self._bar.close()
            failed = f", {event.failed} failed" if event.failed else ""
            print(f"{event.saved} images in {self._job.output}{failed}, in {event.seconds:.1f} s.")  # noqa: T201

    def close(self) -> None:
        """Release the terminal line."""
        if "_bar" in vars(self):
            self._bar.close()


def in_words(condition: Condition) -> str:
    """What is known, in a few words."""
    known = {name: value for name, value in condition.to_row().items() if value != "unknown" and name != "age_group"}
    return ", ".join(f"{name} {value}" for name, value in known.items()) or "nothing known"
