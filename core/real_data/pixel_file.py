"""Decoded images in one file that is memory-mapped, and a note that shows whether the file is still whole."""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from core.io.atomic_files import whole_file, write_whole
from core.io.json_text import parse_json

_BLOCK: Final = 1 << 22


@dataclass(frozen=True)
class PixelFile:
    """A file of decoded images.

    Attributes:
        path: a numpy array, uint8 (N, S, S, 3), RGB, or (N, S, S).
        damaged: numbers of the images that could not be decoded.
    """

    path: Path
    damaged: frozenset[int]


def write_pixels(
    path: Path, shape: tuple[int, ...], images: Iterable[np.ndarray | None], *, gaps: bool = False
) -> PixelFile:
    """Write images one after another, and the note beside them; the file is whole or not there.

    Plain writes and no memory map: on a full disk they give an error, where a map would end the process.

    Args:
        path: of the file.
        shape: of the array: the number of images, and the shape of each.
        images: uint8, one after another; None for one that cannot be decoded.
        gaps: leave a black image in the place of those; otherwise the others follow one another and the end is black.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    damaged, checksum, black = list[int](), 0, bytes(math.prod(shape[1:]))
    with whole_file(path, replace=True) as stream:
        stream.write(_header(shape))
        for index, image in enumerate(images):
            if image is None:
                damaged.append(index)
            if image is not None or gaps:
                data = black if image is None else image.tobytes()
                checksum = zlib.crc32(data, checksum)
                stream.write(data)
        for _ in damaged if not gaps else ():
            checksum = zlib.crc32(black, checksum)
            stream.write(black)
        write_whole(_note_of(path), json.dumps({"damaged": damaged, "crc32": checksum}).encode())
    return PixelFile(path, frozenset(damaged))


def find_pixels(path: Path, shape: tuple[int, ...]) -> PixelFile | None:
    """The file, if it is what ``write_pixels`` wrote for an array of this shape; None if it is not, or damaged.

    The whole file is read once, to compare its checksum.
    """
    try:
        note = parse_json(_note_of(path).read_bytes())
        damaged = frozenset(note["damaged"])
        with path.open("rb") as stream:
            whole = _is_whole(stream, shape, note["crc32"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    fits = all(type(number) is int and 0 <= number < shape[0] for number in damaged)
    return PixelFile(path, damaged) if whole and fits else None


def map_pixels(path: Path) -> np.ndarray:
    """The images of a file that ``write_pixels`` or ``find_pixels`` gave, uint8 (N, S, S, 3) or (N, S, S)."""
    array: np.ndarray = np.load(path, mmap_mode="r")
    return array


def _is_whole(stream: BinaryIO, shape: tuple[int, ...], expected: int) -> bool:
    header = _header(shape)
    if stream.read(len(header)) != header:
        return False
    checksum, length = 0, 0
    while block := stream.read(_BLOCK):
        checksum, length = zlib.crc32(block, checksum), length + len(block)
    return (checksum, length) == (expected, math.prod(shape))


def _header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _note_of(path: Path) -> Path:
    return path.with_suffix(".json")
