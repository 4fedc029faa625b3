from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.io.plain_text import csv_cell, encode_csv, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ångström, 0.5 °, 漢字", "Ångström, 0.5 °, 漢字"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nerror: b\r", "a\\nerror: b\\r"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\x9b\x7f\u2028", "a\\x9b\\x7f\\u2028"),
        ("\udcff.png", "\\udcff.png"),
        ("two\u00a0words", "two\u00a0words"),
    ],
)
def test_what_controls_a_terminal_is_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_line_ends_may_be_kept() -> None:
    assert printable("a\nb\x07", keep="\n") == "a\nb\\x07"


@pytest.mark.parametrize("value", [0, -1, -0.5, "-0.5", "+1e-5", "", None, True, "-inf", "nan", "MEL", "a=b", "1-2"])
def test_numbers_and_plain_words_are_cells_as_they_are(value: object) -> None:
    assert csv_cell(value) == ("" if value is None else str(value))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+cmd", '=HYPERLINK("x")', "=", "-", "\uff1d1"]
)
def test_a_cell_that_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert csv_cell(text).startswith("'")


@given(st.lists(st.lists(st.text(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_every_row_is_one_line_and_no_cell_a_formula(rows: list[list[str]]) -> None:
    lines = encode_csv(rows).decode("utf-8").splitlines()
    assert len(lines) == len(rows)
    read = list(csv.reader(io.StringIO("\n".join(lines))))
    for line, row in zip(read, rows, strict=True):
        assert len(line) == len(row) or row == [""]
        assert all(not cell.startswith(("=", "@", "\t")) for cell in line)


def test_a_message_shows_the_beginning_of_a_large_value() -> None:
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    for value in ("x" * 10**6, 10**400, list(range(10**5)), nested, {"a": "b" * 1000}, "\x1b[2J"):
        assert len(shortened(value)) < 200
        assert shortened(value).isprintable()
