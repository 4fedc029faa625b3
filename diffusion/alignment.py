"""Alignment of a denoiser's middle with the features of an image network, which is reported to speed up training.

S. Yu et al., ICLR 2025, arXiv 2410.06940 (REPA). The projection exists during training only.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from evaluation.features.extractors import build_efficientnet
from xai.classifier import MEAN, STD

CHANNELS: Final = 320
"""Of EfficientNet-Lite0's last block, at a stride of 32 pixels."""
_HIDDEN: Final = 512
_BATCH: Final = 16


class Alignment(nn.Module):
    """Projects the output of a UNet's middle block, and compares it with feature maps of the clean image."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        width = model.mid_block.resnets[-1].out_channels
        self.projection = nn.Sequential(nn.Conv2d(width, _HIDDEN, 1), nn.SiLU(), nn.Conv2d(_HIDDEN, CHANNELS, 1))
        self._middle: torch.Tensor | None = None
        model.mid_block.register_forward_hook(self._keep)

    def _keep(self, _block: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self._middle = output

    def loss(self, features: torch.Tensor) -> torch.Tensor:
        """One minus the mean cosine similarity with ``features``, (B, 320, h, w), after the model's last evaluation."""
        assert self._middle is not None, "the model has not been evaluated"  # noqa: S101
        projected = self.projection(self._middle).float()
        wanted = functional.adaptive_avg_pool2d(features, projected.shape[-1])
        return 1 - functional.cosine_similarity(projected, wanted, dim=1).mean()


@torch.inference_mode()
def feature_maps(pixels: np.ndarray, device: torch.device) -> np.ndarray:
    """Feature maps float16 (N, 320, S / 32, S / 32) of images uint8 (N, S, S, 3), by EfficientNet-Lite0."""
    network = build_efficientnet().eval().to(device)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))
    found = []
    for start in range(0, len(pixels), _BATCH):
        batch = torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(device).permute(0, 3, 1, 2).float()
        x = network._swish(network._bn0(network._conv_stem((batch / 255 - mean) / std)))
        for block in network._blocks:
            x = block(x)
        found.append(x.cpu().numpy().astype(np.float16))
    return np.concatenate(found)
