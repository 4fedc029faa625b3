"""The content of a report as immutable values: sections of paragraphs, tables and pictures."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI: Final = 144
_MAGIC: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}


@dataclass(frozen=True)
class Estimate:
    """A measured number with its 95% interval and its number of cases.

    Attributes:
        value: the estimate; a value that is not finite is shown as "not defined".
        low, high: limits of the interval; None if there is no interval.
        n: number of cases; None if it is given elsewhere.
        digits: digits after the decimal point.
        percent: show as a percentage: 0.123 as 12.3%.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    digits: int = 3
    percent: bool = False

    def __str__(self) -> str:
        text = self._number(self.value)
        if self.low is not None and self.high is not None:
            text += f" [{self._number(self.low)}, {self._number(self.high)}]"
        return text if self.n is None else f"{text}, n = {self.n:,}"

    def _number(self, value: float) -> str:
        if not math.isfinite(value):
            return "not defined"
        scale, digits = (100, max(0, self.digits - 2)) if self.percent else (1, self.digits)
        number = round(scale * value, digits) + 0.0  # not "-0.000"
        text = f"{number:.{digits}f}" + ("%" if self.percent else "")
        return text.replace("-", "\N{MINUS SIGN}")


Cell: TypeAlias = "str | int | float | Estimate | None"
"""A cell of a table; a float is shown with three digits, None as a dash."""


@dataclass(frozen=True)
class Table:
    """A table. Columns that contain numbers are aligned to the right.

    Raises:
        ValueError: the number of cells in a row differs from the number of columns.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"the row {row!r} does not have {len(self.columns)} cells")

    @property
    def numeric(self) -> list[bool]:
        """Return for each column whether it contains numbers; it may also contain words such as "too few"."""
        return [any(_is_number(row[index]) for row in self.rows) for index in range(len(self.columns))]

    @property
    def texts(self) -> list[list[str]]:
        """Return every cell as displayed text."""
        return [[_text(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Picture:
    """A picture, which is embedded in the HTML file.

    Attributes:
        source: bytes of a PNG, JPEG or SVG file, path of such a file, or a matplotlib figure.
        caption: describes the content and the meaning of the colours.
        alt: text for screen readers; if empty, the caption is used.
        width: largest width in CSS pixels; 0 keeps the width of the picture.
    """

    source: bytes | Path | Figure
    caption: str
    alt: str = ""
    width: int = 0

    @property
    def data_uri(self) -> str:
        """Return the picture as ``data:image/png;base64,…``.

        Raises:
            ValueError: the picture is neither PNG, JPEG nor SVG.
            OSError: the file cannot be read.
        """
        data = self._bytes()
        kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
        if kind is None:
            raise ValueError(f"the picture {self.caption!r} is neither PNG, JPEG nor SVG")
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    def _bytes(self) -> bytes:
        if isinstance(self.source, bytes):
            return self.source
        if isinstance(self.source, Path):
            return self.source.read_bytes()
        stream = io.BytesIO()
        self.source.savefig(stream, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
        return stream.getvalue()


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side, each with its own short caption; together they form one figure."""

    pictures: Sequence[Picture]
    caption: str


Block: TypeAlias = "str | Table | Picture | Gallery"
"""A paragraph, table, picture or row of pictures."""


@dataclass(frozen=True)
class Section:
    """A section of a report with its heading."""

    title: str
    blocks: Sequence[Block]


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, (int, float, Estimate)) and not isinstance(cell, bool)


def _text(cell: Cell) -> str:
    if cell is None:
        return "\N{EN DASH}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(Estimate(cell))
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
