"""Write files atomically: a file either exists completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from core.errors import OutputFolderError
from core.io.leftovers import clear_parts
from core.io.regular_file import open_regular

PART_SUFFIX: Final = ".part"
ANOTHER_OUTPUT: Final = "choose another with --output"
_PROBE_BYTES: Final = 1 << 16
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Open a temporary file in the folder of ``path``. Rename it to ``path`` if the block succeeds, else delete it.

    Raises:
        FileExistsError: ``replace`` is false and ``path`` exists; the existing file is not changed.
        OSError: the folder is not writable, or the disk is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        with open_new(part) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            part.replace(path)
        else:
            _move_without_replacing(part, path)
    finally:
        part.unlink(missing_ok=True)


def open_new(path: Path) -> BinaryIO:
    """Create a file under a temporary name, for writing.

    An existing file with the name is removed first, and a link is never followed. In a folder with several writers,
    another user may have created a link with that name, and writing through it would overwrite its target.

    Raises:
        OSError: the folder is not writable, or another process creates the name at the same moment.
    """
    path.unlink(missing_ok=True)
    return path.open("xb")


def write_whole(path: Path, data: bytes) -> None:
    """Write or replace a file in one step."""
    with whole_file(path, replace=True) as stream:
        stream.write(data)


def require_writable(folder: Path, advice: str = ANOTHER_OUTPUT) -> None:
    """Create a folder and check that it is writable, before a long computation of its content starts.

    Temporary files of killed processes in the folder are removed.

    Args:
        folder: the folder.
        advice: advice for the error message.

    Raises:
        OutputFolderError: the folder cannot be created or is not writable.
    """
    probe = folder / f".probe.{os.getpid()}{PART_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with open_new(probe) as stream:
                stream.write(bytes(_PROBE_BYTES))  # a full disk still accepts an empty file
        finally:
            probe.unlink(missing_ok=True)
        clear_parts(folder)
    except OSError as error:
        raise cannot_write(folder, error, advice) from error


def cannot_write(folder: Path, error: OSError, advice: str = ANOTHER_OUTPUT) -> OutputFolderError:
    """Return the error for a results folder that is not writable."""
    return OutputFolderError(f"The folder {folder} cannot be written ({error.strerror}); {advice}.")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
    """
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _move_without_replacing(source: Path, target: Path) -> None:
    if os.name == "nt":
        source.rename(target)  # on Windows, rename fails if the target exists
        return
    try:
        os.link(source, target)  # fails if the target exists; rename would replace it
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)
