"""Artificial lesions that are fast to draw and differ from each other, and folders of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluation.features.image_listing import FoundImage
from evaluation.features.image_set import Side
from evaluation.progress import Event, Progress, Warned, Work, result_of

SIZE = 64
COLOURS = {"MEL": (70, 40, 45), "NV": (150, 95, 70), "VASC": (170, 40, 60)}


def lesion(seed: int, class_name: str = "MEL", size: int = SIZE) -> np.ndarray:
    """A spot of the class's colour on structured skin, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    structure = sum(
        np.asarray(Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32)).resize((size, size)))
        for cells in (5, 9, 17)
    )
    rows, columns = np.mgrid[:size, :size] / size - rng.uniform(0.35, 0.65, 2)[:, None, None]
    spot = (np.hypot(rows, columns) < 0.28 + 0.04 * structure)[..., None]
    skin = np.array([220, 180, 160]) + 12 * structure[..., None]
    inside = np.array(COLOURS[class_name]) + 25 * structure[..., None]
    return np.clip(np.where(spot, inside, skin), 0, 255).astype(np.uint8)


def crop(image: np.ndarray, share: float, down: float, right: float) -> np.ndarray:
    """A crop of an image, enlarged to the size of the image."""
    size = len(image)
    width = round(size * share)
    top, left = round((size - width) * down), round((size - width) * right)
    part = Image.fromarray(image[top : top + width, left : left + width])
    return np.asarray(part.resize((size, size), Image.Resampling.BICUBIC))


def recoloured(image: np.ndarray) -> np.ndarray:
    """The image with another hue, saturation and lightness."""
    channels = np.array(Image.fromarray(image).convert("HSV")).astype(int)
    channels[..., 0] = (channels[..., 0] + 25) % 256
    channels = np.clip(channels * [1, 0.7, 0.85] + [0, 0, 10], 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(channels, "HSV").convert("RGB"))


def write_set(folder: Path, images: Mapping[str, Iterable[np.ndarray]]) -> Path:
    """Write class folders of PNG files."""
    for name, pixels in images.items():
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(pixels, 1):
            Image.fromarray(image).save(folder / name / f"ISIC_{number:07d}.png")
    return folder


def write_real(folder: Path, images: Mapping[str, Iterable[np.ndarray]], per_lesion: int = 1) -> Path:
    """Write real images in HAM10000's form, with ``per_lesion`` images per lesion."""
    (folder / "images").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["lesion_id", "image_id", "dx"])
        for name, pixels in images.items():
            for number, image in enumerate(pixels):
                image_id = f"{name.lower()}_{number:04d}"
                Image.fromarray(image).save(folder / "images" / f"{image_id}.png")
                writer.writerow([f"L_{name}_{number // per_lesion}", image_id, name.lower()])
    return folder


def side(labels: Iterable[str], lesions: Iterable[str] | None = None, **features: np.ndarray) -> Side:
    """A side with the given features and uniformly grey pixels."""
    names = list(labels)
    owners = list(lesions) if lesions is not None else [f"lesion {number}" for number in range(len(names))]
    images = tuple(
        FoundImage(Path(f"{number}.png"), name, owner)
        for number, (name, owner) in enumerate(zip(names, owners, strict=True))
    )
    pixels = np.full((len(names), 16, 16, 3), 128, np.uint8)
    return Side(images, tuple(f"{number:064x}" for number in range(len(names))), pixels, features)


def image_set(pixels: Iterable[np.ndarray], **features: np.ndarray) -> Side:
    """A side of one class in which each image shows a different lesion."""
    found = np.stack(list(pixels))
    images = tuple(FoundImage(Path(f"{number}.png"), "MEL", f"lesion {number}") for number in range(len(found)))
    return Side(images, tuple(f"{number:064x}" for number in range(len(found))), found, features)


def run_work(work: Work[Any]) -> tuple[Any, list[Progress], list[str]]:
    """Run work; return its result, its progress events and its warnings."""
    progress, warnings = list[Progress](), list[str]()

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            warnings.append(event.text)
        else:
            progress.append(event)

    return result_of(work, listen), progress, warnings
