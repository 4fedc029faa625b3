"""Superpixels: the regions of an image that SHAP removes and restores."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch.nn.functional import avg_pool2d

from xai.baselines import gaussian_blur

_POOLING: Final = 2
_SMOOTHING_PX: Final = 2.5  # hairs and noise must not form regions
_ROUNDS: Final = 10
_COLOUR_STEP: Final = 0.15  # this difference of colour weighs as much as the distance to the next centre
_PLASTIC: Final = 1.32471795724474602596


def superpixels(image: torch.Tensor, count: int) -> torch.Tensor:
    """Divide an image into compact regions of similar colour.

    The method is k-means over position and colour with evenly spread initial centres. It equals SLIC without local
    search (Achanta et al., SLIC Superpixels, TPAMI 2012). It is deterministic.

    Args:
        image: (1, 3, S, S) in [0, 1], S even.
        count: number of regions; the result has fewer if some centres receive no pixels.

    Returns:
        int64 (S, S) on the device of the image; regions are numbered from 0 without gaps.
    """
    pooled = (
        avg_pool2d(gaussian_blur(image, _SMOOTHING_PX), _POOLING)[0].permute(1, 2, 0).cpu().double().numpy()
    )  # (side, side, 3)
    side = pooled.shape[0]
    spacing = side / count**0.5
    rows, columns = np.mgrid[:side, :side] / spacing
    features = np.dstack([rows, columns, pooled / _COLOUR_STEP]).reshape(-1, 5)
    centres = _spread(count, side)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One of the clusters is empty")
        _, labels = kmeans2(features, features[centres], iter=_ROUNDS, minit="matrix")
    numbers = np.unique(labels, return_inverse=True)[1].reshape(side, side)
    regions = torch.from_numpy(numbers.astype(np.int64)).to(image.device)
    return regions.repeat_interleave(_POOLING, 0).repeat_interleave(_POOLING, 1)


def _spread(count: int, side: int) -> np.ndarray:
    """Return the indices of ``count`` evenly spread pixels of a square (the R2 sequence of M. Roberts, 2018)."""
    steps = np.arange(1, count + 1)
    rows = (0.5 + steps / _PLASTIC) % 1
    columns = (0.5 + steps / _PLASTIC**2) % 1
    return (rows * side).astype(int) * side + (columns * side).astype(int)
