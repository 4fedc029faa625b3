"""Output files: JSON that every program reads, and a clear error when a file cannot be written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import JobFailedError
from core.io.atomic_files import write_whole
from core.io.json_text import encode_json


@contextlib.contextmanager
def plain_failures(place: Path) -> Iterator[None]:
    """Say in a sentence which file could not be written: a full disk, or one that another program holds open.

    Args:
        place: what is being written, where the error names no file.

    Raises:
        JobFailedError: a file could not be written.
    """
    try:
        yield
    except OSError as error:
        file = error.filename2 or error.filename or place  # of a rename, the second is the name that was meant
        raise JobFailedError(
            f"{file} cannot be written ({error.strerror or error}); close it where it is open, make room or name "
            "another place, and run the same command again."
        ) from error


def write_json(file: Path, values: Mapping[str, Any]) -> Path:
    """Write JSON that every program reads: no NaN in it.

    Raises:
        ValueError: a number is not finite.
    """
    write_whole(file, encode_json(values, indent=2, allow_nan=False))
    return file
