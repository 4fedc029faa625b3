"""Baselines: images that represent "no information" for an attribution method.

Baselines are defined as images, so that a reader can view them. Black is not neutral for a network that has only seen
skin, and the choice of the baseline changes the map (Sturmfels, Lundberg, Lee: Visualizing the Impact of Feature
Attribution Baselines, Distill 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch.nn.functional import conv2d, pad

_LUMINANCE: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601


def blurred(image: torch.Tensor) -> torch.Tensor:
    """Blur the image with a Gaussian whose standard deviation is an eighth of the side."""
    return gaussian_blur(image, image.shape[-1] / 8)


def black(image: torch.Tensor) -> torch.Tensor:
    """Return a black image."""
    return torch.zeros_like(image)


def mean_skin(image: torch.Tensor) -> torch.Tensor:
    """Return a uniform image with the median colour of the lighter half, the skin around a pigmented lesion."""
    pixels = image.flatten(2)[0]  # (3, H * W)
    luminance = (pixels * pixels.new_tensor(_LUMINANCE).unsqueeze(1)).sum(dim=0)
    lighter = pixels[:, luminance >= luminance.median()]
    return lighter.median(dim=1).values.view(1, 3, 1, 1).expand_as(image).contiguous()


BASELINES: Final[Mapping[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "blurred": blurred,
    "black": black,
    "mean_skin": mean_skin,
}
"""Name to function. Each function maps an image (1, 3, H, W) in [0, 1] to a baseline of the same shape."""


def gaussian_blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur (B, C, H, W) with a Gaussian of ``sigma`` pixels and mirrored borders."""
    radius = min(round(3 * sigma), image.shape[-1] - 1, image.shape[-2] - 1)
    offsets = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = image.shape[1]
    rows = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = pad(image, (radius, radius, radius, radius), mode="reflect")
    return conv2d(conv2d(padded, rows, groups=channels), rows.transpose(2, 3), groups=channels)
