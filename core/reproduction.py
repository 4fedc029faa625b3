"""Make an image again from what its PNG says, and compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from core.checkpoints import LoadedModel, ModelCache
from core.colour import adjust
from core.denoising import denoise, to_pixels
from core.devices import resolve_device, resolve_precision
from core.errors import CheckpointError, DeviceError, IsicGuiError
from core.image_file import ImageParameters, read_parameters, read_pixels
from core.paths import checkpoint_file
from core.samplers import Sampler

EXACT: Final = 1  # grey levels of 255: fp32 sums in another order may round one value the other way
REDUCED: Final = 8  # bf16 differed by 2 between batch sizes on one CPU; fp16 and other machines are not measured


@dataclass(frozen=True)
class Reproduction:
    """The comparison of one image with its repetition, in grey levels of 255."""

    image: Path
    device: str
    precision: str
    maximum_difference: int
    mean_difference: float
    tolerance: int

    @property
    def equal(self) -> bool:
        """Whether no pixel differs by more than the tolerance."""
        return self.maximum_difference <= self.tolerance


def reproduce(image: Path, checkpoints: Path, cache: ModelCache, device: str | None = None) -> Reproduction:
    """Make one image again and compare it with the file.

    Args:
        image: a PNG of this program.
        checkpoints: folder of the checkpoint that made it.
        cache: models used again from image to image.
        device: as in a job; by default the device that the image names.

    Raises:
        ImageFileError: the file is not an image of this program.
        CheckpointError: the checkpoint is not there, or is another one than that which made the image.
        DeviceError: the image needs a kind of device that is not here.
    """
    parameters = read_parameters(image)
    recorded = read_pixels(image)
    place = _device(image, parameters, device)
    precision = resolve_precision(parameters.precision, place)
    loaded = _checked_model(image, parameters, checkpoints, cache, place)
    repeated = _pixels(parameters, loaded, place)
    if repeated.shape != recorded.shape:
        raise IsicGuiError(f"{image} is {recorded.shape[1]}x{recorded.shape[0]} pixels, not what its checkpoint makes.")
    difference = np.abs(repeated.astype(np.int16) - recorded)
    tolerance = EXACT if precision == "fp32" and str(place) == parameters.device else REDUCED
    return Reproduction(
        image, str(place), precision, int(difference.max()), round(float(difference.mean()), 4), tolerance
    )


def _device(image: Path, parameters: ImageParameters, asked: str | None) -> torch.device:
    kind = torch.device(parameters.device).type
    place = resolve_device(asked or ("cuda" if kind == "cuda" else "cpu"))
    if place.type != kind:
        raise DeviceError(
            f"{image} was made on {parameters.device}, whose random numbers {place} cannot draw; "
            f"reproduce it on a device of the kind {kind}."
        )
    return place


def _checked_model(
    image: Path, parameters: ImageParameters, folder: Path, cache: ModelCache, device: torch.device
) -> LoadedModel:
    file = checkpoint_file(folder, parameters.class_name)
    if not file.is_file():
        raise CheckpointError(
            f"{image} cannot be made again: its checkpoint {parameters.checkpoint} is not in {folder}; "
            "name the folder that holds it with --checkpoints."
        )
    loaded = cache.get(file, device, parameters.precision)
    if loaded.sha256 != parameters.checkpoint_sha256:
        raise CheckpointError(
            f"{image} was made with another checkpoint: it names sha256 {parameters.checkpoint_sha256[:12]}…, "
            f"and {file} has {loaded.sha256[:12]}…; name the folder of the right one with --checkpoints."
        )
    return loaded


def _pixels(parameters: ImageParameters, loaded: LoadedModel, device: torch.device) -> np.ndarray:
    sampler = Sampler(parameters.sampler, loaded.checkpoint.scheduler, parameters.steps)
    for step in denoise(loaded.model, sampler, [parameters.seed], device):
        images = step.images
    pixels: np.ndarray = to_pixels(images)[0]
    return adjust(pixels, parameters.color_adjustment) if parameters.color_adjustment else pixels
