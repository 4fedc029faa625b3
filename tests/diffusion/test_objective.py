from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler

from core.models.architectures import UNCONDITIONAL
from diffusion.objective import denoising_loss, min_snr_weights
from tests.conftest import SCHEDULER

TIMESTEPS = torch.tensor([0, 100, 500, 900, 999])


def scheduler(prediction_type: str) -> DDPMScheduler:
    return DDPMScheduler(**{**SCHEDULER, "prediction_type": prediction_type})


class Answers(torch.nn.Module):
    """A model that gives one answer for classes and another for none."""

    def __init__(self, conditional: torch.Tensor, plain: torch.Tensor) -> None:
        super().__init__()
        self.conditional, self.plain = conditional, plain

    def forward(self, _noisy: Any, _timesteps: Any, class_labels: torch.Tensor, return_dict: bool) -> Any:
        assert not return_dict
        return (torch.where((class_labels == UNCONDITIONAL).view(-1, 1, 1, 1), self.plain, self.conditional),)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_weights_are_min_snr_in_units_of_the_x0_error(prediction_type: str) -> None:
    """An x0 error of one costs min(SNR, 5), and one more for v, so that pure noise counts too."""
    schedule = scheduler(prediction_type)
    signal = schedule.alphas_cumprod[TIMESTEPS]
    snr = signal / (1 - signal)
    per_x0 = {"epsilon": snr, "v_prediction": 1 / (1 - signal)}[prediction_type]  # squared error of the prediction
    expected = snr.clamp(max=5) + (prediction_type == "v_prediction")
    assert torch.allclose(min_snr_weights(schedule, TIMESTEPS) * per_x0, expected, rtol=1e-4)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_right_answer_costs_nothing(prediction_type: str) -> None:
    schedule = scheduler(prediction_type)
    images, noise = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    right = noise if prediction_type == "epsilon" else schedule.get_velocity(images, noise, TIMESTEPS)
    labels = torch.arange(5)
    assert denoising_loss(Answers(right, right), schedule, images, labels, TIMESTEPS, noise) == 0
    assert denoising_loss(Answers(right + 1, right), schedule, images, labels, TIMESTEPS, noise) > 0.01


def test_guidance_moves_the_target_away_from_no_class() -> None:
    """At the fixed point the conditional answer is the unconditional one plus the difference times 1 / (1 - w), at
    the timesteps that are guided; at the others it is what was learnt."""
    schedule, w = scheduler("epsilon"), 0.5
    images, noise = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    plain = noise - 0.3
    labels, timesteps = torch.arange(5), torch.tensor([149, 150, 400, 649, 650])
    acts = torch.tensor([False, True, True, True, False]).view(-1, 1, 1, 1)
    guided = plain + (noise - plain) / (1 - w * acts)
    assert denoising_loss(Answers(guided, plain), schedule, images, labels, timesteps, noise, w) < 1e-10
    assert denoising_loss(Answers(noise, plain), schedule, images, labels, timesteps, noise, w) > 1e-4
    nothing = torch.full((5,), UNCONDITIONAL)
    assert denoising_loss(Answers(guided, noise), schedule, images, nothing, timesteps, noise, w) == 0
