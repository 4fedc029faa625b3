"""A grid of images at fixed seeds, to watch the averaged weights learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from core.classes import CLASSES
from core.generation.denoising import denoise, to_pixels
from core.generation.samplers import Sampler
from core.generation.seeds import image_seed
from core.io.atomic_files import whole_file
from core.models.autoencoders import LatentDecoder
from core.models.conditions import ALL_FIELDS, SITES, Condition

_STEPS: Final = 20
_ROWS: Final = 4
_CONDITIONS: Final = [
    Condition(),
    *(
        Condition(melanocytic, sex, age, SITES[0])
        for melanocytic, sex, age in ((True, "female", 30), (False, "male", 70))
    ),
    *(Condition(melanocytic=True, site=site) for site in SITES[1:4]),
]


class _WithLabels:
    """A conditional network with fixed labels, in the form that ``core.generation.denoising`` evaluates."""

    def __init__(self, model: Any, labels: torch.Tensor | None) -> None:
        self.model, self.labels = model, labels
        self.config, self.dtype = model.config, torch.float32

    def __call__(self, noisy: torch.Tensor, timestep: int, return_dict: bool) -> Any:
        return self.model(noisy, timestep, class_labels=self.labels, return_dict=return_dict)


def columns_of(conditioning: str) -> tuple[list[str], torch.Tensor | None]:
    """What the columns of a grid show: their names for the seeds, and their labels for the network."""
    if conditioning == "class":
        return list(CLASSES), torch.arange(len(CLASSES))
    if conditioning == "metadata":
        return [condition.label for condition in _CONDITIONS], torch.tensor([c.vector() for c in _CONDITIONS])
    if conditioning == "all":
        shown = [Condition(class_name=name) for name in CLASSES]
        return list(CLASSES), torch.tensor([condition.vector(ALL_FIELDS) for condition in shown])
    return ["grid"] * 6, None


def draw_grid(
    model: Any,
    conditioning: str,
    schedule: dict[str, Any],
    device: torch.device,
    decoder: LatentDecoder | None = None,
) -> np.ndarray:
    """Four rows of images, a column a class or condition, by DPM-Solver++ in 20 steps.

    Args:
        model: the network, with the weights that are to be watched.
        conditioning: ``none``, ``class``, ``metadata`` or ``all``.
        schedule: arguments of ``DDPMScheduler``.
        device: where the network is.
        decoder: of a network that denoises latents.

    Returns:
        uint8 (4 * S, columns * S, 3).
    """
    names, labels = columns_of(conditioning)
    rows = []
    for row in range(_ROWS):
        seeds = [image_seed(name, 1 + row * len(names) + column) for column, name in enumerate(names)]
        network = _WithLabels(model, None if labels is None else labels.to(device))
        for step in denoise(network, Sampler("dpmpp", schedule, _STEPS), seeds, device, decoder=decoder, together=True):
            last = step
        rows.append(np.concatenate(list(to_pixels(last.images)), axis=1))
    return np.concatenate(rows, axis=0)


def save_grid(pixels: np.ndarray, file: Path) -> None:
    """Write a grid as PNG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file, replace=True) as stream:
        Image.fromarray(pixels).save(stream, format="PNG")
