"""CSV tables that others wrote: what their text may look like, and the sentence where it cannot be read.

Text is UTF-8 with or without a mark, marked UTF-16, or Latin-1; between values stand commas, tabs or semicolons. Blanks
around a value, lines without any value and rows that are too short or too long do no harm. The program's own
``synthetic_dataset.csv`` is ``core.output.dataset_table``'s, which is stricter, for it appends.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.errors import ArgumentError

_DELIMITERS: Final = ",\t;"  # the Dataverse gives out tabs; Excel saves semicolons where the comma is a decimal point


def read_columns(table: Path) -> tuple[str, ...]:
    """The names of the columns; none where the file is empty, or no text, as the ``._table.csv`` that macOS leaves.

    Raises:
        ArgumentError: the machine does not give the file out.
    """
    try:
        return tuple(next(_lines(table), []))
    except OSError as error:
        raise _unreadable(table, error) from error
    except (ValueError, csv.Error):
        return ()


def read_rows(table: Path) -> list[dict[str, str]]:
    """Column to value of each row that has any value; a row that is too short has empty ones.

    Raises:
        ArgumentError: the machine does not give the file out, or it is no text.
    """
    try:
        lines = _lines(table)
        columns = next(lines, [])
        return [dict(zip(columns, [*line, *[""] * len(columns)], strict=False)) for line in lines]
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(table, error) from error


def _lines(table: Path) -> Iterator[list[str]]:
    text = _decode(table.read_bytes())
    if "\0" in text:
        raise ValueError("it is no text")
    for line in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)):
        values = [value.strip() for value in line]
        if any(values):
            yield values


def _delimiter(text: str) -> str:
    """What the line of the columns' names has most of, a comma where that is a draw."""
    lines = io.StringIO(text, newline="")
    header = next((line for line in lines if line.strip(_DELIMITERS + " \r\n")), "")
    return max(_DELIMITERS, key=header.count)


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # names of columns and images are ASCII, whatever the code page of other values


def _unreadable(table: Path, error: Exception) -> ArgumentError:
    return ArgumentError(f"The table {table} cannot be read ({error}); save it as a CSV in UTF-8, or move it away.")
