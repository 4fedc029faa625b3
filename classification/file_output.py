"""Write output files: JSON without NaN, and a clear error if a file cannot be written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import JobFailedError
from core.io.atomic_files import write_whole
from core.io.json_text import encode_json


@contextlib.contextmanager
def plain_failures(target: Path) -> Iterator[None]:
    """Turn an error of writing (a full disk, or a file that another program has open) into one sentence.

    Args:
        target: file or folder to name if the error does not name one.

    Raises:
        JobFailedError: a file could not be written.
    """
    try:
        yield
    except OSError as error:
        file = error.filename2 or error.filename or target  # the second name of a rename is the wanted file
        raise JobFailedError(
            f"{file} cannot be written ({error.strerror or error}); close the file in other programs, make room or "
            "name another folder, and run the same command again."
        ) from error


def write_json(file: Path, values: Mapping[str, Any]) -> Path:
    """Write JSON without NaN, which every program can read.

    Raises:
        ValueError: a number is not finite.
    """
    write_whole(file, encode_json(values, indent=2, allow_nan=False))
    return file
