"""Divide real images by lesion, and draw from one side as many of each class as the other has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.real_data.held_out import is_held_out


def halves(labels: np.ndarray, lesions: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two random halves, as places; the lesions of each class are divided evenly and none is in both.

    Args:
        labels: class of each image, (N,).
        lesions: lesion of each image, (N,).
        rng: draws.
    """
    first: set[str] = set()
    for name in np.unique(labels):
        of_class = np.unique(lesions[labels == name])
        first |= set(rng.permutation(of_class)[: len(of_class) // 2 + int(rng.integers(2)) * (len(of_class) % 2)])
    in_first = np.array([lesion in first for lesion in lesions.tolist()])
    return np.flatnonzero(in_first), np.flatnonzero(~in_first)


def mixed_as(
    places: np.ndarray, labels: np.ndarray, mix: Mapping[str, int], rng: np.random.Generator, most: int
) -> np.ndarray:
    """As many of these places as possible, drawn so that the classes have the shares of ``mix``.

    A balanced set against the real mix of classes would be told apart by the mix alone.

    Args:
        places: where to draw from.
        labels: class of each image of the side, (N,).
        mix: images wanted per class, in any unit.
        rng: draws.
        most: images at most.

    Returns:
        Places, (M,); empty where a class of the mix has no image among them.
    """
    pools = {name: rng.permutation(places[labels[places] == name]) for name in mix}
    total = sum(mix.values())
    scale = min([most / total, *(len(pools[name]) / count for name, count in mix.items())])
    if scale <= 0:
        return np.empty(0, int)
    return np.concatenate([pools[name][: max(1, round(scale * count))] for name, count in mix.items()])[:most]


def held_out_and_rest(
    labels: np.ndarray, lesions: np.ndarray, named: np.ndarray, rng: np.random.Generator, least: int = 2
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Real images to test on, the others, and whether this project's trainings left out the former.

    Those are the lesions that ``is_held_out`` names, of those that a table names: the trainings may have known the
    others by a name with another hash. If a class then has fewer than ``least`` lesions in the test, or no image
    outside it, a quarter of the lesions of each class is drawn instead, and a model may have seen them.

    Args:
        labels: class of each image, (N,).
        lesions: lesion of each image, (N,).
        named: whether a table names it, bool (N,).
        rng: draws.
        least: lesions of each class in the test.

    Returns:
        Places of the test, places of the rest, whether the project's rule decided.
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
