"""Summarise how the images of a set were generated, from the parameters in their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.output.image_file import ImageFileError, ImageParameters, read_parameters
from evaluation.features.image_listing import FoundImage

_SHOWN: Final[dict[str, Callable[[ImageParameters], str]]] = {
    "sampler": lambda parameters: parameters.sampler,
    "steps": lambda parameters: str(parameters.steps),
    "reuse": lambda parameters: str(parameters.reuse),
    "base_seed": lambda parameters: str(parameters.base_seed),
    "precision": lambda parameters: parameters.precision,
    "device": lambda parameters: parameters.device,
    "image_size": lambda parameters: str(parameters.image_size),
    "color_adjusted": lambda parameters: "yes" if parameters.color_adjustment else "no",
    "demonstration_weights": lambda parameters: "yes" if parameters.demonstration else "no",
    "checkpoint": lambda parameters: f"{parameters.checkpoint} (sha256 {parameters.checkpoint_sha256[:12]})",
    "isicgui_version": lambda parameters: parameters.isicgui_version,
    "torch_version": lambda parameters: parameters.torch_version,
}


@dataclass(frozen=True)
class Provenance:
    """Summary of the generation parameters of a set.

    Attributes:
        images: number of images with parameters.
        silent: number of images without parameters.
        values: for each parameter, its values and their numbers of images, most frequent first.
        seeds: lowest and highest seed; None if no image has parameters.
    """

    images: int
    silent: int
    values: dict[str, dict[str, int]]
    seeds: tuple[int, int] | None

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values."""
        return {"images": self.images, "without_parameters": self.silent, "values": self.values, "seeds": self.seeds}

    def in_words(self) -> dict[str, str]:
        """The values of each parameter as text for a report."""
        if not self.images:
            return {"generation": "the images do not contain their generation parameters"}
        words = {name.replace("_", " "): _listed(counts) for name, counts in self.values.items()}
        words["seeds"] = "{} to {}".format(*self.seeds) if self.seeds else "none"
        return words | ({"images without parameters": str(self.silent)} if self.silent else {})


def read_provenance(images: Sequence[FoundImage]) -> Provenance:
    """Read the parameters in every PNG of a set."""
    known: list[ImageParameters] = []
    for image in images:
        try:
            known.append(read_parameters(image.path))
        except ImageFileError:  # an image of another program
            continue
    values: dict[str, dict[str, int]] = {}
    for name, value_of in _SHOWN.items():
        counts = Counter(value_of(parameters) for parameters in known)
        values[name] = dict(counts.most_common())
    seeds = [parameters.seed for parameters in known]
    return Provenance(len(known), len(images) - len(known), values, (min(seeds), max(seeds)) if seeds else None)


def _listed(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({number})" for value, number in counts.items())
