"""Images decoded once: a memory-mapped array of pixels, so that training waits for arithmetic and for nothing else."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image

from classification.data.collection import LabelledImage
from classification.events import Counted, Tell, nobody
from core.errors import ArgumentError, JobFailedError
from core.io.atomic_files import whole_file
from core.output.image_file import UNREADABLE

_EVERY: Final = 500


def read_image(path: Path, size: int) -> np.ndarray:
    """An image as uint8 (size, size, 3), RGB, the aspect given up, antialiased: as ``xai.classifier`` prepares it.

    Raises:
        ArgumentError: the file is not there or not a whole image.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image, without decoding it.

    Raises:
        ArgumentError: the file is not there or not an image.
    """
    try:
        with Image.open(path) as picture:
            return picture.size
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ArgumentError:
    return ArgumentError(f"{path} is not a readable image ({error}); restore it, or take it out of the table.")


@dataclass(frozen=True)
class Pixels:
    """Images of one size from several files, indexed as one. Opened where it is used: a worker gets the names alone.

    Attributes:
        files: arrays uint8 (N, size, size, 3), RGB, as ``decode`` writes them.
    """

    files: tuple[Path, ...]

    @cached_property
    def _arrays(self) -> list[np.ndarray]:
        return [np.load(file, mmap_mode="r") for file in self.files]

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


def decode(images: Sequence[LabelledImage], size: int, cache: Path, tell: Tell = nobody) -> Path:
    """All images at one size as a file in ``cache``, made on first use and again when an image has changed.

    Raises:
        ArgumentError: an image cannot be read.
        JobFailedError: the cache cannot be written, for instance because the disk is full.
    """
    file = cache / f"pixels_{size}_{_key(images, size)}.npy"
    try:
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with whole_file(file, replace=True) as stream:
                _write(images, size, stream, tell)
    except OSError as error:
        raise JobFailedError(
            f"The decoded images cannot be kept in {cache} ({error.strerror or error}); "
            "make room there, or name another folder with --cache."
        ) from error
    return file


def _key(images: Sequence[LabelledImage], size: int) -> str:
    facts = [(image.path.name, image.path.stat().st_size, image.path.stat().st_mtime_ns) for image in images]
    return hashlib.sha256(json.dumps([size, facts]).encode()).hexdigest()[:16]


def _write(images: Sequence[LabelledImage], size: int, stream: BinaryIO, tell: Tell) -> None:
    """Plain writes and no memory map: on a full disk they give an error, where a map would end the process."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(images), size, size, 3)}
    np.lib.format.write_array_header_1_0(stream, header)
    for index, image in enumerate(images):
        stream.write(read_image(image.path, size).tobytes())
        if (index + 1) % _EVERY == 0 or index + 1 == len(images):
            tell(Counted("images decoded", index + 1, len(images)))
