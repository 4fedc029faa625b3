"""Interventions: ways to change regions of an image, to measure their effect on a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch

from xai.baselines import gaussian_blur, mean_skin

_BLUR_PX: Final = 16.0

Intervention = Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]
"""``intervention(image (1, 3, S, S) in [0, 1], grid, generator)`` returns the source image of changed regions."""


def noise(image: torch.Tensor, _: int, generator: torch.Generator) -> torch.Tensor:
    """Return Gaussian noise with the mean and the standard deviation of each channel of the image."""
    mean, deviation = image.mean(dim=(2, 3), keepdim=True), image.std(dim=(2, 3), keepdim=True)
    return (mean + deviation * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def blur(image: torch.Tensor, _: int, __: torch.Generator) -> torch.Tensor:
    """Return the blurred image."""
    return gaussian_blur(image, _BLUR_PX)


def shuffle(image: torch.Tensor, grid: int, generator: torch.Generator) -> torch.Tensor:
    """Shuffle the pixels within every region."""
    side = image.shape[-1] // grid
    tiles = image.unfold(2, side, side).unfold(3, side, side).reshape(3, grid * grid, side * side)
    orders = torch.rand(grid * grid, side * side, generator=generator).argsort(dim=1)
    shuffled = tiles.gather(2, orders.expand(3, -1, -1)).view(3, grid, grid, side, side)
    return shuffled.permute(0, 1, 3, 2, 4).reshape(image.shape)


def constant(image: torch.Tensor, _: int, __: torch.Generator) -> torch.Tensor:
    """Return a uniform image in the colour of the skin."""
    return mean_skin(image)


INTERVENTIONS: Final[Mapping[str, Intervention]] = {
    "noise": noise,
    "blur": blur,
    "shuffle": shuffle,
    "constant": constant,
}
DRAWN: Final = ("noise", "shuffle")
"""Interventions with random draws."""


def region_masks(grid: int, size: int) -> torch.Tensor:
    """Return one mask per region of a grid, row by row; bool (grid * grid, 1, size, size)."""
    side = size // grid
    numbers = torch.arange(grid * grid).view(grid, grid)
    pixels = numbers.repeat_interleave(side, 0).repeat_interleave(side, 1)
    return (pixels == torch.arange(grid * grid).view(-1, 1, 1)).unsqueeze(1)
