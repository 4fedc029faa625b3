"""Compute the progress of a job from its reports: position in all denoising steps, and remaining time. No widgets."""

from __future__ import annotations

from typing import Final

from core.generation.events import ClassStarted, ImageFailed, JobStarted, Paused, Resumed
from core.generation.job import GenerationJob
from gui.remaining_time import RemainingTime
from gui.tasks.generation import ImageReport, StepReport

STEP: Final = "step"
EXPLANATION: Final = "explanation"


class JobProgress:
    """The progress of one job. Its unit is one denoising step of one image, as on the command line."""

    def __init__(self, job: GenerationJob) -> None:
        self.job = job
        self.total = job.total * job.steps
        self.position = 0
        self.done = 0
        self.class_name = ""
        self.device = self.precision = ""
        self.remaining = RemainingTime()
        self.remaining.expect(STEP, self.total)
        self._measured_from: float | None = None
        self.explained = self.explanations_left = 0

    def note(self, report: object, at: float) -> None:
        """Update the progress with a report of a ``GenerationTask``."""
        if isinstance(report, StepReport):
            self._move(self.done * self.job.steps + len(report.numbers) * report.step, at)
        elif isinstance(report, (ImageReport, ImageFailed)):
            self.done = report.saved.done if isinstance(report, ImageReport) else report.done
            self._move(self.done * self.job.steps, None)
        elif isinstance(report, JobStarted):
            self.device, self.precision = report.device, report.precision
        elif isinstance(report, ClassStarted):
            self.class_name = report.class_name
            self._measured_from = at  # the model is loaded, so the speed can be measured from here
        elif isinstance(report, Paused):
            self._measured_from = None
        elif isinstance(report, Resumed):
            self._measured_from = at

    def _move(self, position: int, at: float | None) -> None:
        """Move to a position. Without a time, no speed is measured: saving counts into the time of the next step."""
        gained = min(position, self.total) - self.position
        if gained <= 0:
            return
        self.position += gained
        seconds = at - self._measured_from if at is not None and self._measured_from is not None else None
        self.remaining.advance(STEP, gained, seconds)
        if at is not None:
            self._measured_from = at

    def expect_explanations(self, left: int) -> None:
        """Set the number of remaining explanations of the job."""
        self.explanations_left = left
        self.remaining.leave(EXPLANATION, left)

    def explanation_ended(self, seconds: float | None) -> None:
        """Count one finished explanation; ``seconds`` is None if its duration is not typical."""
        self.explained += 1
        self.remaining.advance(EXPLANATION, 1, seconds)
        self.expect_explanations(max(0, self.explanations_left - 1))

    @property
    def fraction(self) -> float:
        """Return the finished share of the job, 0 to 1. An explanation counts as much as an image."""
        whole = self.total + self.job.steps * (self.explained + self.explanations_left)
        return (self.position + self.job.steps * self.explained) / whole

    @property
    def seconds_left(self) -> float | None:
        """Return the remaining seconds, explanations included; None while unknown."""
        return self.remaining.seconds_left()

    @property
    def seconds_a_step(self) -> float | None:
        """Return the measured seconds per image and step; None until enough steps have been measured."""
        return self.remaining.speed(STEP)
