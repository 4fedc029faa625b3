"""A memory-mapped array of decoded images, so that training does not wait for decoding."""

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
from classification.events import Counted, Emit, discard
from core.errors import ArgumentError, JobFailedError
from core.io.atomic_files import whole_file
from core.output.image_file import UNREADABLE

_EVERY: Final = 500


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


def decode(images: Sequence[LabelledImage], size: int, cache: Path, emit: Emit = discard) -> Path:
    """Write all images at one size into a file in ``cache``, unless it exists and no image has changed.

    Raises:
        ArgumentError: an image cannot be read.
        JobFailedError: the cache cannot be written, for instance because the disk is full.
    """
    file = cache / f"pixels_{size}_{_key(images, size)}.npy"
    try:
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with whole_file(file, replace=True) as stream:
                _write(images, size, stream, emit)
    except OSError as error:
        raise JobFailedError(
            f"The decoded images cannot be written to {cache} ({error.strerror or error}); "
            "make room there, or name another folder with --cache."
        ) from error
    return file


def _key(images: Sequence[LabelledImage], size: int) -> str:
    facts = [(image.path.name, image.path.stat().st_size, image.path.stat().st_mtime_ns) for image in images]
    return hashlib.sha256(json.dumps([size, facts]).encode()).hexdigest()[:16]


def _write(images: Sequence[LabelledImage], size: int, stream: BinaryIO, emit: Emit) -> None:
    """Use plain writes, not a memory map: on a full disk they raise an error, and a map would end the process."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(images), size, size, 3)}
    np.lib.format.write_array_header_1_0(stream, header)
    for index, image in enumerate(images):
        stream.write(read_image(image.path, size).tobytes())
        if (index + 1) % _EVERY == 0 or index + 1 == len(images):
            emit(Counted("images decoded", index + 1, len(images)))
