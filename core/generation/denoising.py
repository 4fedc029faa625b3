"""From seeds to pixels: the one loop over denoising steps, used to generate and to reproduce."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.generation.deep_cache import reusing
from core.generation.samplers import Sampler
from core.presets import NO_REUSE

if TYPE_CHECKING:
    from diffusers import UNet2DModel

    from core.models.autoencoders import LatentDecoder

_CONSTANT = 1.0  # a standard deviation below one grey level of 255 shows nothing


@dataclass(frozen=True, eq=False)
class Step:
    """One denoising step of a batch. Latents are decoded when an attribute is first read, which costs time.

    Attributes:
        index: 1 to ``steps``.
        timestep: of the training schedule, 0 to 999.
        x0: the x0 estimate of the network's own space, (B, C, s, s) float32, on the device.
        state: the result of the step in that space; after the last step, images or their latents.
        decoder: decodes both for a latent model; None for a model of RGB images.
    """

    index: int
    timestep: int
    x0: torch.Tensor = field(repr=False)
    state: torch.Tensor = field(repr=False)
    decoder: LatentDecoder | None = field(default=None, repr=False)

    @cached_property
    def estimate(self) -> torch.Tensor:
        """The x0 estimate as images, (B, 3, S, S) float32 in [-1, 1]."""
        return self.decoder.decode(self.x0)[0] if self.decoder else self.x0

    @cached_property
    def images(self) -> torch.Tensor:
        """What the step leads to, as images (B, 3, S, S) float32."""
        return self._decoded[0]

    @cached_property
    def masks(self) -> torch.Tensor | None:
        """The lesion mask of each image, (B, S, S) bool; None for a model without masks."""
        return self._decoded[1]

    @cached_property
    def _decoded(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.decoder.decode(self.state) if self.decoder else (self.state, None)


@torch.inference_mode()
def denoise(
    model: UNet2DModel,
    sampler: Sampler,
    seeds: Sequence[int],
    device: torch.device,
    reuse: int = NO_REUSE,
    decoder: LatentDecoder | None = None,
    together: bool = False,
) -> Iterator[Step]:
    """Denoise one batch, a step at a time.

    One generator per image, on the device, draws its initial noise and then the noise of every step. The
    network runs in the model's own precision, the sampler's arithmetic in fp32. In fp32 on a processor an image has
    the same bytes in every batch.

    Args:
        model: evaluated in channels-last layout.
        sampler: a fresh one.
        seeds: one per image.
        device: where the model is.
        reuse: the number of steps between computations of the deep features (``core.generation.deep_cache``).
        decoder: of a latent model.
        together: evaluate the whole batch at once in fp32 on a processor, too; its images then depend on the batch.
    """
    # In fp32 on a processor the order of sums depends on the size of the batch. One image at a time gives the same
    # bytes for every batch.
    apart = device.type == "cpu" and model.dtype == torch.float32 and not together
    evaluated = [reusing(model, reuse) for _ in (seeds if apart else seeds[:1])]
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    size = int(model.config["sample_size"])
    shape = (1, int(model.config.get("in_channels", 3)), size, size)
    state = torch.cat([torch.randn(shape, generator=generator, device=device) for generator in generators])
    for index, timestep in enumerate(sampler.timesteps, start=1):
        noisy = state.to(model.dtype, memory_format=torch.channels_last)
        parts = zip(evaluated, noisy.split(1) if apart else [noisy], strict=True)
        prediction = torch.cat([network(part, timestep, return_dict=False)[0] for network, part in parts]).float()
        state, estimate = sampler.step(prediction, timestep, state, generators)
        yield Step(index, timestep, estimate, state, decoder)


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
