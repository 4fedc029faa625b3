from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.classes import CLASSES
from core.models.checkpoints import Checkpoint, read_checkpoint
from core.models.devices import no_memory
from gui.checkpoint_folder import classes_in, find_checkpoints, first_look
from gui.tasks.checkpoint_scan import CheckpointScan


def test_finds_the_checkpoints_folder(tmp_path: Path, tiny_checkpoints: Path) -> None:
    assert find_checkpoints(tiny_checkpoints) == tiny_checkpoints
    assert find_checkpoints(tiny_checkpoints.parent) == tiny_checkpoints
    renamed = tiny_checkpoints.rename(tmp_path / "my models")
    assert find_checkpoints(renamed) == renamed
    assert find_checkpoints(tmp_path) is None
    assert find_checkpoints(tmp_path / "missing") is None


def test_first_look(tmp_path: Path, tiny_checkpoints: Path) -> None:
    assert classes_in(tiny_checkpoints) == ("MEL", "NV", "DF")
    found = first_look(tiny_checkpoints)
    assert [name for name in CLASSES if found[name].usable] == ["MEL", "NV", "DF"]
    assert not first_look(tmp_path / "missing")["MEL"].usable


def test_an_empty_folder_will_be_filled_with_the_demo_set(tmp_path: Path) -> None:
    found = first_look(tmp_path)
    assert all(entry.usable and entry.demonstration for entry in found.values())


def test_a_model_that_needs_more_memory_than_available(
    qtbot: QtBot, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> Checkpoint:
        if path.name == "unet_NV_best.pth":
            raise no_memory("cpu", "the checkpoint unet_NV_best.pth")
        return read_checkpoint(path)

    monkeypatch.setattr("core.models.checkpoints.read_checkpoint", read)
    scan = CheckpointScan(tiny_checkpoints)
    with qtbot.waitSignal(scan.found) as signal:
        scan.start()
    scan.wait()
    (found,) = signal.args
    assert not found["NV"].usable
    assert "not enough memory" in found["NV"].reason
    assert found["MEL"].usable
