"""What of a picture is compared pixel by pixel: the structures between the noise and the broad shade."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

from evaluation.features.image_loading import resized

LOW: Final = 0.35 / 48
HIGH: Final = 1.5 / 48
"""Deviations of the two Gaussians whose difference is taken, as shares of the picture's side.

Chosen on HAM10000: without the band every round dark lesion resembles every other (99% of real images reach a
correlation of 0.97 with an image of another lesion); with it they stay below 0.83, and crops of an image above 0.96.
"""
_FLAT: Final = 1e-6


def band(picture: np.ndarray, size: int, side: int | None = None, low: float = LOW, high: float = HIGH) -> torch.Tensor:
    """The band of a picture at a size.

    Args:
        picture: uint8 (H, W) or (H, W, 3).
        size: height and width of the result.
        side: what the Gaussians' widths are shares of; ``size`` unless the picture is to be a part of a larger one.
        low, high: deviations of the two Gaussians, as shares of ``side``.

    Returns:
        float32 (C, size, size), C of 1 or 3.
    """
    pixels = torch.from_numpy(np.array(resized(picture, size), np.float32))
    channels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    return between(channels, low * (side or size), high * (side or size))


def between(channels: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """What two Gaussian blurs of (C, H, W) differ by, each channel by itself; deviations in pixels."""
    return _blurred(channels, low) - _blurred(channels, high)


def orientations(tile: torch.Tensor) -> torch.Tensor:
    """The eight turned and mirrored forms of a square (S, S), as (8, S, S)."""
    return torch.stack([torch.rot90(form, turns) for form in (tile, tile.flip(1)) for turns in range(4)])


def orient(picture: np.ndarray, number: int) -> np.ndarray:
    """One of the forms of ``orientations``, of a picture (S, S, ...)."""
    form = picture if number < 4 else picture[:, ::-1]
    return np.ascontiguousarray(np.rot90(form, number % 4))


def unit(tiles: torch.Tensor) -> torch.Tensor:
    """Tiles (..., S, S) less their mean, at length one: their product is then a correlation."""
    centred = tiles - tiles.mean(dim=(-1, -2), keepdim=True)
    return centred / (centred.flatten(-2).norm(dim=-1)[..., None, None] + _FLAT)


def _blurred(channels: torch.Tensor, deviation: float) -> torch.Tensor:
    """A Gaussian blur of (C, H, W), each channel by itself, borders repeated."""
    if deviation <= 0.2:
        return channels
    reach = max(1, round(3 * deviation))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float32) ** 2) / (2 * deviation**2))
    kernel = kernel / kernel.sum()
    wide = pad(channels[:, None], (reach, reach, reach, reach), mode="replicate")
    return conv2d(conv2d(wide, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))[:, 0]
