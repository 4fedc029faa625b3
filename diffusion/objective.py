"""What the network is trained on: the noised image, the target, and the weight of the timestep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from core.models.architectures import UNCONDITIONAL

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

MIN_SNR_GAMMA: Final = 5.0
GUIDED_LATENTS: Final = range(100, 800)
GUIDED: Final = range(150, 650)
"""Timesteps at which guidance acts (Kynkäänniemi et al. 2024, arXiv 2404.07724): earlier ones in sampling decide how
varied images are, and lose by it. Later ones are left out too, as there; it made images softer
(docs/measurements/demonstration_set.md)."""


def denoising_loss(
    model: UNet2DModel,
    scheduler: DDPMScheduler,
    images: torch.Tensor,
    labels: torch.Tensor | None,
    timesteps: torch.Tensor,
    noise: torch.Tensor,
    guidance: float = 0.0,
) -> torch.Tensor:
    """Mean squared error of the prediction, weighted by min-SNR (Hang et al. 2023, arXiv 2303.09556).

    With ``guidance`` w the target moves by w times the difference between the model's own conditional and
    unconditional predictions (model guidance, Tang et al. 2025, arXiv 2502.12154). The conditional model then
    converges to what classifier-free guidance of scale 1 / (1 - w) would give, at the cost of one evaluation
    a step instead of two, and a model folded for one class keeps it. It does so at the timesteps ``GUIDED`` alone.

    Args:
        images: (B, 3, S, S) in [-1, 1].
        labels: what the model takes for its class labels; None for a model without.
        timesteps: (B,) in [0, 1000).
        noise: (B, 3, S, S), standard normal.
        guidance: w, in [0, 1); for class indices, ``UNCONDITIONAL`` among them, or for the numbers of conditions.

    Returns:
        A scalar. The scheduler's ``prediction_type`` decides between epsilon and v-prediction.
    """
    noisy = scheduler.add_noise(images, noise, timesteps)
    if guidance and labels is not None:  # first, so that the evaluation that is trained is the model's last one
        nothing, known, acting = _without_condition(labels)
        with torch.no_grad():
            plain = model(noisy, timesteps, class_labels=nothing, return_dict=False)[0].float()
    predicted = model(noisy, timesteps, class_labels=labels, return_dict=False)[0].float()
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(images, noise, timesteps)
    else:
        target = noise
    if guidance and labels is not None:
        guided = known & (timesteps >= acting.start) & (timesteps < acting.stop)
        target = target + guidance * guided.view(-1, 1, 1, 1) * (predicted.detach() - plain)
    error = (predicted - target).square().mean(dim=(1, 2, 3))
    return (error * min_snr_weights(scheduler, timesteps)).mean()


def _without_condition(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, range]:
    """Labels of nothing known, which of ``labels`` know something, and the timesteps at which guidance acts."""
    if labels.is_floating_point():
        return torch.full_like(labels, torch.nan), ~labels.isnan().all(dim=1), GUIDED_LATENTS
    return torch.full_like(labels, UNCONDITIONAL), labels != UNCONDITIONAL, GUIDED


def min_snr_weights(scheduler: DDPMScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Weight per image: min-SNR in units of the x0 error, restated for what is predicted.

    The x0 error is the epsilon error divided by SNR, and the v error divided by SNR + 1. For epsilon the weight
    of the x0 error is ``min(SNR, 5)``; for v it is ``min(SNR, 5) + 1``, so that the noisiest timesteps keep the
    weight of one that the v objective gives them. They decide where the lesion lies, and without the one they count
    for next to nothing. (Reasoned, not measured: no two runs were compared.)
    """
    signal = scheduler.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = signal / (1 - signal)
    floor = 1.0 if scheduler.config.prediction_type == "v_prediction" else 0.0
    return (snr.clamp(max=MIN_SNR_GAMMA) + floor) / (snr + floor)
