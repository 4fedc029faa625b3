"""Find images of a set that repeat each other: identical ones, and ones more similar than two real lesions are."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from evaluation.copy_detection.band_pass import band, orientations, unit
from evaluation.copy_detection.thresholds import Threshold, threshold_of
from evaluation.features.image_loading import grey
from evaluation.features.image_set import Side
from evaluation.intervals import Share
from evaluation.progress import Progress, Work

_SIDE: Final = 32
_CHUNK: Final = 64


@dataclass(frozen=True)
class Duplicates:
    """Result of the search for duplicates.

    Attributes:
        equal: images whose pixels are identical to those of another image.
        similar: images that resemble another image of the set, rotated or mirrored, more than chance explains.
        control: real images that resemble an image of another lesion as much.
        pairs: indices and correlation of the most similar pairs, most similar first.
    """

    equal: Share
    similar: Share
    control: Share
    pairs: tuple[tuple[int, int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        return {"equal": self.equal.to_json(), "similar": self.similar.to_json(), "control": self.control.to_json()}


def find_duplicates(generated: Side, real: Side, control_size: int, seed: int) -> Work[Duplicates]:
    """Compare every image of the set with every other, and a control of real images with those of other lesions."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(real))[:control_size])
    own = np.array([str(index) for index in range(len(generated))])
    best, partner = yield from _nearest(generated.pixels, own, "the set")
    control, _ = yield from _nearest(real.pixels[drawn], real.lesions[drawn], "real images")
    limit = threshold_of("duplicates", _nearness(control), len(generated), 1)
    return Duplicates(
        equal=Share(_equal(generated.pixels), len(generated)),
        similar=_above(best, limit),
        control=_above(control, limit),
        pairs=_pairs(best, partner),
    )


def _nearest(pixels: np.ndarray, groups: np.ndarray, what: str) -> Work[tuple[np.ndarray, np.ndarray]]:
    """Highest correlation of each image with one of another group in any orientation, and the index of that one."""
    stage = f"Duplicates in {what}"
    yield Progress(stage, 0, len(pixels))
    tiles = [band(grey(image), _SIDE)[0] for image in pixels]
    upright = unit(torch.stack(tiles)).flatten(1)
    best, partner = [], []
    for start in range(0, len(tiles), _CHUNK):
        yield Progress(stage, start, len(pixels))
        turned = unit(torch.cat([orientations(tile) for tile in tiles[start : start + _CHUNK]])).flatten(1)
        found = (turned @ upright.T).view(-1, 8, len(tiles)).amax(dim=1)
        same = groups[start : start + _CHUNK, None] == groups[None]
        found[torch.from_numpy(same)] = -1.0
        values, indices = found.max(dim=1)
        best.append(values)
        partner.append(indices)
    return torch.cat(best).double().numpy(), torch.cat(partner).numpy()


def _nearness(correlations: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(1 - correlations, 1e-7))


def _above(correlations: np.ndarray, limit: Threshold) -> Share:
    return Share(int((_nearness(correlations) > limit.copy).sum()), len(correlations))


def _equal(pixels: np.ndarray) -> int:
    """Number of images that are identical to another image."""
    times = Counter(hashlib.sha256(image.tobytes()).digest() for image in pixels)
    return sum(count for count in times.values() if count > 1)


def _pairs(best: np.ndarray, partner: np.ndarray, most: int = 12) -> tuple[tuple[int, int, float], ...]:
    seen: dict[tuple[int, int], float] = {}
    for index in np.argsort(-best, kind="stable").tolist():
        first, second = sorted((index, int(partner[index])))
        seen.setdefault((first, second), float(best[index]))
    return tuple((first, second, value) for (first, second), value in list(seen.items())[:most])
