"""Write the files of an image's explanation into the folder given by ``xai.job.result_folder``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from core.io.atomic_files import cannot_write, whole_file
from xai.combine import normalised
from xai.explain import Explanation, save_explanation
from xai.job import MAP_FILE, NAME
from xai.overlay import blend

IMAGE_FILE: Final = f"{NAME}.png"
MOSAIC_FILE: Final = "mosaic.png"
_STEPS_FOLDER: Final = "steps"
_SHOWN_PX: Final = 448


def step_file(folder: Path, step: int, what: str) -> Path:
    """Return the path of the ``estimate`` or ``overlay`` image of a kept step."""
    return folder / _STEPS_FOLDER / f"step_{step:04d}_{what}.png"


def save_overlay(explanation: Explanation, folder: Path) -> Path:
    """Write the files of ``save_explanation``, the image, and the overlay of the combined map.

    Returns:
        The path of the overlay.

    Raises:
        OutputFolderError: the folder is not writable.
    """
    save_explanation(explanation, folder, NAME)
    image = shown(explanation.pixels)
    write_picture(folder / IMAGE_FILE, image)
    write_picture(folder / MAP_FILE, blend(image, normalised(explanation.combined.values)))
    return folder / MAP_FILE


def shown(pixels: np.ndarray) -> np.ndarray:
    """Scale a uint8 (H, W, 3) image to 448 pixels on the longer side and keep its aspect ratio."""
    image = Image.fromarray(pixels)
    scale = _SHOWN_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def write_picture(path: Path, picture: np.ndarray | Image.Image) -> None:
    """Write a PNG atomically; replace an existing file.

    Raises:
        OutputFolderError: the folder is not writable.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, replace=True) as stream:
            image.save(stream, format="PNG")
    except OSError as error:
        raise cannot_write(path.parent, error) from error
