from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import ArgumentError, CheckpointError
from core.generation.job import SAMPLERS
from core.generation.samplers import Sampler
from tests.conftest import SCHEDULER


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def sample(
    name: str, steps: int, predict: Any, prediction_type: str = "epsilon", seeds: tuple[int, ...] = (1, 2)
) -> Any:
    """Run a sampler with an analytic model in the network's place."""
    sampler = Sampler(name, {**SCHEDULER, "prediction_type": prediction_type}, steps)
    rng = generators(*seeds)
    images = torch.cat([torch.randn(1, 3, 8, 8, generator=generator) for generator in rng])
    for timestep in sampler.timesteps:
        images, estimate = sampler.step(predict(images, timestep), timestep, images, rng)
        assert estimate.abs().max() <= 1
    return images


def knowing(x0: torch.Tensor, prediction_type: str) -> Any:
    """The perfect model of a data set that holds one image."""
    from diffusers import DDPMScheduler

    alphas = DDPMScheduler(**SCHEDULER).alphas_cumprod.double()

    def predict(images: torch.Tensor, timestep: int) -> torch.Tensor:
        signal, noise = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
        epsilon = (images.double() - signal * x0) / noise
        return (epsilon if prediction_type == "epsilon" else signal * epsilon - noise * x0).float()

    return predict


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [1, 2, 10, 50])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_perfect_model_gives_its_image(name: str, steps: int, prediction_type: str) -> None:
    x0 = torch.linspace(-0.9, 0.9, 192).reshape(3, 8, 8).double()
    images = sample(name, steps, knowing(x0, prediction_type), prediction_type)
    assert (images - x0).abs().max() < 0.05


@pytest.mark.parametrize("steps", [5, 15, 50])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_poor_model_does_not_blow_up(name: str, steps: int) -> None:
    """A model whose error does not vanish with the signal: unclipped, the multistep solvers reach thousands."""
    images = sample(name, steps, lambda images, _t: 0.9 * images)
    assert images.std() < 2


def test_unclipped_it_would_blow_up() -> None:
    """The defect that the clip is for is there in diffusers' solvers as they are."""
    from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler.from_config(DDPMScheduler(**SCHEDULER).config, timestep_spacing="linspace")
    scheduler.set_timesteps(15)
    images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for timestep in scheduler.timesteps:
        images = scheduler.step(0.9 * images, timestep, images).prev_sample
    assert images.std() > 100


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_random_number_comes_from_the_images_own_generator(name: str) -> None:
    """The images of a batch are what they are alone, whatever the global generator and the neighbours do."""
    torch.manual_seed(0)
    together = sample(name, 10, lambda images, _t: 0.5 * images, seeds=(1, 2, 3))
    torch.manual_seed(99)
    alone = sample(name, 10, lambda images, _t: 0.5 * images, seeds=(2,))
    assert torch.equal(together[1:2], alone)


def test_ddpm_draws_noise_at_every_step() -> None:
    one, other = (sample("ddpm", 10, lambda images, _t: torch.zeros_like(images), seeds=(s,)) for s in (1, 2))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize(("name", "most"), [("ddpm", 1000), ("ddim", 1000), ("dpmpp", 999), ("unipc", 999)])
def test_every_number_of_steps_gives_finite_images(name: str, most: int) -> None:
    for steps in (3, most):
        assert torch.isfinite(sample(name, steps, lambda images, _t: 0.7 * images)).all()
    with pytest.raises(ArgumentError, match=str(most)):
        Sampler(name, SCHEDULER, most + 1)


def test_the_steps_are_those_of_diffusers_pipeline() -> None:
    """DDPM with the checkpoint's schedule is what DDPMPipeline would run."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(**SCHEDULER)
    scheduler.set_timesteps(50)
    assert Sampler("ddpm", SCHEDULER, 50).timesteps == scheduler.timesteps.tolist()


@pytest.mark.parametrize("schedule", [{"beta_schedule": "no such"}, {"unknown": 1}, {"num_train_timesteps": "many"}])
def test_a_schedule_that_nobody_knows_is_named(schedule: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="scheduler"):
        Sampler("ddpm", schedule, 10)
