"""Events of trainings, evaluations and downloads; the command line prints them as text or JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from core.generation.events import Event

Emit: TypeAlias = Callable[[Event], None]
"""Receives events; called in the thread that does the work."""


def discard(_: Event) -> None:
    """Ignore an event."""


@dataclass(frozen=True)
class Note(Event):
    """A sentence that the user must see."""

    text: str


@dataclass(frozen=True)
class Counted(Event):
    """``done`` of ``total`` items are finished."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Trained(Event):
    """The mean loss since the last such event, and the speed."""

    step: int
    steps: int
    size: int
    loss: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Validated(Event):
    """Scores of the averaged weights on the validation part."""

    step: int
    size: int
    auroc: float
    balanced_accuracy: float
    best: bool


@dataclass(frozen=True)
class Written(Event):
    """A result file is complete."""

    path: Path


def as_text(event: Event) -> str:
    """An event as one line of text."""
    match event:
        case Note(text):
            return text
        case Counted(what, done, total):
            return f"{what}: {done:,} of {total:,}"
        case Trained(step, steps, size, loss, rate, left):
            return f"step {step:,} of {steps:,} at {size} px: loss {loss:.4f}, {rate:.1f} images/s, {_span(left)} left"
        case Validated(step, _, auroc, balanced, best):
            mark = ", best so far" if best else ""
            return f"step {step:,}: validation AUROC {auroc:.4f}, balanced accuracy {balanced:.4f}{mark}"
        case Written(path):
            return f"written: {path}"
    return str(event)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
