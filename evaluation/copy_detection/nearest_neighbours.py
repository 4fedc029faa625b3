"""Find the real images that an image may be a copy of: the nearest by features and by small pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from evaluation.copy_detection.band_pass import between, orientations, unit
from evaluation.features.image_loading import grey, resized
from evaluation.progress import Progress, Work

CROPS: Final = ((0.9, 2), (0.8, 3), (0.67, 4))
"""Crops of real images that are searched: their side as a share of the image side, and their number per axis."""
NEIGHBOURHOOD: Final = 50
_SIDE: Final = 16
_LOW, _HIGH = 1 / 48, 5 / 48  # coarser than the final comparison, so that a crop shifted by a twentieth is still found
_CHUNK: Final = 256
_PROGRESS_EVERY: Final = 100


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference images of each query.

    Attributes:
        indices: indices of the nearest images, nearest first, (Q, k).
        nearness: nearness of the first one, (Q,); higher is nearer. See ``nearest_features`` and ``nearest_pixels``.
    """

    indices: np.ndarray
    nearness: np.ndarray


def nearest_features(queries: np.ndarray, reference: np.ndarray, allowed: np.ndarray | None, count: int) -> Neighbours:
    """Find neighbours by the cosine of features.

    Nearness is minus the logarithm of (distance to the nearest image / mean distance to the next fifty). The division
    is needed because a plain image is close to every other plain image (N. Carlini et al., Extracting Training Data
    from Diffusion Models, USENIX Security 2023, arXiv 2301.13188). Nearness is large for a copy and infinite for an
    exact one.

    Args:
        queries: (Q, D).
        reference: (N, D).
        allowed: bool (Q, N), the reference images that may be found; None allows all.
        count: number of neighbours per query.
    """
    a, b = (torch.nn.functional.normalize(torch.from_numpy(side).float(), dim=1) for side in (queries, reference))
    indices, nearness = [], []
    for start in range(0, len(a), _CHUNK):
        cosines = a[start : start + _CHUNK] @ b.T
        if allowed is not None:
            cosines[~torch.from_numpy(allowed[start : start + _CHUNK])] = -2.0
        found = cosines.topk(min(len(b), max(count, NEIGHBOURHOOD + 1)), dim=1)
        distances = (2 - 2 * found.values.clamp(-1, 1)).clamp(min=0).sqrt()
        distances[distances < 1e-3] = 0.0  # rounding error between equal features
        ratio = distances[:, 0] / distances[:, 1:].mean(dim=1).clamp(min=1e-6)
        indices.append(found.indices[:, :count])
        nearness.append(-ratio.log())
    return Neighbours(torch.cat(indices).numpy(), torch.cat(nearness).double().numpy())


def small_parts(pixels: np.ndarray) -> Work[torch.Tensor]:
    """Each image and its ``CROPS``, reduced to 16 px, with norm 1: (N, 30, 256)."""
    found = []
    for index, image in enumerate(pixels):
        if index % _PROGRESS_EVERY == 0:
            yield Progress("Reading crops of the real images", index, len(pixels))
        light = grey(image)
        found.append(unit(_small([light, *_parts(light)])).flatten(1).half())
    return torch.stack(found)


def nearest_pixels(
    pixels: Sequence[np.ndarray], parts: torch.Tensor, allowed: np.ndarray | None, count: int
) -> Work[np.ndarray]:
    """Indices of the reference images whose crops correlate best with each image in any orientation, (Q, count)."""
    indices = []
    for start in range(0, len(pixels), _CHUNK // 8):
        yield Progress("Searching for the nearest real images", start, len(pixels))
        chunk = pixels[start : start + _CHUNK // 8]
        tiles = torch.cat([unit(orientations(_small([grey(image)])[0])).flatten(1) for image in chunk])
        best = torch.cat([_best(tiles, some) for some in parts.split(_CHUNK)], dim=1)
        if allowed is not None:
            best[~torch.from_numpy(allowed[start : start + len(chunk)])] = -2.0
        indices.append(best.topk(min(count, best.shape[1]), dim=1).indices)
    return torch.cat(indices).numpy()


def _best(tiles: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """Highest correlation of the eight orientations of each query with the crops of each reference, (Q, N)."""
    correlations = tiles @ parts.float().flatten(0, 1).T
    return correlations.view(len(tiles) // 8, 8, len(parts), -1).amax(dim=(1, 3))


def _small(lights: Sequence[np.ndarray]) -> torch.Tensor:
    """Grey images of any size, reduced and filtered, (N, 16, 16)."""
    tiles = np.stack([resized(light, _SIDE) for light in lights])
    return between(torch.from_numpy(tiles.astype(np.float32)), _LOW * _SIDE, _HIGH * _SIDE)


def _parts(light: np.ndarray) -> list[np.ndarray]:
    side, found = len(light), []
    for share, count in CROPS:
        width = round(side * share)
        starts = np.linspace(0, side - width, count).round().astype(int).tolist()
        found += [light[top : top + width, left : left + width] for top in starts for left in starts]
    return found
