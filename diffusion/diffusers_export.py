"""Models as pipelines of diffusers, so that a notebook without this program can generate with them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError, JobFailedError
from core.models.checkpoints import Checkpoint, read_checkpoint
from core.models.model_lookup import checkpoint_file
from core.models.torchvision_shim import declare_missing_operators
from diffusion.export import classes_of
from diffusion.weights import read_weights, write_checkpoints


def export_diffusers(source: Path, folder: Path, classes: Sequence[str] | None = None) -> tuple[list[Path], list[str]]:
    """Write a ``DDPMPipeline`` per class, which ``DDPMPipeline.from_pretrained`` loads.

    Args:
        source: a checkpoints folder, a checkpoint, or a training state.
        folder: gets one folder per class, named by it; none of them may exist.
        classes: class codes; by default all that the source has.

    Returns:
        The folders written, and why other classes of a checkpoints folder were left out.

    Raises:
        ArgumentError: a class folder exists, or the source does not name its class.
        CheckpointError: nothing in the source can be used.
        JobFailedError: the folder cannot be written.
    """
    if source.is_dir():
        return _of_folder(source, folder, classes or CLASSES, named=classes is not None)
    weights = read_weights(source)
    wanted = list(classes or classes_of(weights, source))
    with tempfile.TemporaryDirectory() as unpacked:
        write_checkpoints(weights, Path(unpacked), wanted)
        return _of_folder(Path(unpacked), folder, wanted, named=True)


def _of_folder(source: Path, folder: Path, classes: Sequence[str], *, named: bool) -> tuple[list[Path], list[str]]:
    taken = next((folder / name for name in classes if (folder / name).exists()), None)
    if taken:
        raise ArgumentError(f"{taken} exists; name another folder with --diffusers, so that nothing is overwritten.")
    written, problems = [], []
    for name in classes:
        file = checkpoint_file(source, name)
        if not (named or file.is_file()):
            continue
        try:
            checkpoint = read_checkpoint(file)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        if checkpoint.autoencoder:
            kind = checkpoint.autoencoder.class_name
            problems.append(
                f"{file} is a latent model ({kind}); no pipeline of diffusers decodes it as it was trained."
            )
            continue
        _save(checkpoint, folder / name)
        written.append(folder / name)
    if not written:
        raise CheckpointError(problems[0] if problems else f"{source} holds no model of any class.")
    return written, problems


def _save(checkpoint: Checkpoint, folder: Path) -> None:
    declare_missing_operators()
    from diffusers import DDPMPipeline, DDPMScheduler  # noqa: PLC0415 - takes seconds

    unet: Any = checkpoint.build(plain=True).to(memory_format=torch.contiguous_format)  # safetensors asks for it
    pipeline = DDPMPipeline(unet, DDPMScheduler(**checkpoint.scheduler))
    try:
        pipeline.save_pretrained(folder)
    except OSError as error:
        raise JobFailedError(f"{folder} cannot be written ({error.strerror}); make room.") from error
