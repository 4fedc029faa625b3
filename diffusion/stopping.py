"""When a run has learnt what it can."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.generation.control import Control, Decision


@dataclass
class EarlyStopping:
    """Counts validations without progress.

    Attributes:
        patience: as many of them end the run; None for never.
        min_delta: the fall of the loss below the best so far that counts as progress.
        best: the lowest loss that counted as progress.
        best_step: the step after which it was measured.
        waited: validations since then.
    """

    patience: int | None
    min_delta: float
    best: float = math.inf
    best_step: int = 0
    waited: int = 0

    def see(self, loss: float, step: int) -> bool:
        """Take note of a validation; returns whether it is the best so far."""
        if loss < self.best - self.min_delta:
            self.best, self.best_step, self.waited = loss, step, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether the run is to end."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a training state stores."""
        return {key: value for key, value in asdict(self).items() if key in {"best", "best_step", "waited"}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what was stored; patience and delta stay those of the present run."""
        self.best, self.best_step, self.waited = float(state["best"]), int(state["best_step"]), int(state["waited"])


def is_told_to_stop(control: Control) -> bool:
    """Whether a run must save its state and end."""
    return control.decision in (Decision.STOP_AFTER_IMAGE, Decision.STOP_NOW)
