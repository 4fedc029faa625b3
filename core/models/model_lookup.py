"""Which file of a checkpoints folder holds the model of a class: our own name, or a name that other programs use.

Nothing is read here but names, so that the window can look before torch is loaded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from core.paths import best_checkpoint_file

CONFIG: Final = "config.json"
INDEX: Final = "model_index.json"
WEIGHTS: Final = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
)
_UNETS: Final = ("unet_ema", "unet", "")  # averaged weights first: they are what images are made with


def checkpoint_file(folder: Path, class_name: str) -> Path:
    """The file that holds the model of a class.

    The first of these counts; names are compared without regard to case if only one file matches:

    1. ``unet_<CLASS>_best.pth``, then ``unet_<CLASS>_best.safetensors``;
    2. a folder ``<CLASS>`` or ``unet_<CLASS>`` of diffusers' ``save_pretrained``: a whole pipeline, or a UNet;
    3. ``unet_<CLASS>_epoch_<N>.pth`` with the highest N.

    Returns:
        The file; for a folder of diffusers, its weights, or a file that says what is missing. If there is none of them,
        ``unet_<CLASS>_best.pth``, which then does not exist.
    """
    best = best_checkpoint_file(folder, class_name)
    if best.is_file():
        return best
    names = _names_in(folder)
    for wanted in (best.name, best.with_suffix(".safetensors").name):
        found = _unambiguous(names, wanted)
        if found and (folder / found).is_file():
            return folder / found
    for wanted in (class_name, f"unet_{class_name}"):
        found = _unambiguous(names, wanted)
        weights = diffusers_file(folder / found) if found else None
        if weights:
            return weights
    return _last_epoch(folder, names, class_name) or best


def diffusers_file(folder: Path) -> Path | None:
    """The weights of the UNet in a folder of diffusers; a description without weights is returned itself.

    Returns:
        None if the folder has neither ``config.json`` nor ``model_index.json``.
    """
    for name in _UNETS:
        if (folder / name / CONFIG).is_file():
            weights = (folder / name / file for file in WEIGHTS)
            return next((file for file in weights if file.is_file()), folder / name / CONFIG)
    return folder / INDEX if (folder / INDEX).is_file() else None


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _unambiguous(names: list[str], wanted: str) -> str | None:
    """The name itself, else the one name that differs from it in case alone."""
    if wanted in names:
        return wanted
    alike = [name for name in names if name.lower() == wanted.lower()]
    return alike[0] if len(alike) == 1 else None


def _last_epoch(folder: Path, names: list[str], class_name: str) -> Path | None:
    pattern = re.compile(rf"unet_{class_name}_epoch_(\d+)\.pth", re.IGNORECASE)
    epochs = {int(match[1]): name for name in names if (match := pattern.fullmatch(name))}
    return folder / epochs[max(epochs)] if epochs else None
