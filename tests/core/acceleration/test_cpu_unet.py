"""The faster form of a model makes the images of diffusers' own, on checkpoints of both forms as they are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.acceleration.attention import NarrowHeads
from core.acceleration.cpu_unet import BlockInPlace, UpsampledConvolution
from core.acceleration.winograd import WinogradConvolution
from core.generation.denoising import denoise, to_pixels
from core.generation.reproduction import EXACT, REDUCED
from core.generation.samplers import Sampler
from core.models.architectures import DEFAULT_UNET
from core.models.checkpoints import Checkpoint, bytes_of, read_checkpoint
from core.models.demo_set import unpack_demo_set
from tests.conftest import TINY_UNET, tiny_unet, write_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The published form: a bare state_dict of the default UNet. Attention that sees no difference tests nothing."""
    from diffusers import UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = UNet2DModel(**DEFAULT_UNET).state_dict()
    for name in weights:
        if ".to_q.weight" in name or ".to_k.weight" in name:
            weights[name] *= 4
    file = tmp_path_factory.mktemp("published") / "unet_MEL_best.pth"
    torch.save(weights, file)
    return read_checkpoint(file)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("demonstration")
    unpack_demo_set(folder)
    return read_checkpoint(folder / "unet_NV_best.pth")


def pixels(model: Any, checkpoint: Checkpoint, steps: int, seeds: list[int]) -> np.ndarray:
    *_, last = denoise(model, Sampler("ddpm", checkpoint.scheduler, steps), seeds, CPU)
    return to_pixels(last.images).astype(np.int16)


def kinds(model: Any) -> dict[type, int]:
    modules = [getattr(module, "processor", module) for module in model.modules()]
    wanted = (NarrowHeads, BlockInPlace, UpsampledConvolution, WinogradConvolution)
    return {kind: sum(isinstance(module, kind) for module in modules) for kind in wanted}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("form", "steps"), [("published", 2), ("demonstration", 10)])
def test_images_are_those_of_diffusers_at_every_batch_size(
    form: str, steps: int, precision: str, request: pytest.FixtureRequest
) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(form)
    tolerance = EXACT if precision == "fp32" else REDUCED
    fast, plain = (checkpoint.build(CPU, precision, plain=plain) for plain in (False, True))
    together = pixels(fast, checkpoint, steps, list(range(8)))
    alone = pixels(fast, checkpoint, steps, [7])[0]
    assert np.abs(alone - together[7]).max() <= tolerance
    theirs = pixels(plain, checkpoint, steps, [7])[0]
    assert np.abs(theirs - together[7]).max() <= tolerance
    assert theirs.std() > 10


def test_what_is_replaced_in_the_published_model(published: Checkpoint) -> None:
    found = kinds(published.build())
    assert found[NarrowHeads] == 6
    assert found[BlockInPlace] == 22
    assert found[UpsampledConvolution] == 3
    assert found[WinogradConvolution] == (19 if torch.backends.mkl.is_available() else 0)
    assert kinds(published.build(CPU, "bf16"))[WinogradConvolution] == 0
    assert set(kinds(published.build(plain=True)).values()) == {0}


def test_wide_heads_stay_as_they_are(demonstration: Checkpoint) -> None:
    found = kinds(demonstration.build())
    assert (found[NarrowHeads], found[UpsampledConvolution]) == (0, 1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("channels", [(16, 16), (16, 24)])
def test_a_block_in_place_answers_to_the_bit_and_leaves_what_it_is_given(
    channels: tuple[int, int], precision: str
) -> None:
    from diffusers.models.resnet import ResnetBlock2D

    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = ResnetBlock2D(in_channels=channels[0], out_channels=channels[1], temb_channels=8, groups=4).eval()
        given, timestep = torch.randn(2, channels[0], 12, 12), torch.randn(2, 8)
    if precision == "bf16":
        theirs, given, timestep = theirs.bfloat16(), given.bfloat16(), timestep.bfloat16()
    before = given.clone(), timestep.clone()
    with torch.inference_mode():
        assert torch.equal(BlockInPlace(theirs)(given, timestep), theirs(given, timestep))
    assert torch.equal(given, before[0])
    assert torch.equal(timestep, before[1])


def test_a_model_for_another_device_stays_as_it_is(published: Checkpoint) -> None:
    assert set(kinds(published.build("meta")).values()) == {0}


@pytest.mark.parametrize(
    "changes",
    [
        {"upsample_type": "resnet"},
        {"resnet_time_scale_shift": "scale_shift"},
        {"act_fn": "gelu"},
        {"dropout": 0.5},
        {"mid_block_scale_factor": 2.0},
        {"add_attention": False},
        {"attention_head_dim": 3},
        {"attention_head_dim": None},
        {"attn_norm_num_groups": 2},
        {"downsample_type": "resnet"},
        {"up_block_types": ("AttnUpBlock2D", "SkipUpBlock2D")},
        {"sample_size": 64, "block_out_channels": (16, 128)},
        {"sample_size": 72, "block_out_channels": (16, 128)},
    ],
    ids=str,
)
def test_other_architectures_answer_alike(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = {**TINY_UNET, **changes}
    if changes.get("attention_head_dim") == 3:
        config["block_out_channels"] = (12, 24)
    file = write_checkpoint(tmp_path / "a.pth", tiny_unet(**config), config=config)
    checkpoint = read_checkpoint(file)
    noise = torch.randn(2, 3, config["sample_size"], config["sample_size"], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        fast, plain = (checkpoint.build(plain=plain)(noise, 500).sample for plain in (False, True))
    assert torch.allclose(fast, plain, atol=2e-5)


def test_bytes_are_those_in_memory(published: Checkpoint) -> None:
    plain = published.build(plain=True)
    assert bytes_of(plain) == 4 * published.parameters
    assert bytes_of(published.build(CPU, "bf16", plain=True)) == 2 * published.parameters
    assert bytes_of(published.build()) >= bytes_of(plain)
