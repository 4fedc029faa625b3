"""Real images for training: found by their metadata, split by lesion, decoded once into a memory-mapped cache."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.classes import CLASSES

HELD_OUT_PERCENT = 10


@dataclass(frozen=True)
class LabelledImage:
    """One real image: its file, its class code and the lesion that it shows."""

    path: Path
    class_name: str
    lesion_id: str


class DataError(ValueError):
    """The data folder does not hold what training needs; the message says what is missing."""


def read_ham10000(folder: Path) -> list[LabelledImage]:
    """Read a HAM10000 folder: a metadata CSV (lesion_id, image_id, dx) beside ``images/<image_id>.jpg``.

    Raises:
        DataError: no such CSV, or none of the images that it lists is there.
    """
    table = _find_metadata(folder)
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = {path.stem: path for path in sorted((folder / "images").glob("*.jpg"))}
    found = [
        LabelledImage(images[row["image_id"]], row["dx"].upper(), row["lesion_id"])
        for row in rows
        if row["image_id"] in images and row["dx"].upper() in CLASSES
    ]
    if not found:
        raise DataError(f"{table} lists {len(rows)} images, and none of them is in {folder / 'images'}.")
    return found


def _find_metadata(folder: Path) -> Path:
    for table in sorted(folder.glob("*.csv")):
        with table.open(encoding="utf-8") as stream:
            if {"lesion_id", "image_id", "dx"} <= set(stream.readline().strip().split(",")):
                return table
    raise DataError(f"{folder} has no CSV with the columns lesion_id, image_id and dx.")


def is_held_out(lesion_id: str) -> bool:
    """Whether a lesion belongs to the tenth that is never trained on.

    Decided by a hash of the lesion's own name, so the answer depends on no order, no file and no seed, and
    every tool of the project that asks gets the same split.
    """
    return int(hashlib.md5(lesion_id.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def split_by_lesion(images: Sequence[LabelledImage]) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Split into (training, held out): no lesion has images in both."""
    training = [image for image in images if not is_held_out(image.lesion_id)]
    held_out = [image for image in images if is_held_out(image.lesion_id)]
    return training, held_out


def load_pixels(images: Sequence[LabelledImage], size: int, cache: Path) -> np.ndarray:
    """All images at one size as a memory-mapped array, decoded on first use and kept in ``cache``.

    Resizing is by area (``Image.Resampling.BOX`` for whole factors), so small sizes do not alias.

    Returns:
        uint8, (N, size, size, 3), RGB, read-only.
    """
    names = [image.path.name for image in images]
    key = hashlib.sha256(json.dumps([size, names]).encode()).hexdigest()[:16]
    file = cache / f"pixels_{size}_{key}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        pixels = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(len(images), size, size, 3))
        for index, image in enumerate(images):
            with Image.open(image.path) as picture:
                pixels[index] = np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BOX))
        pixels.flush()
        del pixels
        part.replace(file)
    return np.load(file, mmap_mode="r")


class BalancedBatches:
    """Batches drawn at random with square-root class balance, turned and mirrored, each from its own number.

    Batch ``n`` is a function of ``(seed, n)`` alone: a resumed run draws what the uninterrupted one would
    have drawn, and no state of a random number generator has to be saved.
    """

    def __init__(self, pixels: np.ndarray, labels: Sequence[int], batch_size: int, seed: int) -> None:
        self.pixels = pixels
        self.labels = torch.tensor(labels)
        self.batch_size = batch_size
        self.seed = seed
        counts = torch.bincount(self.labels).clamp(min=1).double()
        self.weights = counts.rsqrt()[self.labels]

    def batch(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
        """Batch ``number``: images (B, 3, S, S) float32 in [-1, 1], class indices (B,), and its generator.

        The generator has drawn the images and their orientation and goes on to feed the noise of the step.
        """
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        rows = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=generator)
        turns = torch.randint(0, 8, (self.batch_size,), generator=generator)
        images = [_turn(self.pixels[row], turn) for row, turn in zip(rows.tolist(), turns.tolist(), strict=True)]
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # channels-last without a copy
        return batch.float().div_(127.5).sub_(1.0), self.labels[rows], generator


def _turn(image: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight symmetries of the square: dermoscopic images have no upright position."""
    rotated = np.rot90(image, turn % 4)
    return rotated[:, ::-1] if turn >= 4 else rotated
