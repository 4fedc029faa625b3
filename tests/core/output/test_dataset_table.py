from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import OutputFolderError
from core.output.dataset_table import COLUMNS, DatasetTable, row_of
from tests.core.examples import parameters

HEADER = ",".join(COLUMNS) + "\n"


def row(number: int) -> list[str]:
    return row_of(parameters(isic_number=number), COLUMNS)


def test_the_first_columns_are_those_of_the_contract() -> None:
    assert COLUMNS[:5] == ("filename", "class", "isic_number", "source", "generated_at")


def test_pandas_reads_what_was_appended(tmp_path: Path) -> None:
    table = DatasetTable(tmp_path / "t.csv")
    table.append([row(1)])
    table.append([row(2), row(3)])
    frame = pd.read_csv(tmp_path / "t.csv")
    assert list(frame["isic_number"]) == [1, 2, 3]
    assert list(frame["filename"]) == ["ISIC_0000001.png", "ISIC_0000002.png", "ISIC_0000003.png"]
    assert set(frame["source"]) == {"synthetic"}
    assert frame["color_adjusted"].dtype == np.bool_
    assert pd.to_datetime(frame["generated_at"]).dt.tz is not None


@given(cut=st.integers(0, 10_000))
def test_a_table_torn_anywhere_is_mended(cut: int) -> None:
    """Whatever part of the last row a crash left, the rows before it stand and the next row starts on its own line."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        table = DatasetTable(file)
        table.append([row(1), row(2)])
        whole = file.read_bytes()
        end_of_first = whole.index(b"\n", len(HEADER)) + 1
        file.write_bytes(whole[: min(end_of_first + cut, len(whole))])
        mended = DatasetTable(file)
        missing = [row(2)] if ("MEL", 2) not in mended.known else []
        mended.append([*missing, row(3)])
        frame = pd.read_csv(file)
        assert list(frame["isic_number"]) == [1, 2, 3]
        assert not frame.drop(columns=[]).isna().any(axis=None)


def test_a_foreign_table_is_refused_and_untouched(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("image_id,dx\nISIC_1,mel\n")
    with pytest.raises(OutputFolderError, match="image_id, dx"):
        DatasetTable(file)
    assert file.read_text() == "image_id,dx\nISIC_1,mel\n"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xff\xfe\x00x\n")
    with pytest.raises(OutputFolderError, match="cannot be read"):
        DatasetTable(file)


def test_a_byte_order_mark_from_a_spreadsheet_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + (",".join(row(4)) + "\n").encode())
    assert DatasetTable(file).known == {("MEL", 4)}


def test_rows_wait_while_the_table_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    table = DatasetTable(file)
    table.append([row(1)])
    file.rename(tmp_path / "aside.csv")
    file.mkdir()  # for root too, a folder cannot be appended to: as good as a file locked by a spreadsheet
    with pytest.raises(OSError, match="directory"):
        table.append([row(2)])
    file.rmdir()
    (tmp_path / "aside.csv").rename(file)
    table.append([row(3)])
    assert list(pd.read_csv(file)["isic_number"]) == [1, 2, 3]


def test_a_damaged_row_does_not_stop_the_program(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + "x,MEL\n" + ",".join(row(2)) + "\n")
    assert DatasetTable(file).known == {("MEL", 2)}


def test_a_write_cut_short_by_a_full_disk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.csv"
    table = DatasetTable(file)
    table.append([row(1)])
    before = file.read_bytes()

    class HalfADisk(io.FileIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *_a, **_k: HalfADisk(str(self), "ab"))
        with pytest.raises(OSError, match="space"):
            table.append([row(2)])
    assert file.read_bytes() == before
    table.append([])
    assert list(pd.read_csv(file)["isic_number"]) == [1, 2]
