"""The discriminator that teaches the decoder fine detail: heads on frozen features, and a small network on pixels.

Discriminators on frozen features learn from few images: A. Sauer et al., NeurIPS 2021, arXiv 2111.01007.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

FEATURE_CHANNELS: Final = (16, 24, 40, 112)
"""Channels of ``diffusion.autoencoder.losses.ImageNetFeatures``."""
_WIDTH: Final = 64
_SLOPE: Final = 0.2


class Discriminator(nn.Module):
    """Judges features and pixels; positive for real."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(channels) for channels in FEATURE_CHANNELS)
        self.pixels = nn.Sequential(
            nn.PixelUnshuffle(2),
            spectral_norm(nn.Conv2d(12, 48, 3, padding=1)),
            nn.LeakyReLU(_SLOPE),
            spectral_norm(nn.Conv2d(48, 96, 4, stride=2, padding=1)),
            nn.LeakyReLU(_SLOPE),
            spectral_norm(nn.Conv2d(96, 96, 3, padding=1)),
            nn.LeakyReLU(_SLOPE),
            spectral_norm(nn.Conv2d(96, 1, 3, padding=1)),
        )

    def forward(self, images: torch.Tensor, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Judgements of images (B, 3, S, S) in [-1, 1] and of their features: one map per head, then one of pixels."""
        judged = [head(_unit(maps)).float() for head, maps in zip(self.heads, features, strict=True)]
        return [*judged, self.pixels(images).float()]


def generator_loss(judged: Sequence[torch.Tensor]) -> torch.Tensor:
    """Lower when decoded images are taken for real: the heads on features count as much as the pixels together."""
    *heads, pixels = [-judgement.mean() for judgement in judged]
    return torch.stack(heads).mean() + pixels


def discriminator_loss(real: Sequence[torch.Tensor], decoded: Sequence[torch.Tensor]) -> torch.Tensor:
    """Hinge loss (J. H. Lim, J. C. Ye, arXiv 1705.02894)."""
    losses = [
        functional.relu(1 - one).mean() + functional.relu(1 + other).mean()
        for one, other in zip(real, decoded, strict=True)
    ]
    *heads, pixels = losses
    return torch.stack(heads).mean() + pixels


def _head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, _WIDTH, 1)),
        nn.LeakyReLU(_SLOPE),
        spectral_norm(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)),
        nn.LeakyReLU(_SLOPE),
        spectral_norm(nn.Conv2d(_WIDTH, 1, 3, padding=1)),
    )


def _unit(maps: torch.Tensor) -> torch.Tensor:
    return maps / (maps.float().square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 1e-3)
