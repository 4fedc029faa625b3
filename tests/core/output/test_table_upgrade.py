"""Output folders of SYNT_ISIC are continued: their table gets all columns, and the old file is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from cli.application import main
from core.errors import OutputFolderError
from core.output.dataset_table import COLUMNS, DatasetTable
from core.output.table_upgrade import upgrade_table

HEADER = "filename,class,isic_number,source,generated_at\r\n"
ROWS = "ISIC_0000001.png,MEL,1,synthetic,1700000000.5\r\nISIC_0000002.png,MEL,2,synthetic,1700000060.0\r\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "synthetic_dataset.csv"
    file.write_bytes((HEADER + ROWS).encode())
    return file


def test_a_folder_of_synt_isic_is_continued(tiny_checkpoints: Path, tmp_path: Path, table: Path) -> None:
    (tmp_path / "MEL").mkdir()
    for number in (1, 2):
        Image.new("RGB", (16, 16)).save(tmp_path / "MEL" / f"ISIC_{number:07d}.png")
        (tmp_path / "MEL" / f"ISIC_{number:07d}.json").write_text(json.dumps({"class": "MEL"}))
    before = table.read_bytes()
    command = ["generate", "--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path), "--classes", "MEL=1,NV=1"]
    assert main([*command, "--steps", "2", "--device", "cpu", "--precision", "fp32"]) == 0
    frame = pd.read_csv(table)
    assert tuple(frame.columns[:5]) == COLUMNS[:5]
    assert frame[["class", "isic_number"]].to_numpy().tolist() == [["MEL", 1], ["MEL", 2], ["MEL", 3], ["NV", 1]]
    assert frame["path"].tolist()[1] == "MEL/ISIC_0000002.png"
    assert frame["generated_at"].tolist()[0] == "2023-11-14T22:13:20+00:00"
    assert frame["seed"].isna().tolist() == [True, True, False, False]
    assert (tmp_path / "synthetic_dataset.synt_isic.csv").read_bytes() == before
    assert (tmp_path / "MEL" / "ISIC_0000003.png").is_file()


def test_a_table_is_upgraded_once(table: Path) -> None:
    assert upgrade_table(table, COLUMNS) == table.with_name("synthetic_dataset.synt_isic.csv")
    assert upgrade_table(table, COLUMNS) is None
    table.write_bytes((HEADER + ROWS).encode())
    assert upgrade_table(table, COLUMNS) == table.with_name("synthetic_dataset.2.synt_isic.csv")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("", []),
        ("ISIC_0000001.png,MEL\r\n\r\n" + ROWS, [["ISIC_0000001.png", "MEL"], ["ISIC_0000002.png", "MEL"]]),
        ("ISIC_0000001.png,HAT,1,synthetic,0\r\n" + ROWS[:48], [["ISIC_0000001.png", "MEL"]]),
        ('ISIC_0000001.png,MEL,1,"syn\nthetic",0\r\n', []),
        (ROWS[:-20], [["ISIC_0000001.png", "MEL"], ["ISIC_0000002.png", "MEL"]]),  # torn in its last row
        ("ISIC_0000001.png,MEL,1,synthetic,soon,too,many\r\n", [["ISIC_0000001.png", "MEL"]]),
    ],
)
def test_a_damaged_table_keeps_what_it_has(table: Path, rows: str, expected: list[list[str]]) -> None:
    table.write_bytes((HEADER + rows).encode())
    assert upgrade_table(table, COLUMNS)
    frame = pd.read_csv(table, dtype=str)
    assert tuple(frame.columns) == COLUMNS
    assert len(DatasetTable(table).known) == len(expected)
    assert frame[["filename", "class"]].to_numpy().tolist() == expected


def test_a_table_that_is_no_text_is_named(table: Path) -> None:
    table.write_bytes(HEADER.encode() + b"\xff\xfe\x00")
    with pytest.raises(OutputFolderError, match=r"synthetic_dataset\.csv, a table of SYNT_ISIC, cannot be upgraded"):
        upgrade_table(table, COLUMNS)
    assert not list(table.parent.glob("*.synt_isic.csv"))


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", ",".join(COLUMNS) + "\n"])
def test_other_tables_are_left_alone(table: Path, content: str | None) -> None:
    table.unlink()
    if content is not None:
        table.write_text(content)
    assert upgrade_table(table, COLUMNS) is None
    assert [file.name for file in table.parent.iterdir()] == ([table.name] if content is not None else [])
