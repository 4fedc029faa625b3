from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.application import main
from core.generation import reproduction
from core.models import checkpoints


@pytest.mark.parametrize(("module", "name"), [(checkpoints, "speed_up"), (reproduction, "denoise")])
def test_an_image_without_enough_memory_does_not_prevent_the_others(
    tiny_checkpoints: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    name: str,
) -> None:
    where = ["--checkpoints", str(tiny_checkpoints), "--device", "cpu"]
    options = ["--classes", "MEL=1,NV=1", "--steps", "2", "--precision", "fp32", "--output", str(tmp_path / "o")]
    assert main(["generate", *options, *where]) == 0
    capsys.readouterr()
    real, calls = getattr(module, name), []

    def full_at_first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(module, name, full_at_first)
    images = [str(tmp_path / "o" / class_name / "ISIC_0000001.png") for class_name in ("MEL", "NV")]
    assert main(["reproduce", *images, *where, "--json"]) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(result["image"], result["equal"]) for result in results] == [(images[0], False), (images[1], True)]
    assert "not enough memory on cpu" in results[0]["error"]
