"""Text from strangers on its way out: to a terminal, a log, a table or a message."""

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
    """The ``repr`` of a value for a message: of at most about a hundred characters, however large the value is."""
    return _SHORT.repr(value)


def printable(text: str, *, keep: str = "") -> str:
    """Text in which every character that controls a terminal or hides other text is an escape such as ``\\x1b``.

    These are control characters, line separators, marks that change the direction of writing, and the lone surrogates
    that stand for bytes of a file name that are not UTF-8.

    Args:
        text: any text.
        keep: control characters that stay, as ``"\\n"`` in a text of several lines.
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
    """The text of a CSV cell that a spreadsheet shows and does not compute.

    A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@`` or a tab for a formula. An apostrophe before
    it makes it text. Numbers stay as they are, also negative ones.
    """
    text = "" if value is None else printable(str(value))
    return f"'{text}" if str(value).startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text) else text


def encode_csv(rows: Iterable[Iterable[object]]) -> bytes:
    """Rows of a CSV table in UTF-8, each cell as ``csv_cell`` writes it, so that every row is one line."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([csv_cell(value) for value in row] for row in rows)
    return stream.getvalue().encode()
