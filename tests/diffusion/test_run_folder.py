"""Where a run may write, and that it is alone there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from diffusion import run_folder, stage_run
from diffusion.__main__ import main
from diffusion.state import read_state
from tests.diffusion.examples import class_folders, make_networks_tiny


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_networks_tiny(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "data", MEL=10)


def train(data: Path, output: Path, *options: str) -> int:
    quick = ["--size", "16", "--batch-size", "4", "--grid-every", "0", "--device", "cpu", "--precision", "fp32"]
    return main(["train", "--data", str(data), "--output", str(output), "--classes", "MEL", *quick, *options])


@pytest.mark.parametrize("second", [[], ["--resume"]])
def test_a_second_run_in_the_folder_of_one_that_goes_on_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], second: list[str]
) -> None:
    """Started within the first step of the first run, which has written no state yet and does not notice."""
    codes: list[int] = []
    real = stage_run.denoising_loss

    def meanwhile(*arguments: Any) -> torch.Tensor:
        if not codes:
            codes.append(-1)
            codes.append(train(data, tmp_path / "run", "--steps", "3", *second))
        return real(*arguments)

    monkeypatch.setattr(stage_run, "denoising_loss", meanwhile)
    assert train(data, tmp_path / "run", "--steps", "2") == 0
    assert codes == [-1, 2]
    assert f"Another training run is writing into {tmp_path / 'run' / 'MEL'}" in capsys.readouterr().err
    assert read_state(tmp_path / "run" / "MEL" / "state.pt")["step"] == 2
    assert not (tmp_path / "run" / "MEL" / ".training.lock").exists()


def test_a_run_that_another_one_has_finished_meanwhile_is_not_begun_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run" / "MEL" / "state.pt"
    acquire = FileLock.acquire

    def late(lock: FileLock, *arguments: Any, **options: Any) -> Any:
        if Path(lock.lock_file).name == run_folder.LOCK_NAME:
            file.write_bytes(b"of the other run")
        return acquire(lock, *arguments, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    assert train(data, tmp_path / "run", "--steps", "2") == 2
    assert "holds a training run" in capsys.readouterr().err
    assert file.read_bytes() == b"of the other run"


@pytest.mark.parametrize("inside", [".", "in/it"])
def test_an_output_that_is_a_file_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], inside: str
) -> None:
    (tmp_path / "file").write_text("mine")
    assert train(data, tmp_path / "file" / inside, "--steps", "2") == 2
    assert "cannot be written (Not a directory); choose another with --output." in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_that_is_read_only_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_folder.os, "access", lambda path, mode: mode == os.F_OK and Path(path).exists())
    assert train(data, tmp_path / "run", "--steps", "2") == 2
    assert "cannot be written (Permission denied); choose another with --output." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few people make symbolic links")
def test_an_output_that_turns_out_not_to_be_writable_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    assert train(data, tmp_path / "run", "--steps", "2") == 2
    assert "cannot be written" in capsys.readouterr().err
