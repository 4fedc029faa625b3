"""The result of one evaluation and its JSON form."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from core import __version__
from evaluation.copy_detection.detector import CopyFindings
from evaluation.copy_detection.duplicates import Duplicates
from evaluation.features.image_set import Side
from evaluation.features.provenance import Provenance
from evaluation.job import EvaluationJob
from evaluation.metrics.appearance import Appearance
from evaluation.metrics.class_agreement import Agreement
from evaluation.metrics.embedding import Embedding
from evaluation.metrics.resemblance import ALL, Figure
from evaluation.utility.experiment import Usefulness

RESULT_FORMAT: Final = "isicgui.evaluation_result/1"


@dataclass(frozen=True)
class Effort:
    """Number of draws and repetitions.

    Attributes:
        real_of_class: maximum number of real images per class; 0 for all.
        divisions: number of divisions of the real images into halves.
        control: maximum number of real images in the controls of copies and duplicates.
        points: maximum number of images per side in the map of feature space.
        seeds: trainings of a head in the test of usefulness.
        network_seeds: trainings of a network in the test of usefulness.
    """

    real_of_class: int
    divisions: int
    control: int
    points: int
    seeds: int
    network_seeds: int


FULL: Final = Effort(real_of_class=0, divisions=20, control=1000, points=700, seeds=5, network_seeds=3)
QUICK: Final = Effort(real_of_class=150, divisions=6, control=200, points=300, seeds=3, network_seeds=2)


@dataclass(frozen=True)
class Evaluation:
    """Result of the evaluation of one set.

    Attributes:
        job: the job.
        effort: number of draws and repetitions.
        generated, real: images of the two sides.
        has_lesions: whether a table names the lesions of the real images.
        networks: for each network, the fingerprint of its weights.
        spaces: for each feature space, its description.
        warnings: facts that a reader must know.
    """

    job: EvaluationJob
    effort: Effort
    generated: Side = field(repr=False)
    real: Side = field(repr=False)
    has_lesions: bool
    networks: Mapping[str, str]
    spaces: Mapping[str, str]
    figures: Sequence[Figure] = field(repr=False)
    appearances: Sequence[Appearance] = field(repr=False)
    embedding: Embedding | None = field(repr=False)
    copies: CopyFindings = field(repr=False)
    duplicates: Duplicates
    agreements: Sequence[Agreement]
    usefulness: Sequence[Usefulness]
    provenance: Provenance
    warnings: Sequence[str]
    seconds: float

    @property
    def size(self) -> int:
        """Height and width at which images were compared."""
        return int(self.generated.pixels.shape[1])

    def figure(self, metric: str, class_name: str, space: str) -> Figure | None:
        """One figure; None if it was not computed."""
        wanted = (metric, class_name, space)
        return next((one for one in self.figures if (one.metric, one.class_name, one.features) == wanted), None)

    @property
    def overall(self) -> str:
        """The name of the group of all images: ``ALL``, or the only class."""
        counts = self.generated.counts()
        return ALL if len(counts) > 1 else next(iter(counts))

    def basis(self) -> dict[str, Any]:
        """Conditions that must be equal before figures of two sets can be compared."""
        return {
            "real_sha256": digest_of(self.real.digests),
            "size": self.size,
            "networks": dict(self.networks),
            "classes": list(self.generated.counts()),
            "quick": self.job.quick,
            "seed": self.job.seed,
        }

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values, without paths, because results are published."""
        values = {
            "format": RESULT_FORMAT,
            "set": self.job.images.resolve().name,
            "set_sha256": digest_of(self.generated.digests),
            "set_images": self.generated.counts(),
            "real": self.job.real.resolve().name,
            "real_images": self.real.counts(),
            "real_lesions": len(set(self.real.lesions.tolist())) if self.has_lesions else None,
            "basis": self.basis(),
            "features": dict(self.spaces),
            "settings": vars(self.effort),
            "provenance": self.provenance.to_json(),
            "figures": [figure.to_json() for figure in self.figures],
            "appearance": [appearance.to_json() for appearance in self.appearances],
            "copies": self.copies.to_json(self.generated, self.real),
            "duplicates": self.duplicates.to_json(),
            "agreement": [agreement.to_json() for agreement in self.agreements],
            "usefulness": [usefulness.to_json() for usefulness in self.usefulness],
            "warnings": list(self.warnings),
            "seconds": self.seconds,
            "versions": versions(),
        }
        return plain(values)


def digest_of(digests: Sequence[str]) -> str:
    """One SHA-256 of a set of files, independent of their order and names."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the program and of the libraries that affect the figures."""
    return {
        "isicgui": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def plain(value: Any) -> Any:
    """A value with JSON types only; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
