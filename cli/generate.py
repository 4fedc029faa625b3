"""``main.py generate``: show the events of a job as a progress bar or as JSON lines."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict, fields
from typing import Any, Final

from tqdm import tqdm

from cli.explaining import BackgroundExplanations, Intervals
from core.errors import ArgumentError
from core.generation.control import Control, obey_signals
from core.generation.events import (
    AnalysisProgress,
    ClassStarted,
    DenoisingStep,
    Event,
    ImageAnalysed,
    ImageExplained,
    ImageFailed,
    ImageSaved,
    JobFinished,
    JobStarted,
    Notice,
    Warned,
)
from core.generation.job import GenerationJob, parse_counts
from core.generation.wording import counted_images, reuse_in_words
from core.io.plain_text import printable
from core.models.conditions import parse_condition
from core.paths import XAI_RESULTS
from core.presets import AUTO, preset_named
from core.process.exit_codes import INTERRUPTED, code_of_job

CONDITION_OPTIONS: Final = ("melanocytic", "sex", "age", "site", "tone")
GUIDANCE: Final = 2.0
"""Default guidance scale of a job with a condition."""


def generate(options: argparse.Namespace) -> int:
    """Run the job described by the options; return the exit code."""
    job, cadence = job_from(options), _cadence(options)
    if hasattr(options, "save_job"):
        job.save(options.save_job)
    control = Control()
    with obey_signals(control), contextlib.ExitStack() as opened:
        from core.generation.runner import run  # loads torch

        events = opened.enter_context(contextlib.closing(run(job, control)))
        view = opened.enter_context(contextlib.closing(_view(options, job)))
        explanations = None
        if cadence or job.analyse_every:
            every, output = Intervals(cadence, job.analyse_every), getattr(options, "explanations", XAI_RESULTS)
            explanations = opened.enter_context(contextlib.closing(BackgroundExplanations(job, every, output, control)))
        for event in events:
            view.show(event)
            for explained in explanations.follow(event) if explanations else ():
                view.show(explained)
    return INTERRUPTED if explanations and explanations.given_up else code_of_job(event)


def _view(options: argparse.Namespace, job: GenerationJob) -> JsonLines | ProgressBar:
    return JsonLines() if getattr(options, "json", False) else ProgressBar(job)


def _cadence(options: argparse.Namespace) -> int | None:
    """The interval of the explained numbers of a class; None for no overlays.

    Raises:
        ArgumentError: N is not a positive number.
    """
    if "explain_every" not in options:
        return None
    if options.explain_every < 1:
        raise ArgumentError(f"--explain-every {options.explain_every} is not a positive number; try 10.")
    return int(options.explain_every)


def job_from(options: argparse.Namespace) -> GenerationJob:
    """Return the job of ``--job`` or the default job, changed by the preset and then by the other options.

    Raises:
        ArgumentError: ``--job`` and ``--classes`` are missing, the preset is unknown, or a value is out of range.
    """
    given: dict[str, Any] = vars(options)
    values = {field.name: given[field.name] for field in fields(GenerationJob) if field.name in given}
    if "preset" in given:
        values = asdict(preset_named(given["preset"])) | values
    base = GenerationJob.load(given["job"]) if "job" in given else None
    words = {name: given[name] for name in CONDITION_OPTIONS if name in given}
    if words:
        # Colour statistics are of classes; they would draw every skin tone and site to one mean.
        values |= {"condition": parse_condition(**words), "color_adjustment": False}
        values.setdefault("guidance", GUIDANCE)
    if "classes" in given:
        values["counts"] = parse_counts(given["classes"], values.get("condition", base.condition if base else None))
    if "batch_size" in given:
        values["batch_size"] = _batch_size(given["batch_size"])
    if base:
        return GenerationJob(**{**{field.name: getattr(base, field.name) for field in fields(base)}, **values})
    if "counts" not in values:
        raise ArgumentError(
            "Name the classes to generate: --classes MEL=4,NV=2 or --classes ALL=3, or --job FILE.json."
        )
    return GenerationJob(**values)


def _batch_size(text: str) -> int | None:
    if text == AUTO:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentError(f"The batch size {text!r} is neither auto nor a positive integer.")
    return int(text)


class JsonLines:
    """Print every event as one line of JSON on stdout."""

    def show(self, event: Event) -> None:
        """Print one event."""
        print(json.dumps(event.to_json()), flush=True)

    def close(self) -> None:
        """Do nothing: no resource is open."""


class ProgressBar:
    """Show a progress bar over all denoising steps on stderr, messages above it, and a summary on stdout."""

    def __init__(self, job: GenerationJob) -> None:
        self._job = job
        self._per_class = dict.fromkeys(job.counts, 0)
        self._done = 0
        self._class_name = ""
        self._analysis: tqdm | None = None
        self._total = job.total * job.steps
        self._bar = tqdm(
            total=self._total,
            unit="step",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left{postfix}",
            desc=f"0/{job.total} images",
            dynamic_ncols=True,
        )

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, DenoisingStep):
            # Compute the position from finished images, so that a repeated batch does not count twice.
            position = self._done * self._job.steps + len(event.numbers) * event.step
            self._bar.update(max(0, min(position, self._total) - self._bar.n))
        elif isinstance(event, (ImageSaved, ImageFailed)):
            self._count(event)
        elif isinstance(event, (Notice, Warned)):
            self._say(event.text)
        elif isinstance(event, ImageExplained):
            likely = max(event.probabilities, key=event.probabilities.__getitem__)
            self._say(f"{event.path.parent.name}/{event.path.name}: predicted {likely}; overlay: {event.overlay}")
        elif isinstance(event, AnalysisProgress):
            self._show_analysis(event)
        elif isinstance(event, ImageAnalysed):
            self._say(f"{event.path.parent.name}/{event.path.name} is analysed: {event.report}")
        elif isinstance(event, JobStarted):
            self._say(
                f"Generating {counted_images(event.total)} on {event.device} in {event.precision}, "
                f"{event.steps} steps of {event.sampler}{reuse_in_words(event.reuse)}, base seed {event.base_seed}."
            )
        elif isinstance(event, ClassStarted):
            self._class_name = event.class_name
            self._bar.set_postfix_str(event.class_name)
        elif isinstance(event, JobFinished):
            self._summarise(event)

    def close(self) -> None:
        """Release the terminal line."""
        self._bar.close()
        if self._analysis is not None:
            self._analysis.close()

    def _show_analysis(self, event: AnalysisProgress) -> None:
        """Show the analysis in the bar of the images, or in a separate bar when the images are complete."""
        text = f"analysing {event.path.parent.name}/{event.path.name}: {event.doing}"
        if not self._bar.disable:  # a closed bar is disabled
            self._bar.set_postfix_str(f"{self._class_name}, {text} {event.fraction:.0%}")
            return
        if self._analysis is None:
            form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}"
            self._analysis = tqdm(total=1.0, bar_format=form, dynamic_ncols=True)
        self._analysis.n = event.fraction
        self._analysis.set_description_str(text[0].upper() + text[1:])

    def _count(self, event: ImageSaved | ImageFailed) -> None:
        self._done = event.done
        self._bar.set_description_str(f"{event.done}/{event.total} images")
        if isinstance(event, ImageSaved):
            self._per_class[event.parameters.class_name] += 1
        else:
            self._say(f"Image {event.isic_number} of {event.class_name} failed: {event.reason}.")

    def _say(self, text: str) -> None:
        tqdm.write(printable(text), file=self._bar.fp)

    def _summarise(self, event: JobFinished) -> None:
        self._bar.close()
        made = ", ".join(f"{name} {count}" for name, count in self._per_class.items() if count)
        output = printable(str(self._job.output))
        print(f"{counted_images(event.saved)} in {output} ({made or 'none'}) in {event.seconds:.1f} s.")
        if event.failed:
            print(f"{event.failed} images failed and were not saved.")
        if event.stopped:
            print(f"Stopped: {self._job.total - event.saved - event.failed} images were not generated.")
