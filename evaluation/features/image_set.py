"""The images of one side of a comparison in memory: pixels, labels and features, read once for all figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from evaluation.features.extractors import Network
from evaluation.features.feature_cache import FeatureCache
from evaluation.features.image_listing import FoundImage, digests_of
from evaluation.features.image_loading import load_images
from evaluation.progress import Progress, Work

_BATCH: Final = 16
_SAVE_EVERY: Final = 1024


@dataclass(frozen=True)
class Side:
    """Real or synthetic images.

    Attributes:
        images: the readable images.
        digests: SHA-256 of each file.
        pixels: uint8 (N, S, S, 3).
        features: for each feature space, float32 (N, D).
    """

    images: tuple[FoundImage, ...]
    digests: tuple[str, ...]
    pixels: np.ndarray = field(repr=False)
    features: dict[str, np.ndarray] = field(repr=False, default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> np.ndarray:
        """Class code of each image, (N,)."""
        return np.array([image.class_name for image in self.images], dtype=str)

    @property
    def lesions(self) -> np.ndarray:
        """Lesion of each image, (N,)."""
        return np.array([image.lesion_id for image in self.images], dtype=str)

    @property
    def named(self) -> np.ndarray:
        """Whether a table names the lesion of each image, bool (N,)."""
        return np.array([image.is_named for image in self.images], dtype=bool)

    def counts(self) -> dict[str, int]:
        """Number of images per class, in the order of first occurrence."""
        names = list(dict.fromkeys(self.labels.tolist()))
        return {name: int((self.labels == name).sum()) for name in names}


def read_side(images: Sequence[FoundImage], size: int, what: str) -> Work[Side]:
    """Decode the images of one side; warns about unreadable images and leaves them out."""
    pixels, kept = yield from load_images([image.path for image in images], size, what)
    found = tuple(images[index] for index in kept)
    return Side(found, tuple(digests_of(found)), pixels)


def add_features(side: Side, network: Network, cache: Path, what: str) -> Work[None]:
    """Compute a network's features of every image, or read them from the cache."""
    width = max(columns.stop for columns in network.spaces.values())
    memory = FeatureCache(cache, network.name, network.fingerprint, side.pixels.shape[1], width)
    new = memory.missing(side.digests)
    indices = list({digest: index for index, digest in enumerate(side.digests) if digest in new}.values())
    stage, found = f"Features ({network.name}) of {what}", dict[str, np.ndarray]()
    for start in range(0, len(indices), _BATCH):
        yield Progress(stage, start, len(indices))
        batch = indices[start : start + _BATCH]
        rows = network.features(side.pixels[batch])
        found |= {side.digests[index]: row for index, row in zip(batch, rows, strict=True)}
        if len(found) >= _SAVE_EVERY:
            memory.add(found)
            found = {}
    if found:
        memory.add(found)
    every = np.stack([memory.get(digest) for digest in side.digests])
    side.features.update({space: every[:, columns] for space, columns in network.spaces.items()})
