"""Run the benchmark of reuse in a small form, so that it keeps working between measurements."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.reuse import main, named
from core.presets import Preset


def test_seconds_and_distances(tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.json"
    small = [
        "--checkpoints",
        str(tiny_checkpoints),
        "--classes",
        "MEL",
        "NV",
        "--images",
        "2",
        "--reference-steps",
        "8",
    ]
    small += ["--settings", "ddpm:4", "unipc:8", "--reuse", "1", "2", "--repeats", "2", "--device", "cpu"]
    assert main([*small, "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    names = [named(Preset(sampler, steps, reuse)) for sampler, steps in (("ddpm", 4), ("unipc", 8)) for reuse in (1, 2)]
    assert list(found["figures"]) == list(found["notes"]) == names
    assert all(len(values) == 2 and min(values) > 0 for values in found["figures"].values())
    assert found["notes"]["ddpm 4, reuse 1"] == "- from no reuse, - from 8 steps"
    assert found["notes"]["unipc 8, reuse 1"] == "- from no reuse, 0.00 from 8 steps"
    from_whole, from_many = re.findall(r"[\d.]+(?= from)", found["notes"]["unipc 8, reuse 2"])
    assert from_whole == from_many
    assert float(from_whole) > 0
    assert main([*small, "--compare", str(file)]) == 0
    assert "% since" in capsys.readouterr().out
