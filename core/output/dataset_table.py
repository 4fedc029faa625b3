"""``synthetic_dataset.csv``: one row an image, appended, never truncated, never torn."""

from __future__ import annotations

import csv
import errno
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import OutputFolderError
from core.io.plain_text import encode_csv, printable, shortened
from core.io.regular_file import open_regular
from core.models.conditions import LABELS
from core.output.image_file import SOURCE, ImageParameters

TABLE_NAME: Final = "synthetic_dataset.csv"
COLUMNS: Final = (
    "filename",
    "class",
    "isic_number",
    "source",
    "generated_at",
    "path",
    "seed",
    "base_seed",
    "sampler",
    "steps",
    "precision",
    "device",
    "checkpoint",
    "checkpoint_sha256",
    "demonstration",
    "color_adjusted",
    "image_size",
    "lesion_mask",
    "isicgui_version",
    "torch_version",
)
_WITHOUT_MASKS: Final = tuple(column for column in COLUMNS if column != "lesion_mask")
CONDITION_COLUMNS: Final = (*COLUMNS, "melanocytic", "sex", "age", "age_group", "site", "tone", "guidance")


@dataclass(frozen=True)
class Layout:
    """What an output folder holds: the names of its class folders, and the columns of its table.

    ``earlier`` are the columns of tables from earlier versions, which are continued in their own columns.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    earlier: tuple[tuple[str, ...], ...] = ()


OF_CLASSES: Final = Layout(CLASSES, COLUMNS, (_WITHOUT_MASKS,))
OF_CONDITIONS: Final = Layout(
    (*CLASSES, *LABELS),
    CONDITION_COLUMNS,
    ((*_WITHOUT_MASKS, "melanocytic", "sex", "age", "age_group", "site", "guidance"),),
)
"""Images of the seven classes, or of a metadata-conditioned model; a folder holds one kind or the other."""


def row_of(parameters: ImageParameters, columns: Sequence[str]) -> list[str]:
    """The row of an image, in the order of these columns."""
    values = {
        **parameters.to_json(),
        "filename": parameters.filename,
        "source": SOURCE,
        "path": f"{parameters.class_name}/{parameters.filename}",
        "color_adjusted": parameters.color_adjustment is not None,
        "lesion_mask": parameters.lesion_mask,
    }
    if parameters.condition is not None:
        values |= parameters.condition.to_row()
    return [str(values[column]) for column in columns]


class DatasetTable:
    """The CSV of an output folder. Rows that cannot be written at once wait and are tried again."""

    def __init__(self, file: Path, layout: Layout = OF_CLASSES) -> None:
        """Read the file if it exists; ``columns`` are then those of the file.

        Raises:
            OutputFolderError: it has other columns, or cannot be read.
        """
        self.file = file
        self.columns = layout.columns
        self._earlier = layout.earlier
        self.pending: list[list[str]] = []
        self.known: set[tuple[str, int]] = set()
        try:
            self._read()
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise OutputFolderError(
                f"{file} cannot be read ({error}); close the program that has it open, or choose another output folder."
            ) from error

    def append(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows that had to wait, then these, in one step.

        Raises:
            OSError: the file cannot be written now; the rows are kept in ``pending``.
        """
        self.pending += [list(row) for row in rows]
        if not self.pending:
            return
        new = not self.file.exists() or self.file.stat().st_size == 0
        _append_bytes(self.file, encode_csv([list(self.columns), *self.pending] if new else self.pending))
        self.known |= {key for key in map(_key, self.pending) if key}
        self.pending = []

    def _read(self) -> None:
        if not self.file.exists() or (self.file.is_file() and self.file.stat().st_size == 0):
            return
        with open_regular(self.file) as stream:
            data = stream.read()
        whole, _, rest = data.rpartition(b"\n")
        header, *lines = (whole or rest).decode("utf-8-sig").split("\n")
        if (found := tuple(_cells(header))) in self._earlier:
            self.columns = found
        if found != self.columns:
            raise OutputFolderError(
                f"{self.file} has other columns ({', '.join(map(printable, found[:6]))}, …) than this program "
                "writes; move it away or choose another output folder."
            )
        self.known = {key for number, line in enumerate(lines, 2) if (key := self._key_of_line(number, line))}
        if rest:
            self._mend_last_line(rest, len(lines) + 2, len(data) - len(rest))

    def _key_of_line(self, number: int, line: str) -> tuple[str, int] | None:
        """Class and number of a row; None for an empty line, which does no harm.

        Every row is one line, because no cell that this program writes has a line break. A quotation mark that an
        editor left behind therefore spoils one line, and not all lines after it.

        Raises:
            OutputFolderError: it is not a row. To skip it would add the row of its image again with every job.
        """
        try:
            cells = _cells(line)
            if not any(cell.strip() for cell in cells):
                return None
            key = _key(cells)
        except csv.Error:
            cells, key = [], None
        if len(cells) != len(self.columns) or key is None:
            raise OutputFolderError(
                f"Line {number} of {self.file} is not a row of this table: {shortened(line)}; correct it, or delete "
                "it, and the next job writes the row again if its image is there."
            )
        return key

    def _mend_last_line(self, rest: bytes, number: int, start: int) -> None:
        """Complete or remove a last line without its end, which a crash or a full disk left.

        A removed row comes back from its image, which is written before its row. The lines above are good by now: in a
        table that is refused nothing is changed.

        Args:
            rest: the line.
            number: of the line.
            start: where the line begins, in bytes.
        """
        line = rest.decode("utf-8", "replace")
        if start and len(next(csv.reader([line]), [])) != len(self.columns):
            os.truncate(self.file, start)
            return
        if start and (key := self._key_of_line(number, line)):
            self.known.add(key)
        _append_bytes(self.file, b"\n")


def _cells(line: str) -> list[str]:
    return next(csv.reader([line.removesuffix("\r")], strict=True), [])


def _key(row: Sequence[str]) -> tuple[str, int] | None:
    """Class and number of a row; None if it has none."""
    if len(row) < 3 or row[1] not in (*CLASSES, *LABELS) or not re.fullmatch("[0-9]{1,12}", row[2]):
        return None
    return row[1], int(row[2])


def _append_bytes(file: Path, data: bytes) -> None:
    """Append all of it or nothing: a write that a full disk cuts short is taken back."""
    with file.open("ab", buffering=0) as stream:
        before = stream.seek(0, os.SEEK_END)
        try:
            written = stream.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        except OSError:
            stream.truncate(before)
            raise
