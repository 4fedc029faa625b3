"""The benchmarks run in a small form, so that they do not rot between measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from core.paths import PROJECT_ROOT


def test_the_generation_benchmark_measures_both_sides(tmp_path: Path) -> None:
    output = tmp_path / "numbers.json"
    command = [sys.executable, "-m", "benchmarks.generation", "--steps", "1", "--repeats", "1", "--device", "cpu"]
    done = subprocess.run(
        [*command, "--output", str(output)], cwd=PROJECT_ROOT, check=True, capture_output=True, text=True
    )
    numbers = json.loads(output.read_text())
    assert set(numbers["seconds"]) == {"DDPMPipeline fp32", "program fp32", "program auto"}
    assert all(len(values) == 1 and values[0] > 0 for values in numbers["seconds"].values())
    assert "1.00x" in done.stdout
