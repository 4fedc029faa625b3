from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from core.checkpoints import read_checkpoint
from core.classes import CLASSES
from core.demo_set import unpack_demo_set
from diffusion import train
from diffusion.__main__ import main
from diffusion.ema import ExponentialMovingAverage
from diffusion.train import Stage, Trainer, TrainingConfig, learning_rate
from tests.conftest import REAL_IMAGES, TINY_UNET

TINY_CONDITIONAL = {
    **TINY_UNET,
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    "num_class_embeds": len(CLASSES) + 1,
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "DEMO_UNET", TINY_CONDITIONAL)


def config(*stages: Stage, **changes: Any) -> TrainingConfig:
    return TrainingConfig(stages=stages, precision="fp32", warm_up=5, save_every=1000, **changes)


def test_it_overfits_sixteen_real_images(tmp_path: Path) -> None:
    trainer = Trainer(config(Stage(16, 16, 150, 1e-2, 1e-3), ema_decay=0.95), REAL_IMAGES, tmp_path)
    trainer.run()
    with (tmp_path / "loss.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["held_out_loss"]) < 0.12  # a model that predicts nothing has 0.5
    assert (tmp_path / "state.pt").is_file()


def test_stopping_and_going_on_equals_going_through_to_the_bit(tmp_path: Path) -> None:
    stages = (Stage(8, 4, 3, 1e-3, 1e-3), Stage(16, 4, 5, 1e-3, 1e-4, 0.3))
    through = Trainer(config(*stages), REAL_IMAGES, tmp_path / "a")
    through.run()
    first = Trainer(config(*stages), REAL_IMAGES, tmp_path / "b")
    first.run(until=5)
    second = Trainer(config(*stages, seed=0), REAL_IMAGES, tmp_path / "b")
    second.resume(first.state_file)
    assert second.step == 5
    second.run()
    one, other = (torch.load(run.state_file, weights_only=True) for run in (through, second))
    for part in ("model", "average", "optimizer"):
        assert_equal(one[part], other[part])


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        assert one == other


def test_the_network_grows_between_the_stages(tmp_path: Path) -> None:
    """Stopped in the small stage and gone on with, the run grows as it would have done in one go."""
    stages = (Stage(8, 4, 2, 1e-3, 1e-3), Stage(16, 4, 1, 1e-3, 1e-3))
    trainer = Trainer(config(*stages), REAL_IMAGES, tmp_path)
    trainer.run(until=2)
    assert trainer.unet["sample_size"] == 8
    state = torch.load(trainer.state_file, weights_only=True)
    assert tuple(state["config"]["block_out_channels"]) == (8, 16)
    again = Trainer(config(*stages), REAL_IMAGES, tmp_path)
    again.resume(again.state_file)
    again.run()
    assert again.unet == TINY_CONDITIONAL
    assert len(again.model.down_blocks) == 3


def test_a_nan_loss_stops_the_run_and_keeps_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(config(Stage(8, 4, 6, 1e-3, 1e-3)), REAL_IMAGES, tmp_path)
    trainer.run(until=3)
    monkeypatch.setattr(train, "denoising_loss", lambda *_a: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(FloatingPointError, match="step 3"):
        trainer.run()
    state = torch.load(trainer.state_file, weights_only=True)
    assert state["step"] == 3
    assert all(torch.isfinite(tensor).all() for tensor in state["model"].values())


def test_a_foreign_state_is_refused(tmp_path: Path) -> None:
    torch.save({"format": "other"}, tmp_path / "state.pt")
    trainer = Trainer(config(Stage(8, 4, 1, 1e-3, 1e-3)), REAL_IMAGES, tmp_path / "run")
    with pytest.raises(ValueError, match="not a training state"):
        trainer.resume(tmp_path / "state.pt")


def test_the_learning_rate_warms_up_and_falls() -> None:
    stage = Stage(8, 4, 1000, 1e-3, 1e-5)
    rates = [learning_rate(stage, step, 100) for step in range(1001)]
    assert rates[0] == pytest.approx(1e-5, rel=0.01)
    assert max(rates) == pytest.approx(1e-3, rel=0.03)
    assert rates[-1] == pytest.approx(1e-5)
    assert all(before >= after for before, after in itertools.pairwise(rates[100:]))


def test_the_average_forgets_the_start_and_follows() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(100)
    average = ExponentialMovingAverage(model, decay=0.999)
    with torch.no_grad():
        model.weight.fill_(1)
    for _ in range(100):
        average.update(model)
    assert average.shadow["weight"].item() == pytest.approx(1, abs=1e-4)  # a constant 0.999 would still say 90


def test_a_trained_state_becomes_a_demonstration_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From real images over a training state and its export to seven checkpoints that the program accepts."""
    trainer = Trainer(config(Stage(16, 4, 2, 1e-3, 1e-3)), REAL_IMAGES, tmp_path / "run")
    trainer.run()
    demo = tmp_path / "demo"
    assert main(["export", str(trainer.state_file), "--output", str(demo)]) == 0
    colors = ["--output", str(demo / "color_statistics.json"), "--cache", str(tmp_path / "cache"), "--size", "16"]
    assert main(["color-statistics", "--data", str(REAL_IMAGES), *colors]) == 0
    monkeypatch.setattr("core.demo_set.DEMO_SET", demo)
    unpack_demo_set(tmp_path / "checkpoints")
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "unet_VASC_best.pth")
    assert checkpoint.scheduler["prediction_type"] == "v_prediction"
    assert checkpoint.provenance["step"] == 2
    another = Trainer(config(Stage(16, 4, 2, 1e-3, 1e-3), seed=5), REAL_IMAGES, tmp_path / "another")
    another.start_from(demo)
    assert another.step == 0
    half = trainer.average.shadow["conv_in.weight"].half().float()
    assert torch.equal(another.model.state_dict()["conv_in.weight"], half)
    assert torch.equal(another.average.shadow["conv_in.weight"], half)
    shadow = trainer.average.shadow
    folded = shadow["time_embedding.linear_2.bias"] + shadow["class_embedding.weight"][CLASSES.index("VASC")]
    assert torch.allclose(checkpoint.state_dict["time_embedding.linear_2.bias"], folded, atol=1e-3)
