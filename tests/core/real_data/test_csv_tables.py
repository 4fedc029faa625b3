from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ArgumentError
from core.real_data.csv_tables import read_columns, read_rows

TEXT = "name,place\nä,scalp\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_encodings_that_programs_write_are_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(TEXT.encode(encoding))
    assert read_columns(file) == ("name", "place")
    assert read_rows(file) == [{"name": "ä", "place": "scalp"}]


def test_untidy_rows_are_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b' name , place\r\n\r\n a,"x, y" \r\n,\r\nb\r\nc,z,further\r\n')
    assert read_columns(file) == ("name", "place")
    assert [tuple(row.values()) for row in read_rows(file)] == [("a", "x, y"), ("b", ""), ("c", "z")]


@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_commas_tabs_or_semicolons_stand_between_values(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "t.tab"
    file.write_text(f'{mark}{mark}\n"name"{mark}"age"{mark}place\na{mark}"45,0"{mark}"x; y, z"\n')
    assert read_columns(file) == ("name", "age", "place")
    assert read_rows(file) == [{"name": "a", "age": "45,0", "place": "x; y, z"}]


def test_a_comma_counts_where_a_header_has_as_many_of_another(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,place;time\n")
    assert read_columns(tmp_path / "t.csv") == ("name", "place;time")


def test_an_empty_file_has_neither_columns_nor_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    assert read_columns(tmp_path / "t.csv") == ()
    assert read_rows(tmp_path / "t.csv") == []


@pytest.mark.parametrize("data", [b"\x00\x05\x16\x07Mac OS X", b"\xff\xfe\x00\xd8", b"\xff\xfeodd", b"a" * 200_000])
def test_what_is_no_table_has_no_columns_and_is_named(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "._metadata.csv"
    file.write_bytes(data)
    assert read_columns(file) == ()
    with pytest.raises(ArgumentError, match=r"_metadata.csv cannot be read \(.*save it as a CSV in UTF-8, or move"):
        read_rows(file)


def test_a_file_that_is_not_given_out_is_named(tmp_path: Path) -> None:
    for read in (read_columns, read_rows):
        with pytest.raises(ArgumentError, match=r"gone.csv cannot be read"):
            read(tmp_path / "gone.csv")
