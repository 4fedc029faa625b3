"""``isicgui.generate``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.generation.job import GenerationJob
from core.generation.seeds import BASE_SEED
from core.paths import CHECKPOINTS
from core.presets import AUTO, STANDARD, preset_named

if TYPE_CHECKING:
    from core.generation.events import Event
    from core.models.conditions import Condition


@dataclass(frozen=True)
class GeneratedImage:
    """One image that was written.

    Attributes:
        path: the PNG file.
        class_name: its class code.
        number: its ISIC number within the class folder, from 1.
        seed: the seed that the image depends on.
    """

    path: Path
    class_name: str
    number: int
    seed: int


@dataclass(frozen=True)
class GeneratedSet:
    """The images of one call of ``generate``.

    Attributes:
        output: the output folder; it also holds ``synthetic_dataset.csv``.
        images: the images that were written, in the order of their classes and numbers.
        failures: one sentence for each image that could not be generated.
        warnings: what differs from the request.
        seconds: duration of the job.
    """

    output: Path
    images: tuple[GeneratedImage, ...]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float


def generate(
    counts: Mapping[str, int],
    output: str | Path,
    *,
    checkpoints: str | Path = CHECKPOINTS,
    preset: str = STANDARD,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = BASE_SEED,
    device: str = AUTO,
    precision: str = AUTO,
    batch_size: int | None = None,
    condition: Condition | None = None,
    guidance: float = 2.0,
    on_event: Callable[[Event], object] | None = None,
) -> GeneratedSet:
    """Generate images and add them to an output folder; existing images are never overwritten.

    An interrupt (Ctrl-C, or the stop button of a notebook) keeps every finished image.

    Args:
        counts: number of images for each class code, as in ``{"MEL": 4, "NV": 2}``.
        output: the folder for ``<CLASS>/ISIC_0000001.png`` and ``synthetic_dataset.csv``.
        checkpoints: the folder with ``unet_<CLASS>_best.pth``.
        preset: ``standard`` or ``fast``; ``steps`` and ``sampler`` override it.
        steps: denoising steps, 1 to 1000.
        sampler: ``ddpm``, ``ddim``, ``dpmpp`` or ``unipc``.
        seed: the base seed, 0 to 2**31 - 1.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        batch_size: images denoised together; None chooses by device and model.
        condition: metadata for ``unet_metadata_best.pth``; None uses the models of the classes.
        guidance: guidance scale if a condition is given, 0 to 20; 1 is the model without guidance.
        on_event: called with every event of the job (``core.generation.events``).

    Raises:
        ArgumentError: a value is out of its range, or the device or the output folder cannot be used.
        CheckpointError: a checkpoint is missing, damaged or refused.
        JobFailedError: the disk or the memory is full; finished images are kept.
    """
    chosen = preset_named(preset)
    job = GenerationJob(
        counts=counts,
        checkpoints=Path(checkpoints),
        output=Path(output),
        steps=chosen.steps if steps is None else steps,
        sampler=sampler or chosen.sampler,
        reuse=chosen.reuse,
        base_seed=seed,
        device=device,
        precision=precision,
        batch_size=batch_size,
        condition=condition,
        guidance=guidance if condition else 1.0,
    )
    from core.generation.events import DenoisingStep  # noqa: PLC0415 - loads Pillow
    from core.generation.runner import run  # noqa: PLC0415 - loads torch

    kept: list[Event] = []
    with contextlib.closing(run(job)) as events:
        for event in events:
            if on_event:
                on_event(event)
            if not isinstance(event, DenoisingStep):  # its tensors would fill the memory
                kept.append(event)
    return _result(job, kept)


def _result(job: GenerationJob, events: list[Event]) -> GeneratedSet:
    from core.generation.events import ImageFailed, ImageSaved, JobFinished, Warned  # noqa: PLC0415 - loads Pillow

    images, failures, warnings, seconds = list[GeneratedImage](), list[str](), list[str](), 0.0
    for event in events:
        if isinstance(event, ImageSaved):
            made = event.parameters
            images.append(GeneratedImage(event.path, made.class_name, made.isic_number, made.seed))
        elif isinstance(event, ImageFailed):
            failures.append(f"{event.class_name}, image {event.isic_number}: {event.reason}")
        elif isinstance(event, Warned):
            warnings.append(event.text)
        elif isinstance(event, JobFinished):
            seconds = event.seconds
    return GeneratedSet(job.output, tuple(images), tuple(failures), tuple(warnings), seconds)
