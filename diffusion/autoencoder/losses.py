"""What an autoencoder is trained on: pixels, features of EfficientNet-Lite0, and the judgement of a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from evaluation.features.extractors import build_efficientnet
from xai.classifier import MEAN, STD

_TAPS: Final = (0, 2, 4, 10)  # the last blocks of strides 2, 4, 8 and 16
_HALF_SIZE: Final = 2.0  # weight of the error at half the size: 256 px images are mostly shown smaller
_MASK: Final = 0.1
_LATENT_SIZE: Final = 2e-3  # keeps the latents small, so that their noise keeps its meaning
_LATENT_TAILS: Final = 1e-2
_TAIL: Final = 3.0
_EPSILON: Final = 1e-3


class ImageNetFeatures(nn.Module):
    """Features of EfficientNet-Lite0 with ImageNet weights at four strides (M. Tan, Q. Le, ICML 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = build_efficientnet().eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.mean = nn.Buffer(torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.std = nn.Buffer(torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (B, 3, S, S) in [-1, 1] to feature maps of strides 2, 4, 8 and 16."""
        x = (((images + 1) / 2 - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        x = self.network._swish(self.network._bn0(self.network._conv_stem(x)))
        found = []
        for number, block in enumerate(self.network._blocks[: _TAPS[-1] + 1]):
            x = block(x)
            if number in _TAPS:
                found.append(x)
        return found


def perceptual_distance(features: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean absolute difference of feature maps, each divided by the size of its target, as LPIPS without its weights.

    R. Zhang et al., CVPR 2018, arXiv 1801.03924. A scalar, 0 for equal features.
    """
    distances = []
    for found, target in zip(features, targets, strict=True):
        wanted = target.float()
        scale = wanted.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + _EPSILON
        distances.append(((found.float() - wanted) / scale).abs().mean())
    return torch.stack(distances).mean()


def pixel_error(decoded: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of colours at full and half size, and of the mask where it is known.

    Args:
        decoded, target: (B, 3 or 4, S, S); colours in [-1, 1], mask -1 or 1, about 0 if unknown.
    """
    colours, wanted = decoded[:, :3], target[:, :3]
    error = (colours - wanted).abs().mean()
    halves = functional.avg_pool2d(colours, 2) - functional.avg_pool2d(wanted, 2)
    error = error + _HALF_SIZE * halves.abs().mean()
    if target.shape[1] == 4:
        known = (target[:, 3].abs() > 0.5).float()
        error = error + _MASK * ((decoded[:, 3] - target[:, 3]).abs() * known).sum() / known.sum().clamp(min=1)
    return error


def latent_penalty(latents: torch.Tensor) -> torch.Tensor:
    """Keeps latents near zero, and their tails short."""
    tails = functional.relu(latents.abs() - _TAIL).mean()
    return _LATENT_SIZE * latents.square().mean() + _LATENT_TAILS * tails
