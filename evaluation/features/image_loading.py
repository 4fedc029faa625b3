"""Decode and resize images: squares, antialiased, the same for real and synthetic images. Nothing else does this.

The resizing method changes FID by more than most models differ (G. Parmar et al., On Aliased Resizing and Surprising
Subtleties in GAN Evaluation, CVPR 2022, arXiv 2104.11222). All resizing here is Pillow's bicubic filter on 8-bit RGB,
which is antialiased when it reduces the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from core.io.image_errors import UNREADABLE
from core.io.regular_file import open_regular
from core.output.image_file import ImageFileError
from evaluation.job import LARGEST_SIZE, LEAST_SIZE
from evaluation.progress import Progress, Warned, Work
from xai.images import read_image

_FILTER: Final = Image.Resampling.BICUBIC
_PROGRESS_EVERY: Final = 50
_NAMED: Final = 20


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square; the aspect ratio is not kept, as in the training of the models.

    Args:
        pixels: uint8 (H, W, 3) or (H, W).
        size: height and width of the result.

    Returns:
        uint8 (size, size, 3) or (size, size).
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), _FILTER))


def grey(pixels: np.ndarray) -> np.ndarray:
    """Luminance (ITU-R 601) of an image, uint8 (H, W)."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def common_size(*sets: Sequence[Path]) -> int:
    """The size at which sets are compared: the smallest of their median shorter sides, at most ``LARGEST_SIZE``.

    Otherwise a set of 128 px would differ from photographs of 600 px only because it has less detail.
    """
    sides = [sorted(filter(None, (_shorter_side(path) for path in paths))) for paths in sets]
    return max(LEAST_SIZE, min([LARGEST_SIZE, *(found[len(found) // 2] for found in sides if found)]))


def _shorter_side(path: Path) -> int:
    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            return min(image.size)
    except UNREADABLE:
        return 0  # reported when the pixels are read


def load_images(paths: Sequence[Path], size: int, what: str) -> Work[tuple[np.ndarray, list[int]]]:
    """Decode images; warns about unreadable and grey ones.

    Args:
        paths: the files.
        size: height and width of the result; smaller images are enlarged.
        what: name of the images in messages, such as ``real images``.

    Returns:
        The readable images, uint8 (N, size, size, 3), and their indices in ``paths``.
    """
    pixels = np.empty((len(paths), size, size, 3), np.uint8)
    kept, broken, grey_ones = list[int](), list[Path](), 0
    for index, path in enumerate(paths):
        if index % _PROGRESS_EVERY == 0:
            yield Progress(f"Reading {what}", index, len(paths))
        try:
            image = resized(read_image(path), size)
        except ImageFileError:
            broken.append(path)
            continue
        pixels[len(kept)] = image
        grey_ones += bool((image == image[..., :1]).all())
        kept.append(index)
    if broken:
        named = ", ".join(f"{path.parent.name}/{path.name}" for path in broken[:_NAMED])
        named += ", …" if len(broken) > _NAMED else ""
        yield Warned(f"{len(broken)} of {len(paths)} {what} cannot be read and are left out: {named}.")
    if grey_ones:
        yield Warned(f"{grey_ones} of {len(kept)} {what} are grey; they are measured unchanged.")
    return pixels[: len(kept)], kept
