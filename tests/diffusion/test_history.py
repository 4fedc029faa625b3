from __future__ import annotations

import csv
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
