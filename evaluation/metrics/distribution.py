"""Distances between two sets of features. KID and FID are computed by torch-fidelity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric  # noqa: E402
from torch_fidelity.metric_kid import kid_features_to_metric  # noqa: E402

NEIGHBOURS: Final = 5
_CHUNK: Final = 1024


@dataclass(frozen=True)
class Manifolds:
    """Overlap of the neighbourhoods of two sets; shares from 0 to 1, density from 0.

    Precision and recall: T. Kynkäänniemi et al., NeurIPS 2019, arXiv 1904.06991. Density and coverage: M. F. Naeem
    et al., ICML 2020, arXiv 2002.09797.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def kid(first: np.ndarray, second: np.ndarray, *, size: int, subsets: int, seed: int) -> np.ndarray:
    """Kernel distances of random subsets (M. Bińkowski et al., ICLR 2018, arXiv 1801.01401), unbiased, cubic kernel.

    The expected value is 0 for two sets of one distribution; single values may be negative.

    Args:
        first, second: features (N, D) and (M, D).
        size: images per subset, at most N and M.
        subsets: number of subsets.
        seed: seed for drawing the subsets.

    Returns:
        One value per subset, (subsets,).
    """
    a, b = (torch.from_numpy(np.ascontiguousarray(side, dtype=np.float64)) for side in (first, second))
    values = [
        kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=size, rng_seed=seed + number, verbose=False)
        for number in range(subsets)
    ]
    return np.array([value["kernel_inception_distance_mean"] for value in values])


def fid(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of two Gaussians (M. Heusel et al., NeurIPS 2017, arXiv 1706.08500) fitted to features (N, D).

    The estimate is biased upwards, more so for fewer images: compare only values for the same number of images.
    """
    sides = [fid_features_to_statistics(torch.from_numpy(side.astype(np.float64))) for side in (first, second)]
    return float(fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"])


def manifolds(real: np.ndarray, synthetic: np.ndarray, neighbours: int = NEIGHBOURS) -> Manifolds:
    """Precision, recall, density and coverage; computed in chunks so that the distance matrix needs little memory.

    Args:
        real, synthetic: features (N, D) and (M, D), both with more than ``neighbours`` rows.
        neighbours: number of neighbours k.
    """
    a, b = (torch.from_numpy(np.ascontiguousarray(side, dtype=np.float64)) for side in (real, synthetic))
    real_radii, synthetic_radii = _radii(a, neighbours), _radii(b, neighbours)
    hits = torch.zeros(len(b), dtype=torch.float64)
    recalled, covered = 0, 0
    for start in range(0, len(a), _CHUNK):
        distances = torch.cdist(a[start : start + _CHUNK], b)
        inside = distances < real_radii[start : start + _CHUNK, None]
        hits += inside.sum(dim=0)
        recalled += int((distances < synthetic_radii).any(dim=1).sum())
        covered += int((distances.min(dim=1).values < real_radii[start : start + _CHUNK]).sum())
    return Manifolds(
        precision=float((hits > 0).double().mean()),
        recall=recalled / len(a),
        density=float(hits.mean()) / neighbours,
        coverage=covered / len(a),
    )


def mean_distance(features: np.ndarray) -> float:
    """Mean distance between the images of a set, a measure of diversity; features (N, D), N at least 2."""
    rows = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float64))
    total = sum(float(torch.cdist(rows[start : start + _CHUNK], rows).sum()) for start in range(0, len(rows), _CHUNK))
    return total / (len(rows) * (len(rows) - 1))


def _radii(features: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Distance of each row to its k-th neighbour, not counting itself; (N,)."""
    chunks = [
        torch.cdist(features[start : start + _CHUNK], features).kthvalue(neighbours + 1, dim=1).values
        for start in range(0, len(features), _CHUNK)
    ]
    return torch.cat(chunks)
