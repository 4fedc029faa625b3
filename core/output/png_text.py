"""The text chunk of a PNG, read without decoding the image, and without believing what the file claims of itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from core.io.regular_file import open_regular

LARGEST_TEXT: Final = 1 << 16
"""Bytes; a chunk of this program has about a thousand."""

_MOST_CHUNKS: Final = 1000  # before the pixels; an image has fewer than twenty
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TEXT_KINDS: Final = (b"tEXt", b"zTXt", b"iTXt")
_LAST_KINDS: Final = (b"IDAT", b"IEND")
_DEFLATE: Final = b"\x00"


def read_png_text(path: Path, keyword: str) -> str | None:
    """The text under a keyword, from before the pixels; None if the file is not a PNG or has no such text.

    Raises:
        OSError: the file does not exist, cannot be read or is not a regular file.
        ValueError: the PNG is damaged, or the text is larger than ``LARGEST_TEXT``, or there are two.
    """
    name = keyword.encode("latin-1") + b"\0"
    with open_regular(path) as stream:
        if stream.read(len(_SIGNATURE)) != _SIGNATURE:
            return None
        found = [_decoded(kind, data.removeprefix(name)) for kind, data in _texts(stream, name)]
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} texts {keyword!r}")
    return found[0] if found else None


def _texts(stream: BinaryIO, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of every text chunk that begins with ``name``, up to the pixels."""
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack(">I4s", _exactly(stream, 8))
        if kind in _LAST_KINDS:
            return
        begins = _exactly(stream, min(length, len(name))) if kind in _TEXT_KINDS else b""
        if begins != name:
            stream.seek(length - len(begins) + 4, 1)
            continue
        if length > LARGEST_TEXT + len(name):
            raise ValueError(f"its text has {length:,} bytes, more than {LARGEST_TEXT:,}")
        data = begins + _exactly(stream, length - len(begins))
        if zlib.crc32(kind + data) != int.from_bytes(_exactly(stream, 4), "big"):
            raise ValueError("the checksum of its text is wrong")
        yield kind, data
    raise ValueError(f"it has more than {_MOST_CHUNKS:,} chunks before its pixels")


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("it is cut short")
    return data


def _decoded(kind: bytes, data: bytes) -> str:
    """The text of a chunk, after its keyword. Other programs compress the text when they save an image again."""
    if kind == b"tEXt":
        return data.decode("latin-1")
    if kind == b"zTXt":
        return _inflated(data[:1], data[1:]).decode("latin-1")
    compressed, method, (_language, _translated, text) = data[:1], data[1:2], _three(data[2:])
    return (_inflated(method, text) if compressed == b"\x01" else text).decode("utf-8")


def _three(data: bytes) -> list[bytes]:
    parts = data.split(b"\0", 2)
    if len(parts) != 3:
        raise ValueError("its international text is damaged")
    return parts


def _inflated(method: bytes, data: bytes) -> bytes:
    if method != _DEFLATE:
        raise ValueError("its text is compressed in an unknown way")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, LARGEST_TEXT + 1)
    except zlib.error as error:
        raise ValueError("its compressed text is damaged") from error
    if len(text) > LARGEST_TEXT or not unpacker.eof:
        raise ValueError(f"its text has more than {LARGEST_TEXT:,} bytes, or is cut short")
    return text
