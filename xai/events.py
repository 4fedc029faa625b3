"""What an explanation under way tells: small typed events, as in ``core.generation.events``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` of the whole; ``doing`` in words."""

    done: float
    total: float
    doing: str


@dataclass(frozen=True)
class OverlayMade:
    """The map over the image is in place, aligned with the image."""

    path: Path


@dataclass(frozen=True)
class Warned:
    """Something is otherwise than hoped for; it goes on."""

    text: str


@dataclass(frozen=True)
class Finished:
    """Everything is in place; ``main`` is the file to look at first, ``facts`` what its JSON file holds."""

    folder: Path
    main: Path
    facts: dict[str, Any] = field(repr=False)


ExplanationEvent = Progress | OverlayMade | Warned | Finished
