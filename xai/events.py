"""Events of a running explanation, as immutable values like those of ``core.generation.events``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` units of the whole job; ``doing`` describes the current activity."""

    done: float
    total: float
    doing: str


@dataclass(frozen=True)
class OverlayMade:
    """The overlay was saved; it is aligned with the image."""

    path: Path


@dataclass(frozen=True)
class Warned:
    """A problem occurred; the explanation continues."""

    text: str


@dataclass(frozen=True)
class Finished:
    """All results were saved; ``main`` is the main result file, ``facts`` the content of the JSON file."""

    folder: Path
    main: Path
    facts: dict[str, Any] = field(repr=False)


ExplanationEvent = Progress | OverlayMade | Warned | Finished
