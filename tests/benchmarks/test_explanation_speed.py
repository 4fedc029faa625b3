from __future__ import annotations

import json
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
    quick = ["--repeats", "1", "--threads", "1", "--ig-steps", "1", "--shap-samples", "8", "--shap-regions", "2"]
    monkeypatch.setattr(sys, "argv", ["speed", *quick, "--output", str(tmp_path / "o.json")])
    assert main() == 0
    numbers = json.loads((tmp_path / "o.json").read_text())
    assert set(numbers["seconds"]) == {"captum's defaults", "program fp32", "program auto"}
    for side in numbers["seconds"].values():
        assert set(side) == {"ig", "shap"}
        assert all(len(values) == 1 and values[0] > 0 for values in side.values())
    assert all(value > 0.9 for value in numbers["agreement"].values())
    assert "1.00x" in capsys.readouterr().out
