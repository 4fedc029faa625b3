"""Run the training benchmark in a small form, so that it keeps working between measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import training
from tests.diffusion.examples import make_networks_tiny


def test_the_training_benchmark_measures_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_networks_tiny(monkeypatch)
    output = tmp_path / "numbers.json"
    small = ["--size", "16", "--batch-size", "4", "--steps", "1", "--repeats", "2", "--cpu"]
    with torch.random.fork_rng():
        assert training.main([*small, "--json", str(output)]) == 0
    numbers = json.loads(output.read_text())
    assert {training.SCRIPT, training.PROGRAM_FP32} <= set(numbers["figures"])
    assert all(len(values) == 2 and min(values) > 0 for values in numbers["figures"].values())
    assert "1.00x" in capsys.readouterr().out


def test_steps_are_counted_and_measured_together() -> None:
    made: list[int] = []
    training.repeated(lambda: made.append(len(made)), 3, torch.device("cpu"))()
    assert made == [0, 1, 2]


def test_the_reference_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference must be a real step: its weights change, and it reads one batch after another."""
    make_networks_tiny(monkeypatch)
    images = training.read_images(training.EXCERPT).images
    made: list[torch.nn.Module] = []
    real = training.UNet2DModel

    def kept(**config: object) -> torch.nn.Module:
        made.append(real(**config))
        return made[0]

    monkeypatch.setattr(training, "UNet2DModel", kept)
    with torch.random.fork_rng():
        once = training.script_step(images, training.unet_config("default", 16, "none"), 8, torch.device("cpu"))
        before = {name: weight.clone() for name, weight in made[0].state_dict().items()}
        for _ in range(3):  # 16 images are two batches of eight
            once()
    after = made[0].state_dict()
    assert not any(torch.equal(before[name], after[name]) for name in ("conv_in.weight", "conv_out.weight"))
