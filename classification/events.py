"""What training, evaluation and downloads tell while they run; the command line prints it as text or JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from core.generation.events import Event

Tell: TypeAlias = Callable[[Event], None]
"""Whoever wants to know; called in the thread that does the work."""


def nobody(_: Event) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Note(Event):
    """One sentence that a user must see."""

    text: str


@dataclass(frozen=True)
class Counted(Event):
    """So many of so many are done."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Trained(Event):
    """The loss since the last such event, and how fast it goes."""

    step: int
    steps: int
    size: int
    loss: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Validated(Event):
    """The averaged weights on the validation part."""

    step: int
    size: int
    auroc: float
    balanced_accuracy: float
    best: bool


@dataclass(frozen=True)
class Written(Event):
    """A result is in its place."""

    path: Path


def as_text(event: Event) -> str:
    """An event as one line for people."""
    match event:
        case Note(text):
            return text
        case Counted(what, done, total):
            return f"{what}: {done:,} of {total:,}"
        case Trained(step, steps, size, loss, rate, left):
            return f"step {step:,} of {steps:,} at {size} px: loss {loss:.4f}, {rate:.1f} images/s, {_span(left)} left"
        case Validated(step, _, auroc, balanced, best):
            mark = ", the best so far" if best else ""
            return f"step {step:,}: validation AUROC {auroc:.4f}, balanced accuracy {balanced:.4f}{mark}"
        case Written(path):
            return f"written: {path}"
    return str(event)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
