"""The one place where an evaluation decodes and resizes images: squares, antialiased, the same for real and synthetic.

How images are resized moves FID by more than most models differ (G. Parmar et al., On Aliased Resizing and Surprising
Subtleties in GAN Evaluation, CVPR 2022, arXiv 2104.11222): everything here is Pillow's bicubic filter, which widens
when it makes smaller, on 8-bit RGB.
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
_TELL_EVERY: Final = 50
_NAMED: Final = 20


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """An image as a square; its aspect is given up, as in the training of the models.

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
    """The size at which sets are compared: the smaller of their median shorter sides, at most ``LARGEST_SIZE``.

    A set of 128 px against photographs of 600 px would otherwise be told apart by its lack of detail alone.
    """
    sides = [sorted(filter(None, (_shorter_side(path) for path in paths))) for paths in sets]
    return max(LEAST_SIZE, min([LARGEST_SIZE, *(found[len(found) // 2] for found in sides if found)]))


def _shorter_side(path: Path) -> int:
    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            return min(image.size)
    except UNREADABLE:
        return 0  # named when its pixels are read


def load_pictures(paths: Sequence[Path], size: int, what: str) -> Work[tuple[np.ndarray, list[int]]]:
    """Decode images.

    Args:
        paths: the files.
        size: of the result; smaller images are enlarged.
        what: their name in messages, as ``real images``.

    Returns:
        Those that can be read, uint8 (N, size, size, 3), and their places in ``paths``.
    """
    pictures = np.empty((len(paths), size, size, 3), np.uint8)
    kept, broken, grey_ones = list[int](), list[Path](), 0
    for place, path in enumerate(paths):
        if place % _TELL_EVERY == 0:
            yield Progress(f"Reading {what}", place, len(paths))
        try:
            picture = resized(read_image(path), size)
        except ImageFileError:
            broken.append(path)
            continue
        pictures[len(kept)] = picture
        grey_ones += bool((picture == picture[..., :1]).all())
        kept.append(place)
    if broken:
        named = ", ".join(f"{path.parent.name}/{path.name}" for path in broken[:_NAMED])
        named += ", …" if len(broken) > _NAMED else ""
        yield Warned(f"{len(broken)} of {len(paths)} {what} cannot be read and are left out: {named}.")
    if grey_ones:
        yield Warned(f"{grey_ones} of {len(kept)} {what} are grey; they are measured as they are.")
    return pictures[: len(kept)], kept
