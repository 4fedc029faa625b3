"""A memory-mapped array of decoded images, so that training does not wait for decoding."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from classification.data.collection import LabelledImage
from classification.events import Counted, Emit, discard
from core.errors import ArgumentError, JobFailedError
from core.io.image_errors import UNREADABLE
from core.real_data.pixel_file import PixelFile, find_pixels, map_pixels, write_pixels

_EVERY: Final = 500
_NAMED: Final = 20


def read_image(path: Path, size: int) -> np.ndarray:
    """Read an image as uint8 (size, size, 3), RGB, antialiased, without keeping the aspect ratio.

    ``xai.classifier`` prepares images in the same way.

    Raises:
        ArgumentError: the file does not exist or is not a complete image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image, without decoding it.

    Raises:
        ArgumentError: the file does not exist or is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ArgumentError:
    return ArgumentError(f"{path} is not a readable image ({error}); restore it, or remove it from the table.")


@dataclass(frozen=True)
class Pixels:
    """Images of one size in several files, indexed as one. Files are opened on use, so workers receive only names.

    Attributes:
        files: arrays uint8 (N, size, size, 3), RGB, as ``decode`` writes them.
    """

    files: tuple[Path, ...]

    @cached_property
    def _arrays(self) -> list[np.ndarray]:
        return [map_pixels(file) for file in self.files]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(map(len, self._arrays))]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> np.ndarray:
        """Image ``index``, uint8 (size, size, 3), read-only."""
        which = bisect_right(self._starts, index) - 1
        return self._arrays[which][index - self._starts[which]]

    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files}


def decode(images: Sequence[LabelledImage], size: int, cache: Path, emit: Emit = discard) -> PixelFile:
    """Write all images at one size into a file in ``cache``, unless it exists and no image has changed.

    A damaged file is replaced. Unreadable images are black in the file, and the result lists them.

    Raises:
        JobFailedError: the cache cannot be written, for instance because the disk is full.
    """
    try:
        file = cache / f"pixels_{size}_{_key(images, size)}.npy"
        shape = (len(images), size, size, 3)
        found = find_pixels(file, shape)
        if found is None:
            cache.mkdir(parents=True, exist_ok=True)
            found = write_pixels(file, shape, _decoded(images, size, emit), gaps=True)
    except OSError as error:
        raise JobFailedError(
            f"The decoded images cannot be written to {cache} ({error.strerror or error}); "
            "make room there, or name another folder with --cache."
        ) from error
    return found


def left_out(images: Sequence[LabelledImage], what: str) -> str:
    """The sentence about unreadable images; it names the first of them."""
    named = ", ".join(image.path.name for image in images[:_NAMED]) + (", …" if len(images) > _NAMED else "")
    return f"{len(images)} {what} cannot be read and are left out: {named}."


def _key(images: Sequence[LabelledImage], size: int) -> str:
    facts = [(image.path.name, *_state_of(image.path)) for image in images]
    return hashlib.sha256(json.dumps([size, facts]).encode()).hexdigest()[:16]


def _state_of(path: Path) -> tuple[int, int]:
    try:
        return path.stat().st_size, path.stat().st_mtime_ns
    except FileNotFoundError:  # counts as unreadable
        return 0, 0


def _decoded(images: Sequence[LabelledImage], size: int, emit: Emit) -> Iterator[np.ndarray | None]:
    for number, image in enumerate(images, 1):
        try:
            yield read_image(image.path, size)
        except ArgumentError:
            yield None
        if number % _EVERY == 0 or number == len(images):
            emit(Counted("images decoded", number, len(images)))
