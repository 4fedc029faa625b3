"""Real images at the training size: decoded once, then memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from PIL import Image, ImageOps
from tqdm import tqdm

from core.errors import JobFailedError
from core.io.atomic_files import PART_SUFFIX
from core.io.image_errors import UNREADABLE
from core.real_data.pixel_file import find_pixels, map_pixels, write_pixels
from diffusion.data import DataError, LabelledImage

_FORM = 3  # of the cache's files; another number rebuilds them
_AT_ONCE = 256  # images decoded ahead of the file, which bounds the memory that they take


@dataclass(frozen=True)
class Pixels:
    """Images of one size.

    Attributes:
        images: those that could be read, in the order that was asked for.
        array: uint8 (N, S, S, 3), RGB, read-only, memory-mapped.
        unreadable: names of the files that could not.
    """

    images: list[LabelledImage]
    array: np.ndarray
    unreadable: list[str]


@dataclass(frozen=True)
class _Kind:
    """What a cache file holds of each image: a prefix of its name, the shape at a size, and how it is decoded."""

    prefix: str
    channels: tuple[int, ...]
    decode: Callable[[LabelledImage, int], np.ndarray | None]


def load_pixels(images: Sequence[LabelledImage], size: int, cache: Path) -> Pixels:
    """Load images as pixels, from ``cache`` if it has them: it identifies them by name, length and time of change.

    A cache that was interrupted, damaged or written for other images is rebuilt. Several processes may ask at once;
    one of them decodes.

    Raises:
        DataError: none of the images can be read.
        JobFailedError: the cache cannot be written, for instance because the disk is full.
    """
    array, bad = _load(_IMAGES, images, size, cache)
    good = [image for index, image in enumerate(images) if index not in bad]
    if not good:
        raise DataError(f"None of the {len(images)} images can be read; the first is {images[0].path}.")
    return Pixels(good, array[: len(good)], [images[index].path.name for index in sorted(bad)])


def load_masks(images: Sequence[LabelledImage], size: int, cache: Path) -> np.ndarray:
    """Load the lesion masks of images from the same cache, uint8 (N, S, S): 255 inside, 0 outside, 128 unknown.

    Raises:
        JobFailedError: the cache cannot be written.
    """
    array, _ = _load(_MASKS, images, size, cache)
    return array


def _load(kind: _Kind, images: Sequence[LabelledImage], size: int, cache: Path) -> tuple[np.ndarray, frozenset[int]]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            file = cache / f"{kind.prefix}_{size}_{_key(images, size)}.npy"
            shape = (len(images), size, size, *kind.channels)
            cached = find_pixels(file, shape)
            if cached is None:
                _remove_what_was_interrupted(file)
                cached = write_pixels(file, shape, _shown(kind, images, size))
            return map_pixels(cached.path), cached.damaged
    except OSError as error:
        raise JobFailedError(
            f"The decoded images cannot be kept in {cache} ({error.strerror or error}); "
            "make room there, or name another folder with --cache."
        ) from error


def _key(images: Sequence[LabelledImage], size: int) -> str:
    facts: list[Any] = [_FORM, size]
    for image in images:
        facts.append(image.path.name)
        with contextlib.suppress(FileNotFoundError):  # counts as unreadable
            stat = image.path.stat()
            facts += [stat.st_size, stat.st_mtime_ns]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _shown(kind: _Kind, images: Sequence[LabelledImage], size: int) -> Iterable[np.ndarray | None]:
    label = f"reading {kind.prefix} at {size} px"
    return tqdm(_decoded(kind, images, size), total=len(images), desc=label, unit="image", delay=2)


def _decoded(kind: _Kind, images: Sequence[LabelledImage], size: int) -> Iterator[np.ndarray | None]:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(images), _AT_ONCE):
            yield from pool.map(lambda image: kind.decode(image, size), images[start : start + _AT_ONCE])


def decode(path: Path, size: int) -> np.ndarray | None:
    """One image at the training size, uint8 (size, size, 3); None where it cannot be read.

    The central square is taken, so that no lesion changes its shape. Made smaller by area, so that nothing aliases;
    enlarged by bicubic interpolation.
    """
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (4 * size, 4 * size))  # lets the JPEG decoder leave out what is scaled away
            whole = picture.convert("RGB")
    except UNREADABLE:
        return None
    smaller = min(whole.size) >= size
    resampling = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(ImageOps.fit(whole, (size, size), resampling))


def _decode_mask(image: LabelledImage, size: int) -> np.ndarray:
    """The mask of an image in the same square as ``decode`` cuts out of the image."""
    unknown = np.full((size, size), 128, np.uint8)
    if image.mask is None:
        return unknown
    try:
        with Image.open(image.mask) as picture:
            whole = picture.convert("L")
    except UNREADABLE:
        return unknown
    fitted = np.asarray(ImageOps.fit(whole, (size, size), Image.Resampling.BOX))
    return np.where(fitted > 127, 255, 0).astype(np.uint8)


_IMAGES: Final = _Kind("pixels", (3,), lambda image, size: decode(image.path, size))
_MASKS: Final = _Kind("masks", (), _decode_mask)


def _remove_what_was_interrupted(file: Path) -> None:
    for part in file.parent.glob(f"{file.stem}*{PART_SUFFIX}"):  # under the lock: nobody is writing it
        part.unlink(missing_ok=True)
