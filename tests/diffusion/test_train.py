from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError, JobFailedError
from core.generation.control import Control
from diffusion import stage_run
from diffusion.config import Stage, learning_rate
from diffusion.ema import ExponentialMovingAverage
from diffusion.history import History
from diffusion.resume import resume, start_from
from diffusion.state import read_state
from diffusion.train import Trainer
from diffusion.weights import weights_of
from tests.diffusion.examples import TINY_DEMO, config, make_networks_tiny, trainer


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_networks_tiny(monkeypatch)


def resumed(run: Trainer, earlier: Trainer) -> Trainer:
    resume(run, read_state(earlier.places.state), "the state")
    return run


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        assert one == other


@pytest.mark.parametrize("conditioning", ["class", "none", "metadata"])
def test_it_overfits_sixteen_real_images(tmp_path: Path, conditioning: str) -> None:
    settings = config(Stage(16, 16, 40, 1e-2, 1e-3), ema_decay=0.95, conditioning=conditioning, validate_every=20)
    trainer(settings, tmp_path).run()
    with (tmp_path / "loss.csv").open() as stream:
        first, last = csv.DictReader(stream)
    assert float(last["loss"]) < 0.21  # and it has learnt on the way:
    assert float(last["loss"]) < 0.8 * float(first["loss"])
    assert float(last["held_out_loss"]) < float(first["held_out_loss"]) < 0.3
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


STAGES = (Stage(8, 4, 3, 1e-3, 1e-3), Stage(16, 4, 5, 1e-3, 1e-4, 0.3))


@pytest.mark.parametrize("stop", [2, 5])
def test_stopping_and_going_on_equals_going_through_to_the_bit(tmp_path: Path, stop: int) -> None:
    """Stopped before the network grows, and after."""
    settings = config(*STAGES, jitter=True, accumulate=2, validate_every=4)
    through = trainer(settings, tmp_path / "a")
    through.run()
    first = trainer(settings, tmp_path / "b")
    first.run(until=stop)
    torch.rand(7)  # what other code draws from the global generator makes no difference
    second = resumed(trainer(settings, tmp_path / "b"), first)
    assert second.step == stop
    second.run()
    one, other = (read_state(run.places.state) for run in (through, second))
    assert one["step"] == 8
    for part in ("model", "average", "optimizer", "stopping", "config"):
        assert_equal(one[part], other[part])


def test_training_draws_from_no_global_generator(tmp_path: Path) -> None:
    """Why a state needs to hold none: batches, noise and weights follow from seed and step."""
    before = torch.get_rng_state()
    trainer(config(*STAGES), tmp_path).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_in_parts_is_the_same_step_up_to_rounding(tmp_path: Path) -> None:
    runs = [trainer(config(Stage(16, 8, 2, 1e-3, 1e-3), accumulate=parts), tmp_path / str(parts)) for parts in (1, 4)]
    for run in runs:
        run.run()
    one, other = (run.model.state_dict() for run in runs)
    assert all(torch.allclose(one[name], other[name], atol=2e-4) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_less_memory_by_checkpointed_gradients_is_the_same_step(tmp_path: Path) -> None:
    stage = Stage(16, 4, 2, 1e-3, 1e-3)
    runs = [trainer(config(stage, gradient_checkpointing=on), tmp_path / str(on)) for on in (False, True)]
    for run in runs:
        run.run()
    assert runs[1].model.is_gradient_checkpointing
    one, other = (run.model.state_dict() for run in runs)
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_bf16_trains_fp32_weights(tmp_path: Path) -> None:
    run = trainer(config(Stage(16, 4, 2, 1e-3, 1e-3), precision="bf16"), tmp_path)
    run.run()
    assert {tensor.dtype for tensor in run.model.state_dict().values()} == {torch.float32}
    assert all(torch.isfinite(tensor).all() for tensor in run.average.shadow.values())


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="batch of 6.*multiple of 4"):
        trainer(config(Stage(16, 6, 1, 1e-3, 1e-3), accumulate=4), tmp_path)


def test_the_network_grows_between_the_stages(tmp_path: Path) -> None:
    run = trainer(config(*STAGES), tmp_path)
    assert run.unet["sample_size"] == 8
    run.run(until=4)
    assert run.unet == TINY_DEMO
    assert len(run.model.down_blocks) == 3


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    run = trainer(config(Stage(16, 4, 6, 1e-3, 1e-3)), tmp_path)
    run.run(until=3)
    real = stage_run.denoising_loss

    def poisoned(*arguments: Any) -> torch.Tensor:
        loss: torch.Tensor = real(*arguments)
        if broken == "gradient":
            loss.register_hook(lambda gradient: gradient * math.inf)
            return loss
        return loss * math.nan

    monkeypatch.setattr(stage_run, "denoising_loss", poisoned)
    with pytest.raises(JobFailedError, match=r"by step 4 .* good: .*state.pt.*--learning-rate"):
        run.run()
    state = read_state(run.places.state)
    assert state["step"] == 3
    assert all(torch.isfinite(tensor).all() for tensor in state["model"].values())


def test_it_stops_early_and_publishes_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The held-out loss falls twice, then stays: three validations later the run is over."""
    losses: Iterator[float] = itertools.chain([0.5, 0.4], itertools.repeat(0.39995))
    published: list[int] = []
    settings = config(Stage(16, 4, 40, 1e-3, 1e-3), validate_every=2, patience=3)
    run = trainer(settings, tmp_path, publish=lambda finished: published.append(finished.step))
    see = run.stopping.see
    monkeypatch.setattr(run.stopping, "see", lambda _loss, step: see(next(losses), step))
    run.run()
    assert run.step == 10
    assert published == [2, 4]
    assert run.stopping.best_step == 4
    again = resumed(trainer(settings, tmp_path), run)
    again.run()
    assert again.step == 10  # there is nothing left to learn


def test_a_run_goes_on_without_the_curves_and_grids_that_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loss.csv").mkdir()
    (tmp_path / "grids").touch()
    run = trainer(config(Stage(16, 4, 4, 1e-3, 1e-3), validate_every=2, grid_every=2), tmp_path)
    run.run()
    assert read_state(run.places.state)["step"] == 4
    said = capsys.readouterr().out
    assert said.count("loss.csv cannot be written") == said.count("grids cannot be written") == 1


def test_a_size_that_has_no_more_to_teach_makes_room_for_the_next(tmp_path: Path) -> None:
    stages = (Stage(8, 4, 40, 1e-3, 1e-3), Stage(16, 4, 4, 1e-3, 1e-3))
    published: list[int] = []
    settings = config(*stages, validate_every=2, patience=2, min_delta=10.0)  # only the first of a size is progress
    run = trainer(settings, tmp_path, publish=lambda finished: published.append(finished.step))
    run.run()
    assert [(row.step, row.size) for row in History(tmp_path, 100).rows] == [(2, 8), (4, 8), (6, 8), (42, 16), (44, 16)]
    assert published == [42]  # a network of the smaller size is not what the run is for


def test_a_stop_is_obeyed_after_the_step_and_saved(tmp_path: Path) -> None:
    control = Control()
    run = trainer(config(Stage(16, 4, 6, 1e-3, 1e-3), validate_every=2), tmp_path)
    run.publish = lambda _run: control.stop_now()  # called after the validation of step 2
    run.run(control)
    assert read_state(run.places.state)["step"] == 3


def test_a_state_of_another_architecture_or_objective_is_refused(tmp_path: Path) -> None:
    run = trainer(config(Stage(16, 4, 1, 1e-3, 1e-3)), tmp_path)
    run.run()
    other = trainer(config(Stage(16, 4, 1, 1e-3, 1e-3), conditioning="none"), tmp_path / "other")
    with pytest.raises(CheckpointError, match="another architecture.*told the class.*unconditional"):
        resumed(other, run)
    other = trainer(config(Stage(16, 4, 1, 1e-3, 1e-3), prediction_type="epsilon"), tmp_path / "other")
    with pytest.raises(CheckpointError, match="learns v_prediction"):
        resumed(other, run)


def test_going_on_tells_what_has_changed(tmp_path: Path) -> None:
    run = trainer(config(Stage(16, 4, 1, 1e-3, 1e-3)), tmp_path)
    run.run()
    other = trainer(config(Stage(16, 4, 1, 1e-3, 1e-3), clip_norm=2.0), tmp_path)
    assert resume(other, read_state(run.places.state), "the state") == ["clip_norm: 1.0 before, 2.0 now"]


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    """Of all classes to one (its class folded in), of half the size to the whole, of none to metadata."""
    plain = {"prediction_type": "v_prediction"}
    known = trainer(config(Stage(16, 4, 2, 1e-2, 1e-2)), tmp_path / "class")
    known.run()
    weights = weights_of(known.state())
    one = trainer(config(Stage(16, 4, 2, 1e-3, 1e-3), conditioning="none", **plain), tmp_path / "one")
    start_from(one, weights, "the weights", "VASC")
    shadow = known.average.shadow
    folded = shadow["time_embedding.linear_2.bias"] + shadow["class_embedding.weight"][CLASSES.index("VASC")]
    assert torch.allclose(one.model.time_embedding.linear_2.bias, folded)
    assert torch.equal(one.average.shadow["conv_in.weight"], shadow["conv_in.weight"])
    larger = trainer(config(Stage(32, 4, 2, 1e-3, 1e-3), conditioning="metadata", **plain), tmp_path / "large")
    start_from(larger, weights, "the weights")
    assert torch.equal(
        larger.model.mid_block.resnets[0].conv1.weight, known.average.shadow["mid_block.resnets.0.conv1.weight"]
    )
    assert not larger.model.class_embedding(torch.rand(3, 12)).any()  # no effect yet
    with pytest.raises(CheckpointError, match="another architecture"):
        start_from(trainer(config(Stage(16, 4, 2, 1e-3, 1e-3), architecture="small"), tmp_path / "x"), weights, "it")


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
