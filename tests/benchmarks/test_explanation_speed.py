from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.explanation_speed import main


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_both_sides_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--repeats", "2", "--threads", "1", "--ig-steps", "1", "--shap-samples", "8", "--shap-regions", "2"]
    file = tmp_path / "n.json"
    monkeypatch.setattr(sys, "argv", ["speed", *quick, "--json", str(file)])
    assert main() == 0
    numbers = json.loads(file.read_text())
    assert list(numbers["figures"]) == ["captum's defaults", "program fp32", "program auto"]
    for side, values in numbers["figures"].items():
        parts = re.findall(r"(ig|shap) (\d+\.\d\d)", numbers["notes"][side].partition(";")[0])
        assert [name for name, _ in parts] == ["ig", "shap"]
        assert len(values) == 2
        assert statistics.median(values) == pytest.approx(sum(float(part) for _, part in parts), abs=0.05)
    alike = re.findall(r"(ig|shap) (\d\.\d{4})", numbers["notes"]["program auto"].partition("correlation")[2])
    assert [name for name, _ in alike] == ["ig", "shap"]
    assert all(float(value) > 0.9 for _, value in alike)
    printed = capsys.readouterr().out
    assert "1.00x" in printed
    assert "program auto at least 3x: " in printed
    monkeypatch.setattr(sys, "argv", ["speed", *quick, "--compare", str(file)])
    assert main() == 0
    assert "% since" in capsys.readouterr().out
