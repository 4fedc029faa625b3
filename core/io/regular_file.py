"""Open files from untrusted sources."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

# Opening a FIFO for reading waits for a writer, unless O_NONBLOCK is set. Windows has no such flag.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for a FIFO or a device.

    Raises:
        OSError: the file does not exist, cannot be read, or is a folder, a FIFO, a socket or a device.
    """
    handle = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(handle, "rb")


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """Yield a UTF-8 path of the file, for C++ libraries that need one. It is valid until the block ends.

    Names that are not UTF-8 come from old archives and exist on Linux alone, which has a second path for every open
    file.

    Raises:
        OSError: as of ``open_regular``, if the path is not UTF-8.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        with open_regular(path) as stream:
            yield Path(f"/proc/self/fd/{stream.fileno()}")
    else:
        yield path


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a regular file of at most ``largest`` bytes.

    Raises:
        OSError: as of ``open_regular``.
        ValueError: the file is larger.
    """
    with open_regular(path) as stream:
        data = stream.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"it has more than {largest:,} bytes")
    return data
