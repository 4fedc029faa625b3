"""The files of an image's explanation, all in the one folder of ``xai.job.result_folder``."""

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
    """Where the ``estimate`` or the ``overlay`` of a kept step lies."""
    return folder / _STEPS_FOLDER / f"step_{step:04d}_{what}.png"


def save_overlay(explanation: Explanation, folder: Path) -> Path:
    """Write what ``save_explanation`` writes, the image, and the map over the image, which is returned.

    Raises:
        OutputFolderError: the folder cannot be written.
    """
    save_explanation(explanation, folder, NAME)
    image = shown(explanation.pixels)
    write_picture(folder / IMAGE_FILE, image)
    write_picture(folder / MAP_FILE, blend(image, normalised(explanation.combined.values)))
    return folder / MAP_FILE


def shown(pixels: np.ndarray) -> np.ndarray:
    """An image as large as a map over it needs: uint8 (H, W, 3) to 448 pixels on the longer side, the aspect kept."""
    image = Image.fromarray(pixels)
    scale = _SHOWN_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def write_picture(path: Path, picture: np.ndarray | Image.Image) -> None:
    """Write a PNG, whole or not at all; one that is there is replaced.

    Raises:
        OutputFolderError: the folder cannot be written.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, replace=True) as stream:
            image.save(stream, format="PNG")
    except OSError as error:
        raise cannot_write(path.parent, error) from error
