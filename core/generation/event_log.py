"""Events of a job in the log."""

from __future__ import annotations

import logging
from typing import Final

from core.generation.events import Event

_WARNINGS: Final = frozenset({"warned", "image_failed"})
_STEPS: Final = frozenset({"denoising_step", "image_saved", "image_explained", "progress", "waiting"})
_log = logging.getLogger(__name__)


def log_event(event: Event) -> None:
    """Log an event: failures as warnings, single steps for ``--verbose`` only."""
    values = event.to_json()
    name = values.pop("event")
    level = logging.WARNING if name in _WARNINGS else logging.DEBUG if name in _STEPS else logging.INFO
    _log.log(level, "%s: %s", name, ", ".join(f"{key}={value}" for key, value in values.items()))
