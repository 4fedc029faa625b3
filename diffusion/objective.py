"""What the network is trained on: the noised image, the target, and the weight of the timestep."""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler, UNet2DModel

MIN_SNR_GAMMA = 5.0


def denoising_loss(
    model: UNet2DModel,
    scheduler: DDPMScheduler,
    images: torch.Tensor,
    labels: torch.Tensor,
    timesteps: torch.Tensor,
    noise: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of the prediction, weighted by min-SNR (Hang et al. 2023, arXiv 2303.09556).

    Args:
        images: (B, 3, S, S) in [-1, 1].
        labels: (B,) class indices, ``UNCONDITIONAL`` among them.
        timesteps: (B,) in [0, 1000).
        noise: (B, 3, S, S), standard normal.

    Returns:
        A scalar. The scheduler's ``prediction_type`` decides between epsilon and v-prediction.
    """
    noisy = scheduler.add_noise(images, noise, timesteps)
    predicted = model(noisy, timesteps, class_labels=labels, return_dict=False)[0].float()
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(images, noise, timesteps)
    else:
        target = noise
    error = (predicted - target).square().mean(dim=(1, 2, 3))
    return (error * min_snr_weights(scheduler, timesteps)).mean()


def min_snr_weights(scheduler: DDPMScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Weight per image: ``min(SNR, 5)`` in units of the x0 error, restated for what is predicted.

    The x0 error is the epsilon error divided by SNR, and the v error divided by SNR + 1.
    """
    signal = scheduler.alphas_cumprod[timesteps]
    snr = signal / (1 - signal)
    divisor = snr + 1 if scheduler.config.prediction_type == "v_prediction" else snr
    return snr.clamp(max=MIN_SNR_GAMMA) / divisor
