"""Results as files: JSON for programs, CSV for spreadsheets, cells for the report."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from classification.evaluation.bootstrap import Interval
from core.errors import JobFailedError
from core.io.atomic_files import write_whole
from core.report import Cell, Estimate

_NAMES: Final = {"auc": "AUC", "macro_auc": "Macro AUC", "positive_rate": "Share called positive"}


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
    write_whole(file, json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n")
    return file


def write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write rows as a CSV; the first row names the columns, and intervals become three of them."""
    flat = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_whole(file, text.getvalue().encode())
    return file


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            found |= {
                name: _number(value.value),
                f"{name}_low": _number(value.low),
                f"{name}_high": _number(value.high),
            }
        else:
            found[name] = value
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def cell(interval: Interval | None, missing: str = "not defined") -> Cell:
    """An interval as a cell of a report."""
    if interval is None or interval.value is None:
        return missing
    return Estimate(interval.value, interval.low, interval.high)


def named(score: str) -> str:
    """The name of a score as reports print it."""
    return _NAMES.get(score, score.replace("_", " ").capitalize())


def interval_of(values: Mapping[str, Any]) -> Interval:
    """Back from JSON."""
    return Interval(values["value"], values["low"], values["high"], values["method"])
