from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import CheckpointError, JobFailedError
from diffusion.state import STATE_FORMAT, read_state


def test_a_state_that_memory_does_not_suffice_for_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.pt"
    torch.save({"format": STATE_FORMAT}, file)
    assert read_state(file) == {"format": STATE_FORMAT}

    def load(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(JobFailedError, match=r"not enough memory on cpu for the training state state\.pt"):
        read_state(file)


def test_a_state_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    torch.save({"format": STATE_FORMAT, "weights": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="damaged or not a PyTorch training state"):
        read_state(file)
