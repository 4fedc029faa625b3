from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import OutputFolderError
from core.output.dataset_table import COLUMNS, DatasetTable, row_of
from tests.core.examples import parameters

HEADER = ",".join(COLUMNS) + "\n"
_BYTES = [b'"', b"\n", b",", b"\xff", b"\0", b";", b"\r", b""]


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


@pytest.mark.parametrize("text", ["image_id,dx\nISIC_1,mel", "image_id,dx", '"', HEADER + "x,MEL\nISIC_1,mel"])
def test_a_table_that_is_refused_is_untouched_without_its_last_line_end_too(tmp_path: Path, text: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(OutputFolderError):
        DatasetTable(file)
    assert file.read_text() == text


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


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(",", ',"', 1),  # a stray quote, which once swallowed every row after it
        lambda line: line.replace("MEL", '"MEL"x', 1),
        lambda line: f'"{line}',
        lambda line: line.replace("MEL", "mel", 1),
        lambda line: line.replace(",2,", ",2.0,", 1),
        lambda line: line.replace(",2,", ",two,", 1),
        lambda line: line.replace(",", ";"),
        lambda line: line.rpartition(",")[0],
        lambda line: line + ",more",
        lambda line: "x,MEL",
    ],
)
def test_a_row_that_an_editor_damaged_is_refused_with_its_line_and_nothing_is_written(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    file = tmp_path / "t.csv"
    lines = [",".join(row(number)) for number in (1, 2, 3)]
    file.write_text(HEADER + "\n".join([lines[0], damage(lines[1]), lines[2]]) + "\n")
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(OutputFolderError, match=r"Line 3 of .*t\.csv is not a row"):
            DatasetTable(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "save",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n\n",
        lambda text: text + "," * (len(COLUMNS) - 1) + "\n",
        lambda text: text.removesuffix("\n"),
        lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()) + "\n",
        lambda text: "\ufeff" + text,
    ],
)
def test_what_editors_do_to_a_table_without_damage_does_no_harm(tmp_path: Path, save: Callable[[str], str]) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(save(HEADER + "".join(",".join(row(number)) + "\n" for number in (1, 2))).encode())
    table = DatasetTable(file)
    assert table.known == {("MEL", 1), ("MEL", 2)}
    table.append([row(3)])
    assert DatasetTable(file).known == {("MEL", 1), ("MEL", 2), ("MEL", 3)}


def test_cells_that_a_spreadsheet_would_compute_are_text(tmp_path: Path) -> None:
    table = DatasetTable(tmp_path / "t.csv")
    table.append([row_of(parameters(checkpoint=f"{start}1+1.pth"), COLUMNS) for start in ("=", "+", "-", "@", "\t=")])
    cells = [line.split(",")[COLUMNS.index("checkpoint")] for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    assert cells == ["'=1+1.pth", "'+1+1.pth", "'-1+1.pth", "'@1+1.pth", "'\\t=1+1.pth"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_table_with_any_change_is_read_or_refused_and_never_grows_by_itself(data: st.DataObject) -> None:
    """Bounded fuzzing over the bytes of a table: two jobs after another leave it as one does."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        DatasetTable(file).append([row(1), row(2), row(3)])
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(content)))
            length = data.draw(st.integers(0, 3))
            content[place : place + length] = data.draw(
                st.sampled_from([b'"', b"\n", b",", b"\xff", b"\0", b";", b"\r"])
            )
        file.write_bytes(content)
        for _ in range(2):
            try:
                table = DatasetTable(file)
            except OutputFolderError as error:
                assert str(file) in str(error)
                return
            missing = [number for number in (1, 2, 3) if ("MEL", number) not in table.known]
            table.append([row(number) for number in missing])
        assert not missing


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
