"""``synthetic_dataset.csv``: one row an image, appended, never truncated, never torn."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import OutputFolderError
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
        _append_bytes(self.file, _encode([list(self.columns), *self.pending] if new else self.pending))
        self.known |= {key for key in map(_key, self.pending) if key}
        self.pending = []

    def _read(self) -> None:
        if not self.file.exists() or self.file.stat().st_size == 0:
            return
        with self.file.open(newline="", encoding="utf-8-sig") as stream:
            found = tuple(next(csv.reader(stream), []))
        if found in self._earlier:
            self.columns = found
        self._mend_torn_row()
        with self.file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            if tuple(header) != self.columns:
                raise OutputFolderError(
                    f"{self.file} has other columns ({', '.join(header[:6])}, …) than this program writes; "
                    "move it away or choose another output folder."
                )
            self.known = {key for key in map(_key, reader) if key}

    def _mend_torn_row(self) -> None:
        """Complete or remove a last line without its end, which a crash or a full disk left.

        A removed row comes back from its image, which is written before its row.
        """
        data = self.file.read_bytes()
        if data.endswith(b"\n"):
            return
        start = data.rfind(b"\n") + 1
        last = next(csv.reader([data[start:].decode("utf-8", "replace")]), [])
        if len(last) == len(self.columns):
            _append_bytes(self.file, b"\n")
        elif start:
            os.truncate(self.file, start)


def _key(row: Sequence[str]) -> tuple[str, int] | None:
    """Class and number of a row; None for a row that somebody has damaged."""
    try:
        return row[1], int(row[2])
    except (IndexError, ValueError):
        return None


def _encode(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


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
