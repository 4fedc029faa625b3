"""Read job files: JSON in UTF-8 with the fields of a dataclass. Each error is reported in one sentence."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import ArgumentError
from core.io.json_text import parse_json


def read_job_file(file: Path) -> Any:
    """Return the JSON value of a job file.

    Raises:
        ArgumentError: the file cannot be read or is not JSON.
    """
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"The job file {file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ArgumentError(f"The job file {file} is not JSON: {error}.") from error


def checked_fields(
    values: Mapping[str, Any], known: Collection[str], required: Sequence[str], source: str
) -> dict[str, Any]:
    """Check the field names of a job and return its fields without ``format``.

    Args:
        values: content of the file.
        known: allowed fields.
        required: required fields.
        source: name of the file for the error message.

    Raises:
        ArgumentError: a field is unknown or missing.
    """
    unknown = sorted(set(values) - set(known) - {"format"})
    if unknown:
        raise ArgumentError(
            f"{source} has the unknown field {unknown[0]!r}; the allowed fields are {', '.join(sorted(known))}."
        )
    missing = [name for name in required if name not in values]
    if missing:
        raise ArgumentError(f"{source} lacks the field {missing[0]!r}; the required fields are {', '.join(required)}.")
    return {name: value for name, value in values.items() if name in known}


def path_field(value: object, name: str, source: str) -> Path:
    """Return a field as a path.

    Raises:
        ArgumentError: not a string, an empty one, or one that no file can be named.
    """
    if not isinstance(value, str) or not value or not _can_name_a_file(value):
        raise ArgumentError(f"{source}: {name} {value!r} is not a path.")
    return Path(value)


def _can_name_a_file(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
