"""Make text from untrusted sources safe for a terminal, a log, a table or a message."""

from __future__ import annotations

import csv
import io
import re
import reprlib
import unicodedata
from collections.abc import Iterable
from typing import Final

_NOT_PRINTED: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FORMULA_STARTS: Final = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # these in their wide forms, too
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)", re.ASCII)
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shortened(value: object) -> str:
    """Return the ``repr`` of a value for a message, limited to about a hundred characters."""
    return _SHORT.repr(value)


def printable(text: str, *, keep: str = "") -> str:
    """Replace every character that controls a terminal or hides other text by an escape such as ``\\x1b``.

    These are control characters, line separators, marks that change the direction of writing, and lone surrogates,
    which represent bytes of a file name that are not UTF-8.

    Args:
        text: any text.
        keep: control characters to keep, such as ``"\\n"`` in a text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _NOT_PRINTED
        else character.encode("unicode_escape", "backslashreplace").decode()
        for character in text
    )


def csv_cell(value: object) -> str:
    """Return the text of a CSV cell that a spreadsheet displays but does not compute.

    A spreadsheet treats a cell that begins with ``=``, ``+``, ``-``, ``@`` or a tab as a formula. An apostrophe before
    it makes it text. Numbers are not changed, including negative ones.
    """
    text = "" if value is None else printable(str(value))
    return f"'{text}" if str(value).startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text) else text


def encode_csv(rows: Iterable[Iterable[object]]) -> bytes:
    """Rows of a CSV table in UTF-8, each cell as ``csv_cell`` writes it, so that every row is one line."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([csv_cell(value) for value in row] for row in rows)
    return stream.getvalue().encode()
