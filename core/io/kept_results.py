"""Report a job that failed because its results folder accepted some files and then no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.errors import JobFailedError, OutputFolderError
from core.io.atomic_files import PART_SUFFIX


@contextlib.contextmanager
def keeping_results(folder: Path) -> Iterator[None]:
    """Let the block write its results into a folder, and count the written files if writing fails.

    An ``OutputFolderError`` before the first file is raised unchanged, because nothing was written.

    Raises:
        JobFailedError: files were written before the error; the message gives their number.
    """
    before = _files_in(folder)
    try:
        yield
    except OutputFolderError as error:
        written = len(_files_in(folder) - before)
        if not written:
            raise
        reason = getattr(error.__cause__, "strerror", None) or "it takes no more files"
        raise JobFailedError(
            f"The results are not complete: {folder} cannot be written ({reason}); files written before: {written}, "
            "which are kept. Make room, or choose another with --output, and run the same command again."
        ) from error


def _files_in(folder: Path) -> set[tuple[Path, int, int]]:
    """Return every file with its inode and time, which change when it is replaced."""
    files = (path for path in folder.rglob("*") if path.suffix != PART_SUFFIX)
    return {(path, stat.st_ino, stat.st_mtime_ns) for path in files if path.is_file() for stat in [path.stat()]}
