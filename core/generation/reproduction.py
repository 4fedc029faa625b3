"""Make an image again from what its PNG says, and compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch

from core.errors import CheckpointError, DeviceError, IsicGuiError
from core.generation.deep_cache import check_reuse
from core.generation.denoising import Step, denoise, to_pixels
from core.generation.samplers import Sampler
from core.models.checkpoints import LoadedModel, ModelCache
from core.models.devices import enough_memory, resolve_device, resolve_precision
from core.models.guided_checkpoints import CONDITIONED_FILE, load_conditioned
from core.models.model_lookup import checkpoint_file
from core.output.color_adjustment import adjust
from core.output.image_file import ImageParameters, read_parameters, read_pixels

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


@dataclass(frozen=True)
class Repetition:
    """An image and all that is needed to make it again, checked; get one from ``prepare_repetition``.

    Attributes:
        recorded: the pixels of the file, uint8 (S, S, 3).
    """

    image: Path
    parameters: ImageParameters
    recorded: np.ndarray = field(repr=False)
    loaded: LoadedModel = field(repr=False)
    device: torch.device
    precision: str

    def steps(self) -> Iterator[Step]:
        """Denoise again, a step at a time.

        Raises:
            JobFailedError: memory does not suffice.
        """
        made = self.parameters
        sampler = Sampler(made.sampler, self.loaded.checkpoint.scheduler, made.steps)
        with enough_memory(self.device, "one image"):
            yield from denoise(self.loaded.model, sampler, [made.seed], self.device, made.reuse, self.loaded.decoder)

    def compare(self, images: torch.Tensor) -> Reproduction:
        """Compare what the last step led to, (1, 3, S, S) in [-1, 1], with the file.

        Raises:
            IsicGuiError: it has another size.
        """
        pixels: np.ndarray = to_pixels(images)[0]
        if self.parameters.color_adjustment is not None:
            pixels = adjust(pixels, self.parameters.color_adjustment)
        if pixels.shape != self.recorded.shape:
            height, width = self.recorded.shape[:2]
            raise IsicGuiError(f"{self.image} is {width}x{height} pixels, not what its checkpoint makes.")
        difference = np.abs(pixels.astype(np.int16) - self.recorded)
        same_place = self.precision == "fp32" and str(self.device) == self.parameters.device
        tolerance = EXACT if same_place else REDUCED
        largest, mean = int(difference.max()), round(float(difference.mean()), 4)
        return Reproduction(self.image, str(self.device), self.precision, largest, mean, tolerance)


def reproduce(image: Path, checkpoints: Path, cache: ModelCache, device: str | None = None) -> Reproduction:
    """Make one image again and compare it with the file; arguments and errors as of ``prepare_repetition``."""
    repetition = prepare_repetition(image, checkpoints, cache, device)
    for step in repetition.steps():
        images = step.images
    return repetition.compare(images)


def prepare_repetition(image: Path, checkpoints: Path, cache: ModelCache, device: str | None = None) -> Repetition:
    """Check that an image can be reproduced.

    Args:
        image: a PNG of this program.
        checkpoints: folder of the checkpoint that made it.
        cache: models used again from image to image.
        device: as in a job; by default the device that the image names.

    Raises:
        ImageFileError: the file is not an image of this program.
        CheckpointError: the checkpoint is not there, or is another one than that which made the image.
        ArgumentError: the checkpoint cannot be evaluated with the reuse that the image names.
        DeviceError: the image needs a kind of device that is not here.
        JobFailedError: memory does not suffice for the model.
    """
    parameters = read_parameters(image)
    recorded = read_pixels(image)
    place = _device(image, parameters, device)
    precision = resolve_precision(parameters.precision, place)
    loaded = _checked_model(image, parameters, checkpoints, cache, place)
    check_reuse(loaded.checkpoint.path.name, loaded.checkpoint.config, parameters.reuse)
    return Repetition(image, parameters, recorded, loaded, place, precision)


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
    condition = parameters.condition
    file = folder / CONDITIONED_FILE if condition else checkpoint_file(folder, parameters.class_name)
    if not file.is_file():
        raise CheckpointError(
            f"{image} cannot be made again: its checkpoint {parameters.checkpoint} is not in {folder}; "
            "name the folder that holds it with --checkpoints."
        )
    if condition:
        guidance = 1.0 if parameters.guidance is None else parameters.guidance
        loaded = load_conditioned(file, condition, guidance, device, parameters.precision)
    else:
        loaded = cache.get(file, device, parameters.precision)
    if loaded.sha256 != parameters.checkpoint_sha256:
        raise CheckpointError(
            f"{image} was made with another checkpoint: it names sha256 {parameters.checkpoint_sha256[:12]}…, "
            f"and {file} has {loaded.sha256[:12]}…; name the folder of the right one with --checkpoints."
        )
    return loaded
