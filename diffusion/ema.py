"""Exponential moving average of a model's weights, with a warm-up so that short runs are not mostly noise."""

from __future__ import annotations

import torch
from torch import nn


class ExponentialMovingAverage:
    """Shadow weights in fp32: ``shadow = decay * shadow + (1 - decay) * weights``.

    The decay rises as ``(1 + n) / (10 + n)`` up to ``decay``, so the average forgets the random
    initialisation quickly (a constant 0.999 would still carry a third of it after 1,000 steps).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.shadow = {name: value.detach().float().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take one step towards the model's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights = model.state_dict()
        shadow = list(self.shadow.values())
        torch._foreach_lerp_(shadow, [weights[name].float() for name in self.shadow], 1 - decay)

    def state_dict(self) -> dict[str, object]:
        """What a training state stores."""
        return {"updates": self.updates, "shadow": self.shadow}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over a stored average."""
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        for name, value in state["shadow"].items():  # type: ignore[attr-defined]
            self.shadow[name].copy_(value)
