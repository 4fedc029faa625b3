"""Read named arrays from one file (npz of numpy) that may be damaged or malicious."""

from __future__ import annotations

import ast
import math
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

import numpy as np

_MOST_BYTES: Final = 1 << 32
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_HEADER: Final = 1 << 12
_DAMAGED: Final = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
)


class ArrayFileError(Exception):
    """A file does not contain the requested arrays; the text is the reason, without the name of the file."""


def read_arrays(path: Path, names: Collection[str], most_bytes: int = _MOST_BYTES) -> dict[str, np.ndarray]:
    """Read arrays from a file that ``numpy.savez`` or ``numpy.savez_compressed`` wrote.

    Memory is allocated only after the announced size has been compared with the data. No object is unpickled.

    Args:
        path: the file.
        names: names of the arrays.
        most_bytes: largest total size of the arrays in memory.

    Returns:
        The arrays by name; they are read-only.

    Raises:
        ArrayFileError: there is no such file, or it is damaged in any way, lacks an array, holds objects or is too
            large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.getinfo(f"{name}.npy") for name in names}
            _check_members(members, most_bytes)
            return {name: _read(archive, member) for name, member in members.items()}
    except _DAMAGED as error:
        raise ArrayFileError(_reason(error)) from error


def _check_members(members: dict[str, zipfile.ZipInfo], most_bytes: int) -> None:
    for name, member in members.items():
        if member.compress_type not in _PACKINGS or member.flag_bits & 0x1:
            raise ValueError(f"{name} is encrypted or packed in an unknown way")
    size = sum(member.file_size for member in members.values())
    if size > most_bytes:
        raise ValueError(f"its arrays take {size:,} bytes, more than {most_bytes:,}")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        shape, by_columns, dtype, header = _header(stream)
        expected = math.prod(shape) * dtype.itemsize
        if header + expected != member.file_size:
            raise ValueError(f"{member.filename} has {member.file_size:,} bytes, and its shape is {shape}")
        data = stream.read(expected)
        if len(data) != expected or stream.read(1):  # the last read compares the checksum
            raise ValueError(f"{member.filename} is cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, order and type of an array, and the bytes that its header takes."""
    magic = np.lib.format.magic(1, 0)
    start = stream.read(len(magic) + 2)
    length = int.from_bytes(start[len(magic) :], "little")
    if not start.startswith(magic) or length > _LONGEST_HEADER:
        raise ValueError("it holds no array of numpy's format 1.0")
    values = ast.literal_eval(stream.read(length).decode("ascii").strip())
    shape, kind = values["shape"], values["descr"]
    dtype = np.dtype(kind if isinstance(kind, str) else "O")
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError("it holds objects, which are not read")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"an array has the shape {shape}")
    return shape, bool(values["fortran_order"]), dtype, len(start) + length


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return str(error.args[0])
    return str(error).partition("\n")[0] or type(error).__name__
