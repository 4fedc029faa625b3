"""``python -m diffusion autoencoder train`` and ``evaluate``."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from core import __version__
from core.errors import ArgumentError
from core.generation.control import Control, obey_signals
from core.io.plain_text import printable
from core.models.devices import resolve_device, resolve_precision
from diffusion.autoencoder.crops import CropBatches, as_tensor, joined
from diffusion.autoencoder.evaluation import Reconstruction, evaluate
from diffusion.autoencoder.files import (
    AUTOENCODER_FILE,
    load_autoencoder,
    read_training_state,
    write_autoencoder,
)
from diffusion.autoencoder.learner import AutoencoderLearner
from diffusion.autoencoder.settings import AutoencoderSettings
from diffusion.cache import load_masks, load_pixels
from diffusion.data import LabelledImage, split_by_lesion
from diffusion.run_folder import check_no_run, check_writable
from diffusion.state import STATE_FILE, write_state
from diffusion.tables import read_images
from diffusion.weights import HAM10000

_STATISTICS_IMAGES: Final = 1000
_VALIDATION_IMAGES: Final = 64
_BATCH: Final = 16
_log = logging.getLogger(__name__)


def train(options: argparse.Namespace) -> bool:
    """Train an autoencoder on a folder of real images.

    Returns:
        Whether it is finished; false after Ctrl-C or SIGTERM.

    Raises:
        ArgumentError: the options, the data folder or the output folder do not allow it; nothing was written.
        CheckpointError: the state to resume cannot be used.
        JobFailedError: the loss is not finite or the disk is full; the last whole state is good.
    """
    device = resolve_device(options.device)
    found = read_images(options.data)
    training, held_out = split_by_lesion(found.images)
    has_masks = any(image.mask for image in training)
    learner = AutoencoderLearner(_settings(options, device, has_masks), device)
    settings, state_file = learner.settings, options.output / STATE_FILE
    check_writable(options.output, "--output")
    if options.resume:
        learner.load(read_training_state(state_file), str(state_file))
    else:
        check_no_run(options.output)
    for line in found.report():
        tqdm.write(printable(line))
    cache = options.cache or options.output / "cache"
    batches = _batches(training, settings, cache)
    control = Control()
    with obey_signals(control), tqdm(initial=learner.step, total=settings.total_steps, unit="step") as bar:
        while not learner.finished:
            until = min(_next_stop(learner.step, settings), options.until or settings.total_steps)
            learner.run(batches, control, lambda loss: _show(bar, loss), until)
            write_state(state_file, learner.state())
            if not learner.finished and (learner.step < until or learner.step == options.until):
                bar.write(f"Stopped after step {learner.step}; continue with --resume. The state: {state_file}")
                return False
            if learner.step % settings.validate_every == 0 or learner.finished:
                line = f"step {learner.step}: {_validation(learner, held_out or training, cache)}"
                _log.info("%s", line)
                bar.write(line)
    mean, std = latent_statistics(learner, training, cache)
    file = options.output / AUTOENCODER_FILE
    write_autoencoder(file, learner.weights(mean, std), _provenance(learner, str(found.form)))
    tqdm.write(f"Done: {file}")
    return True


def evaluate_file(options: argparse.Namespace) -> Reconstruction:
    """Evaluate an autoencoder on the held-out lesions of a data folder, and print the figures.

    Raises:
        ArgumentError: the data folder has no images of held-out lesions.
        CheckpointError: the file holds no autoencoder.
    """
    device = resolve_device(options.device)
    weights, _ = load_autoencoder(options.autoencoder)
    _, held_out = split_by_lesion(read_images(options.data).images)
    images = [image for image in held_out if image.class_name][: options.images]
    if not images:
        raise ArgumentError(f"{options.data} has no images of held-out lesions; name a folder with more lesions.")
    pixels = load_pixels(images, options.size, options.cache)
    masks = load_masks(pixels.images, options.size, options.cache) if weights.mask_channel else None
    classes = [image.class_name or "" for image in pixels.images]
    lesions = [image.lesion_id for image in pixels.images]
    figures = evaluate(weights, pixels.array, masks, classes, lesions, device)
    print(json.dumps(asdict(figures)) if options.json else in_words(figures))  # noqa: T201
    return figures


def in_words(figures: Reconstruction) -> str:
    """The figures, one per line."""
    dice = "no masks" if figures.dice is None else f"{figures.dice:.3f}"
    return "\n".join(
        [
            f"images of held-out lesions   {figures.images}",
            f"PSNR                         {figures.psnr:.2f} dB ({figures.psnr_half:.2f} dB at half the size)",
            f"SSIM                         {figures.ssim:.3f}",
            f"perceptual distance          {figures.perceptual:.3f}",
            f"sharpness against real       {figures.sharpness:.2f}",
            f"Dice of the lesion masks     {dice}",
            f"KID of reconstructions       {figures.kid:.5f} (real images against real images: {figures.kid_real:.5f})",
        ]
    )


def latent_statistics(
    learner: AutoencoderLearner, images: Sequence[LabelledImage], cache: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each latent channel over training images."""
    chosen = _thinned(images, _STATISTICS_IMAGES)
    learner.model.eval()
    with torch.inference_mode():
        latents = [
            learner.model.encode(batch.to(learner.device), return_dict=False)[0].float().cpu()
            for batch in _whole_images(chosen, learner.settings, cache)
        ]
    learner.model.train()
    stacked = torch.cat(latents).double()
    mean, std = stacked.mean(dim=(0, 2, 3)), stacked.std(dim=(0, 2, 3)).clamp(min=1e-6)
    return tuple(mean.tolist()), tuple(std.tolist())


def _settings(options: argparse.Namespace, device: torch.device, has_masks: bool) -> AutoencoderSettings:
    names = {field.name for field in fields(AutoencoderSettings)}
    given = {name: value for name, value in vars(options).items() if name in names and value is not None}
    precision = resolve_precision(options.precision, device)
    return AutoencoderSettings(**{**given, "precision": precision, "mask_channel": has_masks})


def _next_stop(step: int, settings: AutoencoderSettings) -> int:
    """The next step after which a state is saved or a validation is due."""
    stops = (settings.save_every, settings.validate_every)
    return min(*((step // every + 1) * every for every in stops), settings.total_steps)


def _batches(images: Sequence[LabelledImage], settings: AutoencoderSettings, cache: Path) -> CropBatches:
    pixels = load_pixels(images, settings.size, cache)
    masks = load_masks(pixels.images, settings.size, cache) if settings.mask_channel else None
    classes = [image.class_name for image in pixels.images]
    return CropBatches(pixels.array, masks, classes, settings.crop, settings.batch_size, settings.seed)


def _whole_images(
    images: Sequence[LabelledImage], settings: AutoencoderSettings, cache: Path
) -> Iterator[torch.Tensor]:
    pixels = load_pixels(images, settings.size, cache)
    masks = load_masks(pixels.images, settings.size, cache) if settings.mask_channel else None
    for start in range(0, len(pixels.images), _BATCH):
        own = slice(start, start + _BATCH)
        yield as_tensor(joined(np.asarray(pixels.array[own]), None if masks is None else np.asarray(masks[own])))


def _validation(learner: AutoencoderLearner, images: Sequence[LabelledImage], cache: Path) -> str:
    """PSNR of the averaged weights over a few held-out images, in words."""
    channels = learner.settings.latent_channels
    decoder = learner.weights((0.0,) * channels, (1.0,) * channels).build(learner.device)
    errors = []
    for batch in _whole_images(_thinned(images, _VALIDATION_IMAGES), learner.settings, cache):
        with torch.inference_mode():
            latents = decoder.model.encode(batch.to(learner.device), return_dict=False)[0]
            decoded, _ = decoder.decode(latents)
        errors.append((decoded.cpu() - batch[:, :3]).square().mean(dim=(1, 2, 3)))
    return f"PSNR {float((10 * torch.log10(4 / torch.cat(errors))).mean()):.2f} dB on held-out images"


def _thinned(images: Sequence[LabelledImage], count: int) -> list[LabelledImage]:
    every = max(1, len(images) // count)
    return list(images[::every])[:count]


def _show(bar: Any, loss: float) -> None:
    bar.update(1)
    bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)


def _provenance(learner: AutoencoderLearner, form: str) -> dict[str, Any]:
    origin = HAM10000 if form.startswith("HAM10000") else {"data": form}
    return {**origin, "step": learner.step, "settings": asdict(learner.settings), "isicgui_version": __version__}
