"""Lesion masks of synthetic images: files beside the set, under the names that ISIC gives to its segmentations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.io.atomic_files import whole_file


def masks_folder(output: Path) -> Path:
    """The default folder for the masks of an output folder: its sibling ``<output>_masks``.

    It is not inside the output folder, whose subfolders torchvision's ImageFolder takes for classes.
    """
    resolved = output.resolve()  # "." has no name to extend
    return resolved.with_name(f"{resolved.name}_masks")


def mask_file(masks: Path, class_name: str, number: int) -> Path:
    """The mask of an image: ``<masks>/<CLASS>/ISIC_0000001_segmentation.png``."""
    return masks / class_name / f"ISIC_{number:07d}_segmentation.png"


def mask_of_image(image: Path) -> Path:
    """The default mask of an image in an output folder, whether it exists or not."""
    return masks_folder(image.parent.parent) / image.parent.name / f"{image.stem}_segmentation.png"


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask; the file is whole or does not exist. A mask that a killed job left without its image is replaced.

    Args:
        path: of ``mask_file``.
        mask: bool (S, S), true inside the lesion. The file has 8 bits per pixel, 0 outside and 255 inside.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, replace=True) as stream:
        Image.fromarray(mask.astype(np.uint8) * 255).save(stream, format="PNG")
