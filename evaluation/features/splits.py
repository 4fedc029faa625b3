"""Divide real images by lesion, and draw images with a given mix of classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.real_data.held_out import is_held_out


def halves(labels: np.ndarray, lesions: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Divide the images into two random halves by lesion; each class is divided evenly.

    Args:
        labels: class of each image, (N,).
        lesions: lesion of each image, (N,).
        rng: random generator.

    Returns:
        Indices of the two halves.
    """
    first: set[str] = set()
    for name in np.unique(labels):
        of_class = np.unique(lesions[labels == name])
        first |= set(rng.permutation(of_class)[: len(of_class) // 2 + int(rng.integers(2)) * (len(of_class) % 2)])
    in_first = np.array([lesion in first for lesion in lesions.tolist()])
    return np.flatnonzero(in_first), np.flatnonzero(~in_first)


def mixed_as(
    indices: np.ndarray, labels: np.ndarray, mix: Mapping[str, int], rng: np.random.Generator, most: int
) -> np.ndarray:
    """Draw as many of the given images as possible, with the classes in the proportions of ``mix``.

    Without it, a balanced set would differ from real images only because its mix of classes differs.

    Args:
        indices: indices of the images to draw from.
        labels: class of each image of the side, (N,).
        mix: relative number of images per class.
        rng: random generator.
        most: maximum number of images.

    Returns:
        Indices, (M,); empty if a class of the mix has no image.
    """
    pools = {name: rng.permutation(indices[labels[indices] == name]) for name in mix}
    total = sum(mix.values())
    scale = min([most / total, *(len(pools[name]) / count for name, count in mix.items())])
    if scale <= 0:
        return np.empty(0, int)
    return np.concatenate([pools[name][: max(1, round(scale * count))] for name, count in mix.items()])[:most]


def held_out_and_rest(
    labels: np.ndarray, lesions: np.ndarray, named: np.ndarray, rng: np.random.Generator, least: int = 2
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Divide real images into a test part and the rest.

    The test part has the lesions that ``is_held_out`` selects, which this project's trainings leave out. Only lesions
    that a table names are selected: the trainings may have known the others by a name with another hash. If a class
    would have fewer than ``least`` lesions in the test part, or no image outside it, a quarter of the lesions of each
    class is drawn instead; the models may then have seen them.

    Args:
        labels: class of each image, (N,).
        lesions: lesion of each image, (N,).
        named: whether a table names the lesion, bool (N,).
        rng: random generator.
        least: minimum number of lesions of each class in the test part.

    Returns:
        Indices of the test part, indices of the rest, and whether ``is_held_out`` was used.
    """
    by_rule = named & np.array([is_held_out(lesion) for lesion in lesions.tolist()])
    names = np.unique(labels)
    enough = all(len(np.unique(lesions[by_rule & (labels == name)])) >= least for name in names)
    if enough and all((~by_rule & (labels == name)).any() for name in names):
        return np.flatnonzero(by_rule), np.flatnonzero(~by_rule), True
    drawn: set[str] = set()
    for name in names:
        of_class = np.unique(lesions[labels == name])
        drawn |= set(rng.permutation(of_class)[: max(1, len(of_class) // 4)])
    chosen = np.array([lesion in drawn for lesion in lesions.tolist()])
    return np.flatnonzero(chosen), np.flatnonzero(~chosen), False
