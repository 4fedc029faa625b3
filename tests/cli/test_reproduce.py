from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.application import main
from core.generation import reproduction
from core.models import checkpoints
from core.output.image_file import read_parameters
from tests.core.examples import write_png_with_text


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


def test_an_image_of_a_stranger_costs_one_line_and_the_others_are_reproduced(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--checkpoints", str(tiny_checkpoints), "--device", "cpu"]
    options = ["--classes", "MEL=2", "--steps", "2", "--precision", "fp32", "--output", str(tmp_path / "o")]
    assert main(["generate", *options, *where]) == 0
    first, last = (tmp_path / "o" / "MEL" / f"ISIC_000000{number}.png" for number in (1, 2))
    base = read_parameters(first).to_json()
    changes: list[dict[str, object]] = [{"steps": 0}, {"steps": None}, {"sampler": ["ddpm"]}, {"seed": 1.5}]
    changes += [{"device": "hostile"}, {"reuse": "a"}, {"checkpoint_sha256": None}, {"isic_number": 10**400}]
    bad = [
        write_png_with_text(tmp_path / f"{index}.png", json.dumps({**base, **change}))
        for index, change in enumerate(changes)
    ]
    bad.append(write_png_with_text(tmp_path / "deep.png", "[" * 60_000))
    bad.append(tmp_path / "empty.png")
    bad[-1].write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    bad.append(tmp_path / "folder.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo.png")
        bad.append(tmp_path / "fifo.png")
    capsys.readouterr()
    assert main(["reproduce", str(first), *map(str, bad), str(last), *where, "--json"]) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["image"] for result in results] == list(map(str, [first, *bad, last]))
    assert [result["equal"] for result in results] == [True, *[False] * len(bad), True]
    assert all(str(image) in result["error"] for image, result in zip(bad, results[1:], strict=False))


def test_the_lines_for_a_terminal_have_no_control_characters(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "a\x1b[2J\n\u202eb.png"
    image.write_bytes(b"")
    assert main(["reproduce", str(image), "--checkpoints", str(tiny_checkpoints)]) == 1
    line, end = capsys.readouterr().out.splitlines()
    assert "a\\x1b[2J\\n\\u202eb.png" in line
    assert end == "0 of 1 images reproduced."
    assert main(["reproduce", f"{image}.gone"]) == 2
    assert "\x1b" not in capsys.readouterr().err
