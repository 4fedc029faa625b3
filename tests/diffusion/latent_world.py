"""A world with a known truth for latent models: discs of one colour per class, with their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"MEL": (200, 40, 40), "NV": (40, 60, 200)}
SKIN = (230, 200, 180)
SIZE = 64


def write_world(folder: Path, images: int = 24) -> Path:
    """Class folders of discs, and a folder ``masks``; each image is a lesion of its own."""
    rng = np.random.default_rng(0)
    (folder / "masks").mkdir(parents=True)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for class_name, colour in COLOURS.items():
        (folder / class_name).mkdir()
        for number in range(images):
            name = f"{class_name}_{number}"
            centre, radius = rng.integers(24, 40, 2), rng.integers(10, 18)
            inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
            pixels = np.where(inside[..., None], colour, SKIN).astype(np.uint8)
            Image.fromarray(pixels).save(folder / class_name / f"{name}.png")
            Image.fromarray(inside.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
    return folder
