"""Run the benchmarks in a small form, so that they keep working between measurements."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import measure, startup, writing
from core.paths import PROJECT_ROOT


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this variable, Qt creates a folder among the temporary files of all users."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def numbers_of(name: str, file: Path, *options: str) -> Any:
    """Run a benchmark in a separate process; return the content of its JSON file."""
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--repeats", "1", "--json", str(file), *options],
        cwd=PROJECT_ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=True,
        capture_output=True,
    )
    return json.loads(file.read_text())


def test_generation(tmp_path: Path) -> None:
    found = numbers_of("generation", tmp_path / "n.json", "--steps", "1", "--batch", "2", "--device", "cpu")
    sides = ["DDPMPipeline fp32", "plain loop fp32", "program fp32", "program auto"]
    sides += ["program auto, batch 2", "fast, batch 2"]
    assert list(found["figures"]) == sides
    assert all(len(values) == 1 and values[0] > 0 for values in found["figures"].values())
    assert all("% of " in found["notes"][side] for side in sides)


def test_browsing(tmp_path: Path) -> None:
    found = numbers_of("browsing", tmp_path / "n.json", "--images", "40", "--processor-time")
    assert set(found["figures"]) == {f"40 images {what}" for what in ("read", "shown", "in view")}
    assert int(found["notes"]["40 images in view"].split()[0]) > 0


def test_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.json"
    options = ["writing", "--images", "8", "--parts", "2", "--size", "16", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", options)
    assert writing.main() == 0
    found = json.loads(file.read_text())
    assert list(found["figures"]) == ["images 1 to 4", "images 5 to 8"]
    assert "MiB" in found["notes"]["images 5 to 8"]
    monkeypatch.setattr(sys, "argv", [*options, "--compare", str(file)])
    assert writing.main() == 0
    assert "% since" in capsys.readouterr().out


def test_startup_runs_the_program(tmp_path: Path) -> None:
    runs = startup.startup_runs(tmp_path, steps=1)
    assert "usage" in str(runs["main.py --help"]())
    assert runs["window shown"]() == ""


def test_runs_take_turns_after_a_warm_up_and_keep_their_spread() -> None:
    order: list[str] = []
    moments = iter([0.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0, 8.0])
    runs = {name: (lambda name=name: order.append(name)) for name in "ab"}
    found = measure.in_turn(runs, 2, lambda: next(moments))
    assert order == ["a", "b"] * 3
    assert found == {"a": [1.0, 1.0], "b": [2.0, 4.0]}


def test_ratios_are_to_the_first_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    measure.add_options(parser, repeats=3)
    before = tmp_path / "before.json"
    measure.report({"a": [4.0], "b": [4.0]}, {}, parser.parse_args(["--json", str(before)]))
    capsys.readouterr()
    measure.report({"a": [2.0, 2.0, 9.0], "b": [1.0]}, {}, parser.parse_args(["--compare", str(before)]))
    _, _, first, second = capsys.readouterr().out.splitlines()
    assert "1.00x" in first
    assert "(2.0000 to 9.0000)" in first
    assert "-50% since" in first
    assert "2.00x" in second


def test_the_machine_is_measured_in_operations() -> None:
    once, operations = measure.matrix_products(torch.device("cpu"), torch.float32)
    once()
    assert operations == 4 * 2 * 1024**3


def test_network(tmp_path: Path) -> None:
    found = numbers_of("network", tmp_path / "n.json")
    assert {"diffusers fp32", "program fp32"} <= set(found["figures"])
