"""Real images that may be the origin of an image: the nearest in each feature space and in small pixels."""

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
"""Parts of a real image that an image may be a copy of: their side as a share of its own, and how many each way."""
NEIGHBOURHOOD: Final = 50
_SIDE: Final = 16
_LOW, _HIGH = 1 / 48, 5 / 48  # coarser than what decides: a part found a twentieth aside must still be found
_CHUNK: Final = 256
_TELL_EVERY: Final = 100


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference images of each query.

    Attributes:
        places: of the nearest ones, nearest first, (Q, k).
        nearness: of the first, higher is nearer, (Q,); see ``nearest_features`` and ``nearest_pixels``.
    """

    places: np.ndarray
    nearness: np.ndarray


def nearest_features(queries: np.ndarray, reference: np.ndarray, allowed: np.ndarray | None, count: int) -> Neighbours:
    """Neighbours by the cosine of features.

    Nearness is minus the logarithm of (distance to the nearest over mean distance to the next fifty), because a plain
    image is near to every other plain image (N. Carlini et al., Extracting Training Data from Diffusion Models, USENIX
    Security 2023, arXiv 2301.13188). It is large for a copy, and infinite for an exact one.

    Args:
        queries: (Q, D).
        reference: (N, D).
        allowed: bool (Q, N): which of the reference may be found; None for all.
        count: how many places of each query.
    """
    a, b = (torch.nn.functional.normalize(torch.from_numpy(side).float(), dim=1) for side in (queries, reference))
    places, nearness = [], []
    for start in range(0, len(a), _CHUNK):
        cosines = a[start : start + _CHUNK] @ b.T
        if allowed is not None:
            cosines[~torch.from_numpy(allowed[start : start + _CHUNK])] = -2.0
        found = cosines.topk(min(len(b), max(count, NEIGHBOURHOOD + 1)), dim=1)
        distances = (2 - 2 * found.values.clamp(-1, 1)).clamp(min=0).sqrt()
        distances[distances < 1e-3] = 0.0  # what single precision leaves between equal features
        ratio = distances[:, 0] / distances[:, 1:].mean(dim=1).clamp(min=1e-6)
        places.append(found.indices[:, :count])
        nearness.append(-ratio.log())
    return Neighbours(torch.cat(places).numpy(), torch.cat(nearness).double().numpy())


def small_parts(pictures: np.ndarray) -> Work[torch.Tensor]:
    """Each picture and its parts of ``CROPS``, small and at length one: (N, 30, 256)."""
    found = []
    for place, picture in enumerate(pictures):
        if place % _TELL_EVERY == 0:
            yield Progress("Small parts of the real images", place, len(pictures))
        light = grey(picture)
        found.append(unit(_small([light, *_parts(light)])).flatten(1).half())
    return torch.stack(found)


def nearest_pixels(
    pictures: Sequence[np.ndarray], parts: torch.Tensor, allowed: np.ndarray | None, count: int
) -> Work[np.ndarray]:
    """Places of the reference images whose parts correlate best with each picture in any orientation, (Q, count)."""
    places = []
    for start in range(0, len(pictures), _CHUNK // 8):
        yield Progress("Nearest real images", start, len(pictures))
        chunk = pictures[start : start + _CHUNK // 8]
        tiles = torch.cat([unit(orientations(_small([grey(picture)])[0])).flatten(1) for picture in chunk])
        best = torch.cat([_best(tiles, some) for some in parts.split(_CHUNK)], dim=1)
        if allowed is not None:
            best[~torch.from_numpy(allowed[start : start + len(chunk)])] = -2.0
        places.append(best.topk(min(count, best.shape[1]), dim=1).indices)
    return torch.cat(places).numpy()


def _best(tiles: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """Highest correlation of the eight orientations of each query with the parts of each reference, (Q, N)."""
    correlations = tiles @ parts.float().flatten(0, 1).T
    return correlations.view(len(tiles) // 8, 8, len(parts), -1).amax(dim=(1, 3))


def _small(lights: Sequence[np.ndarray]) -> torch.Tensor:
    """The band of grey pictures of any sizes, (N, 16, 16)."""
    tiles = np.stack([resized(light, _SIDE) for light in lights])
    return between(torch.from_numpy(tiles.astype(np.float32)), _LOW * _SIDE, _HIGH * _SIDE)


def _parts(light: np.ndarray) -> list[np.ndarray]:
    side, found = len(light), []
    for share, count in CROPS:
        width = round(side * share)
        starts = np.linspace(0, side - width, count).round().astype(int).tolist()
        found += [light[top : top + width, left : left + width] for top in starts for left in starts]
    return found
