"""Find images of the set that are copies of real ones.

The nearest real images of each image are found in every feature space and in pixels. The best candidates are then
aligned with the image (``registration``). The same search for real images, which must not find images of the same
lesion, is the control: it shows how close images of different patients come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from evaluation.copy_detection.nearest_neighbours import Neighbours, nearest_features, nearest_pixels, small_parts
from evaluation.copy_detection.registration import best_match, coarse_fields
from evaluation.copy_detection.thresholds import FALSE_SHARES, Threshold, chance_of, threshold_of
from evaluation.features.image_set import Side
from evaluation.intervals import Share
from evaluation.progress import PartsProgress, Progress, Work

PIXELS: Final = "pixels"
_CANDIDATES: Final = 6  # of each feature space
_PIXEL_CANDIDATES: Final = 12
_NEAREST: Final = 16.0  # finite value instead of the infinite nearness of an exact copy


@dataclass(frozen=True)
class Suspicion:
    """An image of the set and its most conspicuous real neighbour.

    Attributes:
        generated, real: indices of the two images in their sets.
        space: space in which the pair is most conspicuous.
        correlation: correlation of the aligned pixels, 0 to 1.
        excess: nearness above the threshold of suspicion, in scales of the control's tail; suspicious above 0.
        is_copy: whether the nearness exceeds the copy threshold of this set size.
    """

    generated: int
    real: int
    space: str
    correlation: float
    excess: float
    is_copy: bool


@dataclass(frozen=True)
class CopyFindings:
    """Result of the search for copies.

    Attributes:
        thresholds: one per space.
        shares: for each space, the shares of the set and of the control above the threshold of suspicion.
        suspicious: share of the set above that threshold in at least one space.
        control: the same share of the control.
        ranking: every image of the set, most suspicious first.
        nearness: for each space, the values of the set and of the control.
    """

    thresholds: tuple[Threshold, ...]
    shares: Mapping[str, tuple[Share, Share]]
    suspicious: Share
    control: Share
    ranking: tuple[Suspicion, ...]
    nearness: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(repr=False)

    @property
    def copies(self) -> tuple[Suspicion, ...]:
        """Images above the copy threshold."""
        return tuple(suspicion for suspicion in self.ranking if suspicion.is_copy)

    @property
    def rate(self) -> float:
        """Share of images without copies that may be flagged as suspicious; a small control cannot guarantee less."""
        return sum(threshold.rate for threshold in self.thresholds)

    @property
    def is_evidence(self) -> bool:
        """Whether there is evidence of copying: single copies, or more suspicious images than chance explains."""
        return bool(self.copies) or chance_of(self.suspicious, self.control.cases, self.rate) <= FALSE_SHARES

    def to_json(self, generated: Side, real: Side, listed: int = 50) -> dict[str, Any]:
        """The findings as plain JSON values, with the file names of the ``listed`` most suspicious pairs."""
        return {
            "rate": self.rate,
            "copies": len(self.copies),
            "suspicious": self.suspicious.to_json(),
            "control": self.control.to_json(),
            "spaces": {
                threshold.space: {
                    "threshold": threshold.suspicious,
                    "copy_threshold": threshold.copy,
                    "rate": threshold.rate,
                    "set": self.shares[threshold.space][0].to_json(),
                    "control": self.shares[threshold.space][1].to_json(),
                }
                for threshold in self.thresholds
            },
            "most_suspicious": [_pair(suspicion, generated, real) for suspicion in self.ranking[:listed]],
        }


def find_copies(
    generated: Side, real: Side, spaces: Mapping[str, str], control_size: int, seed: int
) -> Work[CopyFindings]:
    """Compare every image of the set with every real image, and a control of real images with other lesions.

    Args:
        generated: the set.
        real: all real images; the generator may have been trained on some of them.
        spaces: names of the feature spaces.
        control_size: maximum number of real images in the control.
        seed: seed for drawing the control.
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(real))[:control_size])
    others = real.lesions[drawn][:, None] != real.lesions[None]
    whole = _Shares(len(real), len(generated), len(drawn))
    parts = yield from whole.part(small_parts(real.pixels))
    fields = coarse_fields(real.pixels)
    of_set = {
        space: nearest_features(generated.features[space], real.features[space], None, _CANDIDATES) for space in spaces
    }
    of_control = {
        space: nearest_features(real.features[space][drawn], real.features[space], others, _CANDIDATES)
        for space in spaces
    }
    pixels_of_set = yield from whole.part(nearest_pixels(list(generated.pixels), parts, None, _PIXEL_CANDIDATES))
    pixels_of_control = yield from whole.part(
        nearest_pixels(list(real.pixels[drawn]), parts, others, _PIXEL_CANDIDATES)
    )
    of_set[PIXELS] = yield from whole.part(
        _aligned(generated.pixels, real, fields, of_set, pixels_of_set, None, "images of the set")
    )
    of_control[PIXELS] = yield from whole.part(
        _aligned(real.pixels[drawn], real, fields, of_control, pixels_of_control, others, "real images")
    )
    return judged(of_set, of_control)


class _Shares(PartsProgress):
    """The parts of the search, weighted by their milliseconds on one processor."""

    def __init__(self, real: int, of_set: int, of_control: int) -> None:
        nearest = 0.003 * real  # grows with the number of real images
        super().__init__([3 * real, nearest * of_set, nearest * of_control, 70 * of_set, 70 * of_control])


def _aligned(
    pixels: np.ndarray,
    real: Side,
    fields: torch.Tensor,
    nearest: Mapping[str, Neighbours],
    by_pixels: np.ndarray,
    allowed: np.ndarray | None,
    what: str,
) -> Work[Neighbours]:
    """The best match of each image among the candidates of all spaces, as the space ``pixels``."""
    indices, nearness = [], []
    for number, image in enumerate(pixels):
        if number % 10 == 0:
            yield Progress(f"Aligning {what} with real images", number, len(pixels))
        candidates = np.unique(
            np.concatenate([by_pixels[number], *(found.indices[number] for found in nearest.values())])
        )
        if allowed is not None:  # if fewer images are allowed than requested, forbidden ones fill the list
            candidates = candidates[allowed[number][candidates]]
        match = best_match(image, real.pixels[candidates], fields[candidates])
        indices.append(candidates[match.index])
        nearness.append(-math.log(max(1 - match.correlation, 1e-12)))
    return Neighbours(np.array(indices)[:, None], np.array(nearness))


def judged(of_set: Mapping[str, Neighbours], of_control: Mapping[str, Neighbours]) -> CopyFindings:
    """Combine the nearness of the set and of the control in all spaces, including ``PIXELS``, into findings."""
    size = len(next(iter(of_set.values())).nearness)
    nearness = {space: (_finite(of_set[space]), _finite(of_control[space])) for space in of_set}
    thresholds = tuple(threshold_of(space, nearness[space][1], size, len(of_set)) for space in of_set)
    above = [tuple(values > limit.suspicious for values in nearness[limit.space]) for limit in thresholds]
    shares = {
        limit.space: (Share(int(of.sum()), len(of)), Share(int(control.sum()), len(control)))
        for limit, (of, control) in zip(thresholds, above, strict=True)
    }
    in_any = [np.any([pair[side] for pair in above], axis=0) for side in (0, 1)]
    suspicious, control = (Share(int(hits.sum()), len(hits)) for hits in in_any)
    ranking = _ranked(of_set, nearness, thresholds)
    return CopyFindings(thresholds, shares, suspicious, control, ranking, nearness)


def _ranked(
    of_set: Mapping[str, Neighbours],
    nearness: Mapping[str, tuple[np.ndarray, np.ndarray]],
    thresholds: tuple[Threshold, ...],
) -> tuple[Suspicion, ...]:
    excess = np.stack([(nearness[limit.space][0] - limit.suspicious) / limit.scale for limit in thresholds])
    copied = np.any([nearness[limit.space][0] > limit.copy for limit in thresholds], axis=0)
    correlations = (1 - np.exp(-of_set[PIXELS].nearness)).tolist()
    most, where = excess.max(axis=0), excess.argmax(axis=0)
    nearest = np.choose(where, [of_set[limit.space].indices[:, 0] for limit in thresholds]).tolist()
    return tuple(
        Suspicion(
            generated=index,
            real=nearest[index],
            space=thresholds[where[index]].space,
            correlation=correlations[index],
            excess=float(most[index]),
            is_copy=bool(copied[index]),
        )
        for index in np.argsort(-most, kind="stable").tolist()
    )


def _finite(found: Neighbours) -> np.ndarray:
    return np.minimum(found.nearness, _NEAREST)


def _pair(suspicion: Suspicion, generated: Side, real: Side) -> dict[str, Any]:
    image, origin = generated.images[suspicion.generated], real.images[suspicion.real]
    return {
        "image": f"{image.class_name}/{image.path.name}",
        "real": origin.path.name,
        "lesion": origin.lesion_id,
        "space": suspicion.space,
        "correlation": suspicion.correlation,
        "excess": suspicion.excess,
        "suspicious": suspicion.excess > 0,
        "copy": suspicion.is_copy,
    }
