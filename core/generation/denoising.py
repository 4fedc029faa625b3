"""From seeds to pixels: the one loop over denoising steps, used to generate and to reproduce."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.generation.deep_cache import reusing
from core.generation.samplers import Sampler
from core.presets import NO_REUSE

if TYPE_CHECKING:
    from diffusers import UNet2DModel

_CONSTANT = 1.0  # a standard deviation below one grey level of 255 shows nothing


@dataclass(frozen=True)
class Step:
    """One denoising step of a batch.

    Attributes:
        index: 1 to ``steps``.
        timestep: of the training schedule, 0 to 999.
        estimate: the x0 estimate, (B, 3, S, S) float32 in [-1, 1], on the device.
        images: what the step leads to, (B, 3, S, S) float32; after the last step, the images themselves.
    """

    index: int
    timestep: int
    estimate: torch.Tensor
    images: torch.Tensor


@torch.inference_mode()
def denoise(
    model: UNet2DModel, sampler: Sampler, seeds: Sequence[int], device: torch.device, reuse: int = NO_REUSE
) -> Iterator[Step]:
    """Denoise one batch, a step at a time.

    One generator per image, on the device, draws its initial noise and then the noise of every step. The
    network runs in the model's own precision, the sampler's arithmetic in fp32.

    Args:
        model: evaluated in channels-last layout.
        sampler: a fresh one.
        seeds: one per image.
        device: where the model is.
        reuse: every how many steps deep features are computed anew (``core.generation.deep_cache``).
    """
    evaluated = reusing(model, reuse)
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    size = int(model.config["sample_size"])
    shape = (1, 3, size, size)
    images = torch.cat([torch.randn(shape, generator=generator, device=device) for generator in generators])
    for index, timestep in enumerate(sampler.timesteps, start=1):
        noisy = images.to(model.dtype, memory_format=torch.channels_last)
        prediction = evaluated(noisy, timestep, return_dict=False)[0].float()
        images, estimate = sampler.step(prediction, timestep, images, generators)
        yield Step(index, timestep, estimate, images)


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """Convert images to pixels: (B, 3, S, S) in [-1, 1] to uint8 (B, S, S, 3); NaN becomes 0."""
    scaled = images.float().nan_to_num(nan=-1.0).add(1.0).mul(127.5).round().clamp(0, 255)
    pixels: np.ndarray = scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels


def usable(images: torch.Tensor) -> list[bool]:
    """Whether each image of (B, 3, S, S) shows anything: every value finite, and not all of them alike."""
    finite = torch.isfinite(images).flatten(1).all(dim=1)
    varied = images.float().mul(127.5).flatten(1).std(dim=1) >= _CONSTANT
    return [bool(value) for value in finite & varied]
