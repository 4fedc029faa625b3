"""A two-dimensional map of feature space with real and synthetic images as points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from evaluation.features.image_set import Side
from evaluation.features.splits import mixed_as
from evaluation.progress import Progress, Work

_COMPONENTS: Final = 50
_LEAST: Final = 10


@dataclass(frozen=True)
class Embedding:
    """Points of the map: images of the set and real images, with classes in the set's proportions.

    Attributes:
        features: the feature space.
        generated, real: coordinates, (N, 2) each.
        generated_labels, real_labels: class of each point.
    """

    features: str
    generated: np.ndarray = field(repr=False)
    real: np.ndarray = field(repr=False)
    generated_labels: np.ndarray = field(repr=False)
    real_labels: np.ndarray = field(repr=False)


def embedding(generated: Side, real: Side, space: str, most: int, seed: int) -> Work[Embedding | None]:
    """t-SNE (L. van der Maaten, G. Hinton, JMLR 9, 2008) of at most ``most`` images per side; None if too few."""
    yield Progress("Mapping feature space", 0, 1)
    rng = np.random.default_rng(seed)
    mix = generated.counts()
    ours = mixed_as(np.arange(len(generated)), generated.labels, mix, rng, most)
    theirs = mixed_as(np.arange(len(real)), real.labels, mix, rng, most)
    if len(ours) + len(theirs) < _LEAST or not len(theirs):
        return None
    rows = np.concatenate([generated.features[space][ours], real.features[space][theirs]]).astype(np.float64)
    reduced = PCA(min(_COMPONENTS, len(rows) - 1), random_state=seed).fit_transform(rows)
    plane = TSNE(perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=seed).fit_transform(reduced)
    return Embedding(space, plane[: len(ours)], plane[len(ours) :], generated.labels[ours], real.labels[theirs])
