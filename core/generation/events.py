"""What a running job tells: small typed events. Everything that shows progress is an adapter over this one stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.output.image_file import ImageParameters

if TYPE_CHECKING:
    import torch


class HasEstimate(Protocol):
    """A denoising step that gives its x0 estimate as images."""

    @property
    def estimate(self) -> torch.Tensor:
        """(B, 3, S, S) in [-1, 1]."""


@dataclass(frozen=True)
class Event:
    """Base of all events."""

    def to_json(self) -> dict[str, Any]:
        """The event as plain JSON values under its name, ``ImageSaved`` as ``image_saved``; tensors are left out."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"event": name, **{key: value for key, value in values.items() if value is not NotImplemented}}


@dataclass(frozen=True)
class JobStarted(Event):
    """The job has been checked and begins; ``total`` images are to be made.

    ``first_numbers`` are the ISIC numbers at which its classes begin.
    """

    total: int
    steps: int
    sampler: str
    reuse: int
    device: str
    precision: str
    output: Path
    base_seed: int
    first_numbers: dict[str, int]


@dataclass(frozen=True)
class ClassStarted(Event):
    """The images of one class begin; its model is in memory."""

    class_name: str
    count: int
    checkpoint: str
    checkpoint_sha256: str
    batch_size: int


@dataclass(frozen=True)
class DenoisingStep(Event):
    """One step of the images ``numbers`` of a class; ``source`` computes their x0 estimate when it is asked for."""

    class_name: str
    numbers: tuple[int, ...]
    step: int
    steps: int
    timestep: int
    source: HasEstimate

    @property
    def estimate(self) -> torch.Tensor:
        """The x0 estimate, (B, 3, S, S) in [-1, 1]. Reading it decodes the latents of a latent model."""
        return self.source.estimate


@dataclass(frozen=True)
class ImageSaved(Event):
    """An image is in place; ``done`` of ``total`` have been attempted."""

    path: Path
    parameters: ImageParameters
    done: int
    total: int


@dataclass(frozen=True)
class ImageFailed(Event):
    """An image could not be made; it has neither file nor row."""

    class_name: str
    isic_number: int
    seed: int
    reason: str
    done: int
    total: int


@dataclass(frozen=True)
class ImageExplained(Event):
    """An overlay of an image has been made; what the classifier says of the image, by class, adds up to 1."""

    path: Path
    overlay: Path
    probabilities: dict[str, float]


@dataclass(frozen=True)
class AnalysisProgress(Event):
    """The full analysis of an image is under way; ``fraction`` of it is done, 0 to 1."""

    path: Path
    fraction: float
    doing: str


@dataclass(frozen=True)
class ImageAnalysed(Event):
    """The full analysis of an image is complete; ``report`` is its HTML file."""

    path: Path
    report: Path
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Notice(Event):
    """Something worth knowing."""

    text: str


@dataclass(frozen=True)
class Warned(Event):
    """Something did not work as requested; the job continues."""

    text: str


@dataclass(frozen=True)
class Paused(Event):
    """The job waits."""


@dataclass(frozen=True)
class Resumed(Event):
    """The job continues after a pause."""


@dataclass(frozen=True)
class JobFinished(Event):
    """The last event of every job that did not fail; ``stopped`` if it was stopped on request."""

    saved: int
    failed: int
    stopped: bool
    seconds: float


def _plain(value: object) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, ImageParameters):
        return value.to_json()
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, (str, int, bool, tuple, list, dict)) or value is None:
        return value
    return NotImplemented
