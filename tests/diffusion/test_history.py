from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from core.errors import ArgumentError
from diffusion.history import History, Measured


def rows_in(folder: Path) -> list[int]:
    with (folder / "loss.csv").open(newline="") as stream:
        return [int(row["step"]) for row in csv.DictReader(stream)]


def test_a_run_that_goes_on_from_an_earlier_step_forgets_what_came_after(tmp_path: Path) -> None:
    history = History(tmp_path, 0)
    for step in (10, 20, 30):
        history.add(Measured(step, 64, 1 / step, 0.5 / step, 12.5))
    assert rows_in(tmp_path) == [10, 20, 30]
    again = History(tmp_path, 20)
    assert again.rows[1] == Measured(20, 64, 0.05, 0.025, 12.5)
    again.add(Measured(25, 128, 0.1, 0.1, 3.0))
    assert rows_in(tmp_path) == [10, 20, 25]


def test_a_table_without_later_columns_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "loss.csv").write_text("step,size,loss,held_out_loss,images_per_second\n5,32,0.5,0.6,7.25\n")
    history = History(tmp_path, 5)
    history.add(Measured(6, 32, 0.4, 0.5, 7.0, 1e-4, 512.0))
    assert [row.learning_rate for row in History(tmp_path, 6).rows] == [0.0, 1e-4]


def test_a_table_that_a_spreadsheet_program_saved_is_gone_on_with(tmp_path: Path) -> None:
    """With a byte-order mark, and a row that somebody has put beneath."""
    table = "step,size,loss,held_out_loss,images_per_second\r\n5,32,0.5,0.6,7.25\r\n,,mean,0.6,\r\nsix,32,1,1,1\r\n"
    (tmp_path / "loss.csv").write_bytes(table.encode("utf-8-sig"))
    assert History(tmp_path, 5).rows == [Measured(5, 32, 0.5, 0.6, 7.25)]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, "step,size\r\n5,32\r\n".encode("utf-16"), b"\xff\xfe,\xd8\n1,2,3\n"]
)
def test_what_is_no_table_begins_a_new_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "loss.csv").write_bytes(content)
    assert History(tmp_path, 5).rows == []


@pytest.mark.parametrize(("held", "other"), [("loss.csv", "loss.png"), ("loss.png", "loss.csv")])
def test_a_file_that_cannot_be_written_is_told_of_once_and_written_whole_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: str, other: str
) -> None:
    (tmp_path / held).mkdir()  # refuses to be replaced, as a file does on Windows that another program holds open
    history = History(tmp_path, 0)
    for step in (10, 20):
        history.add(Measured(step, 64, 1 / step, 0.5 / step, 12.5))
    said = capsys.readouterr().out
    assert said.count("cannot be written") == said.count(str(tmp_path / held)) == 1
    assert {file.name for file in tmp_path.iterdir()} == {held, other}
    (tmp_path / held).rmdir()
    history.add(Measured(30, 64, 0.1, 0.1, 12.5))
    assert rows_in(tmp_path) == [10, 20, 30]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_event_files_that_cannot_be_written_are_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = History(tmp_path, 0, tensorboard=True)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("add_scalar", "add_image"):
        monkeypatch.setattr(history._board, name, full)
    for step in (10, 20):
        history.add(Measured(step, 64, 1 / step, 0.5 / step, 12.5))
        history.add_grid(np.zeros((8, 8, 3), np.uint8), step)
    history.close()
    assert capsys.readouterr().out.count("tensorboard cannot be written (No space left on device)") == 1
    assert rows_in(tmp_path) == [10, 20]


def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    history = History(tmp_path, 0, tensorboard=True)
    history.add(Measured(10, 64, 0.25, 0.5, 12.5))
    history.add_grid(np.zeros((8, 8, 3), np.uint8), 10)
    history.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("held_out_loss")] == [(10, 0.5)]
    assert events.Images("averaged weights")[0].width == 8


def test_without_tensorboard_the_option_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ArgumentError, match=r"requirements-train.txt"):
        History(tmp_path, 0, tensorboard=True)
