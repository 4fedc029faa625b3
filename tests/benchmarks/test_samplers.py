"""Run the benchmark of the samplers in a small form, so that it keeps working between measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.samplers import Row, main, table
from core.output.image_file import read_parameters
from core.presets import Preset
from tests.conftest import REAL_IMAGES


def test_it_generates_evaluates_and_tabulates(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--real", str(REAL_IMAGES), "--output", str(tmp_path / "grid"), "--table", str(tmp_path / "table.md")]
    arguments += ["--checkpoints", str(tiny_checkpoints), "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    arguments += ["--classes", "MEL,NV,DF", "--images", "2", "--samplers", "ddim", "--steps", "2", "--quick"]
    arguments += ["--reuse", "1,2", "--timed", "2", "--repeats", "1", "--processor-time"]
    assert main(arguments) == 0
    lines = (tmp_path / "table.md").read_text().splitlines()
    rows = [line.replace("*", "").split(" | ")[:3] for line in lines[2:4]]
    assert sorted(rows) == [["| ddim", "2", "1"], ["| ddim", "2", "2"]]
    assert "6 images per row" in lines[5]
    image = tmp_path / "grid" / "ddim-2-reuse-2" / "images" / "MEL" / "ISIC_0000001.png"
    assert read_parameters(image).reuse == 2
    made = (tmp_path / "grid" / "ddim-2" / "images" / "synthetic_dataset.csv").read_bytes()
    (tmp_path / "table.md").write_text("Before\n<!-- begin samplers -->\n<!-- end samplers -->\nAfter\n")
    assert main(arguments) == 0  # finished work is kept
    assert "| ddim" in (tmp_path / "table.md").read_text().partition("Before")[2].partition("After")[0].replace("*", "")
    assert (tmp_path / "grid" / "ddim-2" / "images" / "synthetic_dataset.csv").read_bytes() == made
    assert "ddim-2-reuse-2 is finished" in capsys.readouterr().out
    assert "processor time, median of 1 jobs of 2 images" in lines[-1]
    assert all(float(line.split(" | ")[3]) > 0 for line in lines[2:4])


def test_rows_are_ordered_by_time_and_the_best_so_far_are_marked() -> None:
    def row(sampler: str, seconds: float, kid: float) -> Row:
        figure = {"metric": "kid", "features": "a", "value": kid, "sd": 0.1, "ratio_to_floor_95": 2 * kid}
        result = {"features": {"a": "A"}, "figures": [figure], "agreement": [], "copies": {"copies": 0}}
        return Row(Preset(sampler, 10, 1), seconds, {**result, "set_images": {"MEL": 3}})

    found = table([row("slow", 9, 0.5), row("fast", 1, 2.0), row("bad", 2, 3.0), row("middle", 3, 1.0)])
    assert [cells[0] for cells in found.rows] == ["**fast**", "bad", "**middle**", "**slow**"]
    assert found.rows[0][5] == 4.0
