from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import CheckpointError, JobFailedError
from core.paths import PROJECT_ROOT
from diffusion.__main__ import main
from diffusion.state import STATE_FORMAT, read_state
from tests.conftest import SCHEDULER, TINY_UNET


def test_a_state_that_memory_does_not_suffice_for_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.pt"
    torch.save({"format": STATE_FORMAT}, file)

    def load(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(JobFailedError, match=r"not enough memory on cpu for the training state state\.pt"):
        read_state(file)


def test_a_state_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    torch.save({"format": STATE_FORMAT, "weights": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged: its archive cannot be read"):
        read_state(file)


WHOLE: dict[str, Any] = {
    "format": STATE_FORMAT,
    "config": TINY_UNET,
    "scheduler": SCHEDULER,
    "training_config": {"stages": [{"steps": 4}]},
    "step": 1,
    "average": {"shadow": {"weight": torch.zeros(1)}},
}
SPOILED: dict[str, dict[str, Any]] = {
    "nothing but its format": {name: None for name in WHOLE if name != "format"},
    "a text for the configuration": {"config": "x"},
    "a configuration of 10^6 layers": {"config": {**TINY_UNET, "layers_per_block": 10**6}},
    "a schedule of 10^12 timesteps": {"scheduler": {"num_train_timesteps": 10**12}},
    "no stages": {"training_config": {}},
    "stages without steps": {"training_config": {"stages": [1]}},
    "a text for the step": {"step": "x"},
    "an average without weights": {"average": {}},
    "weights without values": {"average": {"shadow": {"weight": torch.zeros(1, device="meta")}}},
    "no best loss": {"stopping": {}},
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_state_with_a_damaged_part_is_one_sentence(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state.pt"
    torch.save(WHOLE, file)
    assert read_state(file)["step"] == 1
    torch.save({**WHOLE, **SPOILED[kind]}, file)
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        read_state(file)
    for command in (["inspect", str(file)], ["export", str(file), "--output", str(tmp_path / "e")]):
        assert main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1


DEMO = PROJECT_ROOT / "core" / "demo"
FOLDERS: dict[str, tuple[Callable[[bytes], bytes], str | None]] = {
    "cut short": (lambda whole: whole[:100_000], None),
    "empty": (lambda _: b"", None),
    "a header of 2^63 bytes": (lambda whole: (2**63).to_bytes(8, "little") + whole[8:], None),
    "nested": (bytes, "[" * 200_000),
    "a list": (bytes, "[]"),
    "a text": (bytes, '{"config": "x", "scheduler": {}, "provenance": {}}'),
    "no provenance": (bytes, '{"config": {}, "scheduler": {}}'),
    "10^6 layers": (bytes, '{"config": {"layers_per_block": 1000000}, "scheduler": {}, "provenance": {}}'),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_damaged_demonstration_set_is_one_sentence(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, description = FOLDERS[kind]
    (tmp_path / "unet.safetensors").write_bytes(spoil((DEMO / "unet.safetensors").read_bytes()))
    (tmp_path / "unet.json").write_text(description or (DEMO / "unet.json").read_text())
    assert main(["inspect", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_conditioned_network_without_its_parts_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"format": "isicgui.conditioned-unet/1"}, tmp_path / "a.pt")
    assert main(["inspect", str(tmp_path / "a.pt")]) == 2
    assert "lacks a configuration" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train --data {tmp} --output {tmp}/run", "export {tmp}/x.pt --output {tmp}/e"])
def test_without_accelerate_one_sentence_names_what_to_install(tmp_path: Path, command: str) -> None:
    code = "import sys; sys.modules['accelerate'] = None; from diffusion.__main__ import main; sys.exit(main())"
    arguments = command.replace("{tmp}", str(tmp_path)).split()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) in {(1, 1), (2, 1)}
    assert "requirements-train.txt" in done.stderr or "x.pt" in done.stderr
