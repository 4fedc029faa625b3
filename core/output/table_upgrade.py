"""Tables of earlier programs in an output folder: rewritten with all columns once, the old file kept beside."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import OutputFolderError
from core.io.atomic_files import write_whole
from core.io.plain_text import encode_csv

SYNT_ISIC_COLUMNS: Final = ("filename", "class", "isic_number", "source", "generated_at")
_NUMBER: Final = re.compile("[0-9]{1,12}")
KEPT_SUFFIX: Final = ".synt_isic.csv"


def upgrade_table(file: Path, columns: Sequence[str]) -> Path | None:
    """Give the five-column table of SYNT_ISIC the columns of this program, so that it can be continued.

    Values that the old table does not have stay empty; its times, seconds since 1970, become ISO 8601 in UTC. Rows
    without a class and a number, which a crash may have left, are not taken over. The old file is kept as
    ``synthetic_dataset.synt_isic.csv``, or under the next free name.

    Args:
        file: the table; nothing happens if it does not exist or has other columns.
        columns: of this program, the five among them.

    Returns:
        The file that keeps the old table; None if nothing was upgraded.

    Raises:
        OutputFolderError: the table cannot be read or written.
    """
    try:
        lines = _lines_of(file)
        if lines is None:
            return None
        kept = _free_name(file)
        shutil.copy2(file, kept)
        rows = [_upgraded(line) for line in lines if _is_row(line)]
        write_whole(file, encode_csv([columns, *([row.get(name, "") for name in columns] for row in rows)]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputFolderError(
            f"{file}, a table of SYNT_ISIC, cannot be upgraded ({error}); close the program that has it open, or "
            "choose another output folder."
        ) from error
    return kept


def _lines_of(file: Path) -> list[list[str]] | None:
    """The rows of a five-column table; None for every other file."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        first = stream.readline(4096).decode("utf-8-sig", "replace")
    if tuple(name.strip() for name in first.split(",")) != SYNT_ISIC_COLUMNS:
        return None
    with file.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.reader(stream))[1:]


def _is_row(line: Sequence[str]) -> bool:
    """Whether a row has what ``dataset_table`` asks of every row: one line, a class and a number."""
    if len(line) < 3 or any(break_ in cell for cell in line for break_ in "\r\n"):
        return False
    return line[1] in CLASSES and _NUMBER.fullmatch(line[2]) is not None


def _upgraded(line: Sequence[str]) -> dict[str, str]:
    row = dict(zip(SYNT_ISIC_COLUMNS, [*line, *[""] * len(SYNT_ISIC_COLUMNS)], strict=False))
    return {**row, "generated_at": _as_iso(row["generated_at"]), "path": f"{row['class']}/{row['filename']}"}


def _as_iso(words: str) -> str:
    try:
        return datetime.fromtimestamp(float(words), timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return words


def _free_name(file: Path) -> Path:
    kept, number = file.with_suffix(KEPT_SUFFIX), 1
    while kept.exists():
        number += 1
        kept = file.with_suffix(f".{number}{KEPT_SUFFIX}")
    return kept
