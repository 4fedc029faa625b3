"""Distance of a set from real images, with the same figure for real images against real ones: the floor.

The real images are repeatedly divided by lesion into halves A and B. The set and an equally large draw from A are both
measured against B, with the classes in the set's proportions. The figure of A is the best that a set can reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from evaluation.features.image_set import Side
from evaluation.features.splits import halves, mixed_as
from evaluation.metrics.distribution import fid, kid, manifolds, mean_distance
from evaluation.progress import Progress, Warned, Work

ALL: Final = "ALL"
LEAST: Final = 8
"""A figure is not computed if either side has fewer images."""
FID_LEAST_OF_CLASS: Final = 500
FID_LEAST_SOUND: Final = 2048
MOST: Final = 1000
"""Maximum number of images per side for KID and the manifolds; more cost time and memory without a gain."""
_SUBSETS: Final = 5
_HIGH: Final = 95


@dataclass(frozen=True)
class Figure:
    """One figure and its floor.

    Attributes:
        metric: kid, fid, precision, recall, density, coverage or diversity.
        class_name: a class, or ``ALL``.
        features: feature space of the measurement.
        value, sd: mean and standard deviation over the divisions (KID: over their random subsets).
        floor, floor_sd: the same for real against real.
        floor_95: 95th percentile of the real-against-real values.
        n_set, n_real: numbers of images.
    """

    metric: str
    class_name: str
    features: str
    value: float
    sd: float
    floor: float
    floor_sd: float
    floor_95: float
    n_set: int
    n_real: int

    @property
    def ratio(self) -> float | None:
        """The value, at least 0, divided by ``floor_95``; None if ``floor_95`` is not positive."""
        return max(0.0, self.value) / self.floor_95 if self.floor_95 > 0 else None

    def to_json(self) -> dict[str, Any]:
        """The figure as plain JSON values."""
        return {**asdict(self), "ratio_to_floor_95": self.ratio}


@dataclass(frozen=True)
class _Draw:
    """Indices of one division: the set, the equally large draw from half A, and half B."""

    generated: np.ndarray
    double: np.ndarray
    reference: np.ndarray


def resemblance(
    generated: Side, real: Side, spaces: Mapping[str, str], divisions: int, seed: int
) -> Work[list[Figure]]:
    """Compute every figure in every feature space, for each class and for all images together.

    Args:
        generated: the set.
        real: real images of its classes.
        spaces: names of the feature spaces.
        divisions: number of divisions of the real images into halves.
        seed: seed of the random draws.
    """
    classes = list(generated.counts())
    groups = [ALL, *classes] if len(classes) > 1 else classes
    found: list[Figure] = []
    scarce: list[str] = []
    for number, (group, space) in enumerate((group, space) for group in groups for space in spaces):
        yield Progress("Measuring resemblance", number, len(groups) * len(spaces))
        draws = _draws(generated, real, classes if group == ALL else [group], divisions, seed)
        smallest = min((min(map(len, (draw.generated, draw.double, draw.reference))) for draw in draws), default=0)
        if smallest < LEAST:
            scarce += [group] if group not in scarce else []
            continue
        found += _figures(group, space, draws, generated.features[space], real.features[space], seed)
        found += yield from _fid(group, space, draws[0], generated, real)
    if scarce:
        yield Warned(
            f"{', '.join(scarce)}: distances were not measured, because the set or a half of the real images has fewer "
            f"than {LEAST} images."
        )
    return found


def _draws(generated: Side, real: Side, classes: list[str], divisions: int, seed: int) -> list[_Draw]:
    rng = np.random.default_rng(seed)
    mix = {name: int((generated.labels == name).sum()) for name in classes}
    in_set = np.flatnonzero(np.isin(generated.labels, classes))
    draws = []
    for _ in range(divisions):
        first, second = halves(real.labels, real.lesions, rng)
        reference = mixed_as(second, real.labels, mix, rng, len(real))
        double = mixed_as(first, real.labels, mix, rng, len(in_set))
        size = min(len(in_set), len(double))
        draws.append(_Draw(mixed_as(in_set, generated.labels, mix, rng, size), double[:size], reference))
    return draws


def _figures(
    group: str, space: str, draws: list[_Draw], generated: np.ndarray, real: np.ndarray, seed: int
) -> Iterator[Figure]:
    size = min(MOST, *(min(len(draw.generated), len(draw.reference)) for draw in draws))
    counts = (len(draws[0].generated), len(draws[0].reference))

    def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return kid(first, second, size=size, subsets=_SUBSETS, seed=seed)

    values = np.concatenate([distance(generated[draw.generated], real[draw.reference]) for draw in draws])
    floors = np.concatenate([distance(real[draw.double], real[draw.reference]) for draw in draws])
    yield _figure("kid", group, space, values, floors, counts)
    yield from _manifold_figures(group, space, draws, generated, real)
    spread: Callable[[np.ndarray], float] = lambda rows: mean_distance(rows[:MOST])  # noqa: E731
    references = np.array([spread(real[draw.reference]) for draw in draws])
    values = np.array([spread(generated[draw.generated]) for draw in draws]) / references
    floors = np.array([spread(real[draw.double]) for draw in draws]) / references
    yield _figure("diversity", group, space, values, floors, counts)


def _manifold_figures(
    group: str, space: str, draws: list[_Draw], generated: np.ndarray, real: np.ndarray
) -> Iterator[Figure]:
    counts = (min(MOST, len(draws[0].generated)), min(MOST, len(draws[0].reference)))
    of_set, of_real = [], []
    for draw in draws:
        reference = real[_some(draw.reference)]
        of_set.append(asdict(manifolds(reference, generated[_some(draw.generated)])))
        of_real.append(asdict(manifolds(reference, real[_some(draw.double)])))
    for name in of_set[0]:
        values, floors = (np.array([found[name] for found in side]) for side in (of_set, of_real))
        yield _figure(name, group, space, values, floors, counts)


def _fid(group: str, space: str, draw: _Draw, generated: Side, real: Side) -> Work[list[Figure]]:
    """FID of one division; not computed for a class with fewer than 500 images; warns below 2,048."""
    smallest = min(len(draw.generated), len(draw.reference))
    if group != ALL and smallest < FID_LEAST_OF_CLASS:
        return []
    if smallest < FID_LEAST_SOUND:
        yield Warned(
            f"FID of {group} is based on {smallest:,} images. Below {FID_LEAST_SOUND:,} images it is biased upwards; "
            "compare it only with its floor."
        )
    reference = real.features[space][draw.reference]
    value = np.array([fid(generated.features[space][draw.generated], reference)])
    floor = np.array([fid(real.features[space][draw.double], reference)])
    return [_figure("fid", group, space, value, floor, (len(draw.generated), len(draw.reference)))]


def _some(indices: np.ndarray) -> np.ndarray:
    """At most ``MOST`` of the indices, evenly spaced, so that all classes remain."""
    return indices if len(indices) <= MOST else indices[np.linspace(0, len(indices) - 1, MOST).astype(int)]


def _figure(
    metric: str, group: str, space: str, values: np.ndarray, floors: np.ndarray, counts: tuple[int, int]
) -> Figure:
    return Figure(
        metric=metric,
        class_name=group,
        features=space,
        value=float(values.mean()),
        sd=float(values.std()),
        floor=float(floors.mean()),
        floor_sd=float(floors.std()),
        floor_95=float(np.percentile(floors, _HIGH)),
        n_set=counts[0],
        n_real=counts[1],
    )
