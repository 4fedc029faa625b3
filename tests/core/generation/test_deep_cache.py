"""Deep features are those of the step that computed them, and everything outside of them is of the step itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ArgumentError
from core.generation.deep_cache import check_reuse, reusing
from core.generation.denoising import denoise
from core.generation.job import SAMPLERS, GenerationJob
from core.generation.reproduction import reproduce
from core.generation.runner import run
from core.generation.samplers import Sampler
from core.models.checkpoints import Checkpoint, ModelCache, read_checkpoint
from core.models.demo_set import unpack_demo_set
from core.models.guided_checkpoints import Guided
from core.output.image_file import read_parameters, read_pixels
from tests.conftest import SCHEDULER, TINY_UNET, tiny_unet, write_checkpoint

CPU = torch.device("cpu")
OTHER_UNETS = [
    {},
    {"layers_per_block": 2},
    {"block_out_channels": (8,), "down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)},
    {"down_block_types": ("AttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "AttnUpBlock2D")},
    {"mid_block_type": None},
    {"resnet_time_scale_shift": "scale_shift"},
]


def noise(seed: int = 0, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def answers(model: Any, inputs: list[torch.Tensor], timesteps: list[int]) -> list[torch.Tensor]:
    pairs = zip(inputs, timesteps, strict=True)
    return [model(noisy, timestep, return_dict=False)[0] for noisy, timestep in pairs]


def built(tmp_path: Path, plain: bool = True, seed: int = 0, **changes: Any) -> Any:
    file = tmp_path / f"{seed}.pth"
    write_checkpoint(file, tiny_unet(seed, **changes), config={**TINY_UNET, **changes})
    return read_checkpoint(file).build(CPU, "fp32", plain=plain)


@pytest.mark.parametrize("changes", OTHER_UNETS, ids=str)
@pytest.mark.parametrize("plain", [True, False])
def test_at_the_same_place_the_reused_features_are_the_right_ones(
    tmp_path: Path, changes: dict[str, Any], plain: bool
) -> None:
    """What a step reuses and what it computes itself add up to the network's own answer."""
    model = built(tmp_path, plain, **changes)
    one = noise()
    whole, outer = answers(reusing(model, 2), [one, one], [500, 500])
    assert torch.equal(whole, answers(model, [one], [500])[0])
    assert torch.allclose(outer, whole, atol=1e-6)


def test_a_step_between_follows_its_own_image_and_timestep(tmp_path: Path) -> None:
    model = built(tmp_path)
    _, moved = answers(reusing(model, 2), [noise(0), noise(1)], [500, 500])
    _, later = answers(reusing(model, 2), [noise(0), noise(0)], [500, 400])
    first = answers(model, [noise(0)], [500])[0]
    assert (moved - first).abs().max() > 1e-2
    assert (later - first).abs().max() > 1e-3
    assert not torch.allclose(moved, answers(model, [noise(1)], [500])[0], atol=1e-3)


@pytest.mark.parametrize("reuse", [1, 2, 3])
def test_every_nth_step_computes_everything(tmp_path: Path, reuse: int) -> None:
    model = built(tmp_path)
    inputs, timesteps = [noise(seed) for seed in range(7)], list(range(900, 200, -100))
    own = answers(model, inputs, timesteps)
    found = answers(reusing(model, reuse), inputs, timesteps)
    same = [torch.equal(one, other) for one, other in zip(found, own, strict=True)]
    assert same == [index % reuse == 0 for index in range(7)]


def test_the_deep_part_is_computed_so_often_and_left_as_it_was(tmp_path: Path) -> None:
    model = built(tmp_path)
    counted: list[int] = []
    handle = model.mid_block.register_forward_hook(lambda *_: counted.append(1))
    steps = list(denoise(model, Sampler("dpmpp", SCHEDULER, 8), [1, 2], CPU, reuse=3))
    handle.remove()
    assert (len(steps), len(counted)) == (8, 3 * 2)  # in fp32 on a processor, each of the two images by itself
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_failed_step_leaves_nothing_on_the_model(tmp_path: Path) -> None:
    model = built(tmp_path)
    with pytest.raises(RuntimeError):
        answers(reusing(model, 2), [torch.zeros(1, 5, 16, 16)], [500])
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_both_models_of_guidance_reuse_their_own(tmp_path: Path) -> None:
    under, without = built(tmp_path), built(tmp_path, seed=1)
    inputs, timesteps = [noise(0), noise(1)], [500, 400]
    guided = answers(reusing(Guided(under, without, 3.0), 2), inputs, timesteps)
    apart = [answers(reusing(model, 2), inputs, timesteps) for model in (under, without)]
    for found, one, other in zip(guided, *apart, strict=True):
        assert torch.allclose(found, other + 3 * (one - other), atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"up_block_types": ("AttnUpBlock2D", "SkipUpBlock2D")},
        {"center_input_sample": True},
        {"time_embedding_type": "fourier"},
    ],
    ids=str,
)
def test_other_networks_are_refused_before_anything_is_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = {**TINY_UNET, **changes}
    write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(**config), config=config)
    job = GenerationJob({"MEL": 1}, tmp_path, tmp_path / "o", steps=2, device="cpu", precision="fp32", reuse=2)
    with pytest.raises(ArgumentError, match=r"unet_MEL_best\.pth .* choose a reuse of 1\.$"):
        list(run(job))
    assert not (tmp_path / "o").exists()
    check_reuse("unet_MEL_best.pth", config, 1)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_image_is_recorded_and_made_again_whatever_the_batch(
    tiny_checkpoints: Path, tmp_path: Path, sampler: str, precision: str
) -> None:
    def made(folder: str, **settings: Any) -> Path:
        values = {"steps": 5, "sampler": sampler, "device": "cpu", "precision": precision, **settings}
        list(run(GenerationJob({"MEL": 3}, tiny_checkpoints, tmp_path / folder, **values)))
        return tmp_path / folder / "MEL" / "ISIC_0000003.png"

    together, alone = made("together", reuse=2, batch_size=3), made("alone", reuse=2, batch_size=1)
    assert read_parameters(together).reuse == 2
    limit = 1 if precision == "fp32" else 8
    assert np.abs(read_pixels(together).astype(int) - read_pixels(alone)).max() <= limit
    again = reproduce(alone, tiny_checkpoints, ModelCache())
    assert (again.equal, again.maximum_difference) == (True, 0)
    without = made("without", batch_size=1)
    assert read_parameters(without).reuse == 1
    assert np.abs(read_pixels(without).astype(int) - read_pixels(alone)).max() > limit


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("demonstration")
    unpack_demo_set(folder)
    return read_checkpoint(folder / "unet_NV_best.pth")


def test_with_a_trained_model_the_image_stays_near(demonstration: Checkpoint) -> None:
    """Nearer to the image without reuse than another seed's is, and nearer the less is reused."""

    def image(reuse: int, seed: int = 1) -> torch.Tensor:
        sampler = Sampler("ddim", demonstration.scheduler, 12)
        *_, last = denoise(demonstration.build(), sampler, [seed], CPU, reuse)
        return last.images

    without = image(1)
    distances = [float((image(reuse) - without).abs().mean()) for reuse in (2, 4)]
    assert 0 < distances[0] < distances[1] < float((image(1, seed=2) - without).abs().mean())
